//! What the flow of a connection says about its exchanges: the connection has ended, or rests behind a
//! response that is whole.
//!
//! A flow has the bytes of each direction and the time of its last packet, not that of its last payload. So a
//! time that it tells is a bound from above: of a connection that ended that of its end, of one that rests
//! that of the last packet, which acknowledges the last byte.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use agent_common::flow::{FlowRecord, flow_name, seen};
use agent_common::record::FIRST_POSITION;

use super::super::open::End;
use super::super::record::ExchangeRecord;
use super::Pairing;

/// How long the exchanges of a connection that has ended wait for what the engine holds back: longer than
/// that waits for missing bytes.
pub(super) const GRACE_NS: u64 = 1_500_000_000;

/// How long a flow has rested when its last byte is acknowledged (Linux delays that by 40 ms, seldom 200).
const QUIET_NS: u64 = 100_000_000;

impl Pairing {
    /// Takes a flow at `now_ns`, on the clock of the records; all heads up to its last packet were given to
    /// [`Self::head`], but for what waits: `holds_back` says whether bytes of the connection with this slot and
    /// generation wait to be read. Exchanges that are over go to `out`.
    pub fn flow(
        &mut self,
        flow: &FlowRecord,
        now_ns: u64,
        holds_back: impl Fn(u32, u32) -> bool,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) {
        let Some(slot) = self.open.connection_of(flow.slot) else {
            return;
        };
        let name = flow_name(flow.slot, flow.generation);
        let Some(last) = self.open.last_of(slot) else {
            return;
        };
        let Some(open) = self.open.get(last).filter(|open| open.flow == name) else {
            return;
        };
        let settled = !holds_back(slot, open.generation);
        let server = side_of(flow, open.server);
        let sent_fin = flow.state >> (server * seen::SIDE_SHIFT) & seen::FIN != 0;
        if sent_fin || flow.state & seen::ENDED != 0 {
            self.ended(slot, last, flow, now_ns, settled, out);
        } else if settled && now_ns.saturating_sub(flow.last_ns) >= QUIET_NS {
            self.rests(last, flow, out);
        }
    }

    /// The connection in `slot` has ended, or its server has: it sends nothing more.
    fn ended(
        &mut self,
        slot: u32,
        last: u32,
        flow: &FlowRecord,
        now_ns: u64,
        settled: bool,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) {
        if let Some(open) = self.open.get_mut(last)
            && let Some(response) = open.response
            && open.response_end.is_none()
        {
            let begin = response.position;
            let most = open.response_ends_at.unwrap_or(u64::MAX);
            let position = position(flow, open.server)
                .filter(|end| *end >= begin)
                .map(|end| end.min(most));
            open.response_end = Some(End {
                position,
                time_ns: flow.last_ns.max(response.end_ns),
            });
        }
        let mut all_answered = true;
        let mut next = self.open.first_of(slot);
        while let Some(index) = next {
            next = self.open.next_of(index);
            let Some(open) = self.open.get_mut(index) else {
                return;
            };
            all_answered &= open.request.is_some() && open.response.is_some();
            if !open.ended {
                (open.ended, open.touched_ns) = (true, now_ns);
            }
        }
        // What has no answer may have one that is still held back, or comes from another CPU.
        if settled && all_answered {
            while let Some(index) = self.open.first_of(slot) {
                self.hand_out(index, out);
            }
        }
    }

    /// Nothing was sent for a while: a response of known length may be whole.
    fn rests(&mut self, last: u32, flow: &FlowRecord, out: &mut impl FnMut(&ExchangeRecord<'_>)) {
        let Some(open) = self.open.get_mut(last) else {
            return;
        };
        let Some(response) = open.response.filter(|_| open.response_end.is_none()) else {
            return;
        };
        let whole = open
            .response_ends_at
            .filter(|end| position(flow, open.server) == Some(*end));
        if whole.is_none() {
            return;
        }
        open.response_end = Some(End {
            position: whole,
            time_ns: flow.last_ns.max(response.end_ns),
        });
        if self.is_over(last) {
            self.hand_out(last, out);
        }
    }
}

/// The position behind all that `sender` has sent; `None`: its first byte was not seen, so nobody knows.
fn position(flow: &FlowRecord, sender: SocketAddr) -> Option<u64> {
    let side = side_of(flow, sender);
    let did = flow.state >> (side * seen::SIDE_SHIFT);
    if did & (seen::SYN | seen::ANSWER) == 0 {
        return None;
    }
    FIRST_POSITION.checked_add(flow.payload[side as usize & 1])
}

/// 0: the source, 1: the destination.
fn side_of(flow: &FlowRecord, sender: SocketAddr) -> u32 {
    let source = SocketAddr::new(
        IpAddr::V6(Ipv6Addr::from(flow.source)).to_canonical(),
        u16::from_be_bytes(flow.source_port_be),
    );
    u32::from(source != sender)
}
