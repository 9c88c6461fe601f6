//! The record of an exchange that is over.

use jiff::Timestamp;

use super::super::open::Text;
use super::super::record::{ExchangeRecord, Outcome};
use super::Pairing;
use crate::session::identifier::Identifier;

/// A response whose request was lost comes within this time, nearly always.
const REQUEST_AGO_NS: u64 = 10_000_000_000;

impl Pairing {
    /// Whether what an exchange that begins at `begin_ns` lacks may be among the records that were lost.
    fn may_be_lost(&self, outcome: Outcome, begin_ns: u64) -> bool {
        self.lost_ns.is_some_and(|lost_ns| match outcome {
            Outcome::Unanswered => lost_ns >= begin_ns,
            Outcome::Orphan => lost_ns.saturating_add(REQUEST_AGO_NS) >= begin_ns,
            _ => false,
        })
    }

    /// Hands out an exchange as it is, and forgets it.
    pub(super) fn hand_out(&mut self, index: u32, out: &mut impl FnMut(&ExchangeRecord<'_>)) {
        let Some(open) = self.open.get(index) else {
            return;
        };
        let (asked, answered) = (open.request.is_some(), open.response.is_some());
        self.counts.open_requests -= u64::from(asked);
        self.counts.open_responses -= u64::from(answered);
        match (asked, answered) {
            (true, true) => self.counts.answered += 1,
            (true, false) => self.counts.unanswered += 1,
            (false, true) => self.counts.orphans += 1,
            (false, false) => {}
        }
        let first = open.request.or(open.response);
        // Interim responses alone to a request that was not seen are none of anybody.
        if let Some(first) = first {
            let outcome = open.outcome();
            let since = |time_ns: u64| {
                open.request
                    .map(|request| time_ns.saturating_sub(request.end_ns) / 1000)
            };
            let response_bytes = match (open.response_begin, open.response_end) {
                (Some(begin), Some(end)) if outcome != Outcome::Opaque => {
                    end.position.and_then(|end| end.checked_sub(begin))
                }
                _ => None,
            };
            out(&ExchangeRecord {
                exchange_id: Identifier::new(self.run, open.id),
                session_id: Some(open.session),
                ts: Timestamp::from_nanosecond(first.time_ns.into()).unwrap_or_default(),
                role: open.role,
                outcome,
                src_ip: open.client.ip(),
                src_port: open.client.port(),
                dst_ip: open.server.ip(),
                dst_port: open.server.port(),
                method: open.noted(Text::Method),
                target: open.noted(Text::Target),
                version: match open.minor_version {
                    None => "",
                    Some(0) => "HTTP/1.0",
                    Some(_) => "HTTP/1.1",
                },
                host: open.noted(Text::Host),
                user_agent: open.noted(Text::UserAgent),
                referer: open.noted(Text::Referer),
                status: open.status,
                content_type: open.noted(Text::ContentType),
                ttfb_us: open.response.and_then(|response| since(response.begin_ns)),
                total_us: match outcome {
                    Outcome::Opaque => None,
                    _ => open.response_end.and_then(|end| since(end.time_ns)),
                },
                request_bytes: open.request_bytes,
                response_bytes,
                interim_status: open.interim_status,
                traceparent: open.noted(Text::Traceparent),
                // It was made as JSON.
                headers: open
                    .noted(Text::Headers)
                    .and_then(|text| serde_json::from_str(text).ok()),
                partial: open.partial || self.may_be_lost(outcome, first.begin_ns),
                cpu_id: first.cpu,
                reply_cpu_id: open.response.map(|response| response.cpu),
            });
        }
        self.open.remove(index);
    }
}
