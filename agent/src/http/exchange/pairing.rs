//! Requests and responses joined to exchanges.
//!
//! Pure: heads in, exchanges out; no I/O, no clock, and no allocation an exchange once as many are open
//! as ever. The engine has numbered the requests of a connection and says which one a response answers;
//! here they wait for each other, and then for the end of the response, which the next head of the
//! connection tells, or its flow ([`flow`]).
//!
//! Each request and each orphan becomes one exchange, handed out once. More than [`Limits::open`] at a time
//! are not kept: the oldest is handed out as it is.

use serde::Serialize;

use super::open::{End, Open, OpenExchanges, Seen, Text};
use super::record::{ExchangeRecord, Outcome, Role};
use crate::http::engine::FoundHead;
use crate::http::framing::is_interim;
use crate::http::head::{Head, Kind, StartLine};
use crate::session::identifier::Identifier;
use crate::sink::log::asked::AskedFields;

mod flow;
mod handing_out;

/// The bounds of what a [`Pairing`] keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Exchanges that are not over.
    pub open: usize,
    /// How long a response is waited for, in nanoseconds.
    pub unanswered_ns: u64,
    /// How long the end of a response is waited for, in nanoseconds.
    pub unfinished_ns: u64,
    /// How long a coarse tick of the records is, in nanoseconds.
    pub tick_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: 1 << 16,
            unanswered_ns: 300_000_000_000,
            unfinished_ns: 10_000_000_000,
            tick_ns: 4_000_000,
        }
    }
}

/// What a head is part of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// The connection.
    pub session: Identifier,
    /// The exchange.
    pub exchange: Identifier,
    /// Of a response, microseconds from the end of the request's head to its first byte.
    pub latency_us: Option<u64>,
}

/// Joins heads.
#[derive(Debug)]
pub struct Pairing {
    /// The upper half of all identifiers.
    run: u64,
    /// Exchanges begun.
    begun: u64,
    limits: Limits,
    asked: AskedFields,
    counts: PairingCounts,
    open: OpenExchanges,
    /// When records were lost the last time, on the clock of the records; `None`: never.
    lost_ns: Option<u64>,
}

/// What a [`Pairing`] has counted since it was made: `requests = answered + unanswered + open_requests`, and
/// `responses = answered + orphans + interim + open_responses`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct PairingCounts {
    /// Requests.
    pub requests: u64,
    /// Responses, interim ones too.
    pub responses: u64,
    /// Exchanges handed out with both; opaque ones too.
    pub answered: u64,
    /// Exchanges handed out without a response.
    pub unanswered: u64,
    /// Exchanges handed out without a request.
    pub orphans: u64,
    /// Interim responses.
    pub interim: u64,
    /// Requests of exchanges that are not over.
    pub open_requests: u64,
    /// Final responses of exchanges that are not over.
    pub open_responses: u64,
}

impl Pairing {
    /// Nothing yet; `run` makes its identifiers unlike those of every other run.
    #[must_use]
    pub fn new(run: u64, limits: Limits) -> Self {
        Self {
            run,
            begun: 0,
            limits,
            asked: AskedFields::new(&[]),
            counts: PairingCounts::default(),
            open: OpenExchanges::new(),
            lost_ns: None,
        }
    }

    /// Has the fields with these names noted in exchanges, of their requests.
    #[must_use]
    pub fn with_headers(mut self, names: &[String]) -> Self {
        self.asked = AskedFields::new(names);
        self
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> PairingCounts {
        self.counts
    }

    /// Gives the run another name; to be called before the first head.
    pub fn name_run(&mut self, run: u64) {
        self.run = run;
    }

    /// Takes a head, as found and as described (redacted, with the view of this host, and its session where
    /// that is known); gives what it is part of. Exchanges that are over go to `out`.
    pub fn head(
        &mut self,
        found: &FoundHead<'_>,
        head: &Head<'_>,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) -> Part {
        self.leave_earlier_connection(found, out);
        let index = match head.start {
            StartLine::Request { .. } => self.request(found, head, out),
            StartLine::Response { status, .. } if is_interim(status) => {
                self.interim(found, head, status)
            }
            StartLine::Response { status, .. } => self.response(found, head, status, out),
        };
        self.open.follow(index, found.flow);
        let part = self.part(found, head, index);
        if self.is_over(index) {
            self.hand_out(index, out);
        } else if self.open.count() > self.limits.open
            && let Some(oldest) = self.open.oldest()
        {
            self.hand_out(oldest, out);
        }
        part
    }

    /// Records were lost before `time_ns`, on the clock of the records: whatever lacks its other half by then may lack
    /// it because of that.
    pub fn lost(&mut self, time_ns: u64) {
        self.lost_ns = self.lost_ns.max(Some(time_ns));
    }

    /// Hands out what has waited too long at `now_ns`, on the clock of the records.
    pub fn expire(&mut self, now_ns: u64, out: &mut impl FnMut(&ExchangeRecord<'_>)) {
        let mut next = self.open.oldest();
        while let Some(index) = next {
            next = self.open.newer(index);
            let Some(open) = self.open.get(index) else {
                return;
            };
            let patience = match open.response {
                _ if open.ended => flow::GRACE_NS,
                Some(_) => self.limits.unfinished_ns,
                None => self.limits.unanswered_ns,
            };
            if now_ns.saturating_sub(open.touched_ns) >= patience {
                self.hand_out(index, out);
            }
        }
    }

    /// Hands out everything: no more heads will come.
    pub fn finish(&mut self, out: &mut impl FnMut(&ExchangeRecord<'_>)) {
        while let Some(index) = self.open.oldest() {
            self.hand_out(index, out);
        }
    }

    /// Exchanges that are not over.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.count()
    }

    /// Hands out what is left of a connection that was in this slot before.
    fn leave_earlier_connection(
        &mut self,
        found: &FoundHead<'_>,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) {
        while let Some(index) = self.open.first_of(found.slot)
            && self
                .open
                .get(index)
                .is_some_and(|open| open.generation != found.generation)
        {
            self.hand_out(index, out);
        }
    }

    fn request(
        &mut self,
        found: &FoundHead<'_>,
        head: &Head<'_>,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) -> u32 {
        self.counts.requests += 1;
        self.counts.open_requests += 1;
        if let Some(last) = self.open.last_of(found.slot)
            && let Some(open) = self.open.get_mut(last)
        {
            // The response before it is over, or at least so much of it is there.
            if let Some(response) = open.response {
                let seen = ago(found.time_ns, found.peer_ago, self.limits.tick_ns);
                open.response_end = Some(End {
                    position: Some(found.peer_position),
                    time_ns: seen.max(response.end_ns),
                });
            }
            if let Some(request) = open.request
                && open.request_bytes.is_none()
            {
                open.request_bytes = found.position.checked_sub(request.position);
            }
        }
        let known = self.find_without(found, |open| open.request.is_some(), out);
        let index = match known {
            Some(index) => index,
            None => self.add(found, head),
        };
        if let Some(open) = self.open.get_mut(index) {
            open.request = Some(seen(found, head));
            open.note_headers(&mut self.asked, head.raw_fields);
            open.minor_version = head.minor_version;
            open.partial |= head.partial;
            if let StartLine::Request { method, target } = head.start {
                open.note(Text::Method, Some(method));
                open.note(Text::Target, Some(target));
            }
            open.note(Text::Host, head.fields.host);
            open.note(Text::UserAgent, head.fields.user_agent);
            open.note(Text::Referer, head.fields.referer);
            open.note(Text::Traceparent, head.fields.traceparent);
        }
        index
    }

    fn interim(&mut self, found: &FoundHead<'_>, head: &Head<'_>, status: u16) -> u32 {
        self.counts.responses += 1;
        self.counts.interim += 1;
        let index = match self.find(found) {
            Some(index) => index,
            None => self.add(found, head),
        };
        if let Some(open) = self.open.get_mut(index) {
            open.interim_status = Some(status);
            open.response_begin.get_or_insert(found.position);
            open.touched_ns = found.time_ns;
        }
        index
    }

    fn response(
        &mut self,
        found: &FoundHead<'_>,
        head: &Head<'_>,
        status: u16,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) -> u32 {
        self.counts.responses += 1;
        self.counts.open_responses += 1;
        let known = self.find_without(found, |open| open.response.is_some(), out);
        self.end_those_before(found, known, out);
        let index = match known {
            Some(index) => index,
            None => self.add(found, head),
        };
        let is_last = self.open.last_of(found.slot) == Some(index);
        if let Some(open) = self.open.get_mut(index) {
            open.response = Some(seen(found, head));
            open.response_begin.get_or_insert(found.position);
            open.status = Some(status);
            open.partial |= head.partial;
            open.touched_ns = found.time_ns;
            open.note(Text::ContentType, head.fields.content_type);
            if open.request.is_none() {
                open.minor_version = head.minor_version;
            }
            if let Some(request) = open.request
                && open.request_bytes.is_none()
                && is_last
            {
                open.request_bytes = found.peer_position.checked_sub(request.position);
            }
            open.response_ends_at = found
                .expected
                .and_then(|bytes| found.position.checked_add(bytes));
            if let Some(end) = open.response_ends_at
                && end <= found.segment_end
            {
                // All of it came with its head.
                open.response_end = Some(End {
                    position: Some(end),
                    time_ns: found.end_time_ns,
                });
            }
        }
        index
    }

    /// A final response begins: those before it on the connection are over.
    fn end_those_before(
        &mut self,
        found: &FoundHead<'_>,
        known: Option<u32>,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) {
        while let Some(index) = self
            .open
            .first_of(found.slot)
            .filter(|first| Some(*first) != known)
        {
            let Some(open) = self.open.get_mut(index) else {
                return;
            };
            let later = match (open.number, found.exchange) {
                (Some(number), Some(answered)) => number.wrapping_sub(answered) < u32::MAX / 2,
                // An orphan says nothing about requests that wait.
                _ => open.response.is_none(),
            };
            if later {
                return;
            }
            if let Some(response) = open.response
                && open
                    .response_end
                    .is_none_or(|end| end.position != Some(found.position))
            {
                let seen = ago(found.time_ns, found.last_ago, self.limits.tick_ns);
                open.response_end = Some(End {
                    position: Some(found.position),
                    time_ns: seen.max(response.end_ns),
                });
            }
            self.hand_out(index, out);
        }
    }

    /// The exchange of the connection that has this number.
    fn find(&self, found: &FoundHead<'_>) -> Option<u32> {
        let number = found.exchange?;
        let mut at = self.open.first_of(found.slot);
        while let Some(index) = at {
            if self.open.get(index)?.number == Some(number) {
                return Some(index);
            }
            at = self.open.next_of(index);
        }
        None
    }

    /// The same, of which a part is still missing: one that has it already is over.
    fn find_without(
        &mut self,
        found: &FoundHead<'_>,
        has_it: impl Fn(&Open) -> bool,
        out: &mut impl FnMut(&ExchangeRecord<'_>),
    ) -> Option<u32> {
        let index = self.find(found)?;
        if self.open.get(index).is_some_and(has_it) {
            self.hand_out(index, out);
            return None;
        }
        Some(index)
    }

    fn add(&mut self, found: &FoundHead<'_>, head: &Head<'_>) -> u32 {
        let id = self.begun;
        self.begun += 1;
        let session = self.session(found, head);
        let is_request = matches!(head.start, StartLine::Request { .. });
        let (client, server) = if is_request {
            (head.source, head.destination)
        } else {
            (head.destination, head.source)
        };
        let role = match head.kind {
            Kind::ClientQuery | Kind::ClientResponse => Role::Server,
            Kind::ServerQuery | Kind::ServerResponse => Role::Client,
        };
        self.open.add(|text| {
            let mut open = Open::new(text, client, server, role);
            (open.id, open.number) = (id, found.exchange);
            (open.slot, open.generation) = (found.slot, found.generation);
            open.session = session;
            open.touched_ns = found.time_ns;
            open
        })
    }

    /// Whether nothing more is to be learned of the exchange.
    fn is_over(&self, index: u32) -> bool {
        self.open.get(index).is_some_and(|open| {
            let early = open.number.is_some() && open.request.is_none();
            match (open.response, open.response_end) {
                (Some(_), Some(_)) => !early,
                (Some(_), None) => open.outcome() == Outcome::Opaque,
                (None, _) => false,
            }
        })
    }

    fn part(&self, found: &FoundHead<'_>, head: &Head<'_>, index: u32) -> Part {
        let open = self.open.get(index);
        let latency_us = match found.start {
            StartLine::Request { .. } => None,
            StartLine::Response { .. } => open
                .and_then(|open| open.request)
                .map(|request| found.time_ns.saturating_sub(request.end_ns) / 1000),
        };
        Part {
            session: open.map_or_else(|| self.session(found, head), |open| open.session),
            exchange: Identifier::new(self.run, open.map_or(u64::MAX, |open| open.id)),
            latency_us,
        }
    }

    /// The session that the head was given, or one named after its connection. No name of a flow begins
    /// with that bit.
    fn session(&self, found: &FoundHead<'_>, head: &Head<'_>) -> Identifier {
        const OF_CONNECTION: u64 = 1 << 63;
        head.session_id.unwrap_or_else(|| {
            let number = u64::from(found.slot) << 32 | u64::from(found.generation);
            Identifier::new(self.run, OF_CONNECTION | number)
        })
    }
}

fn seen(found: &FoundHead<'_>, head: &Head<'_>) -> Seen {
    Seen {
        time_ns: head.time_ns,
        begin_ns: found.time_ns,
        end_ns: found.end_time_ns,
        position: found.position,
        cpu: found.cpu,
    }
}

/// The time of what a packet at `time_ns` says was so many ticks ago; the packet's own time when that is
/// longer than can be told.
fn ago(time_ns: u64, ticks: u16, tick_ns: u64) -> u64 {
    match ticks {
        u16::MAX => time_ns,
        ticks => time_ns.saturating_sub(u64::from(ticks) * tick_ns),
    }
}

#[cfg(test)]
mod tests;
