//! Requests of a log as exchanges of the store, so that the API and the dashboard show them as they
//! show captured ones. What a log does not tell (ports, the server's address) is 0.

use std::net::{IpAddr, Ipv4Addr};
use std::str;

use jiff::Timestamp;

use crate::analysis::format::Entry;
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::http::head::{Fields, StartLine};
use crate::http::redact::{Redactor, Texts};
use crate::session::identifier::Identifier;
use crate::sink::batch::{Batch, BatchFull};
use crate::sink::log::text::append_plain;

/// Bytes of a text that are stored at most.
const LONGEST: usize = 8 << 10;

/// Makes exchanges of entries.
#[derive(Debug)]
pub(super) struct Records {
    redactor: Redactor,
    /// Texts as they are stored, used again.
    texts: [Vec<u8>; 5],
}

/// Where a line stands, which names its exchange: the same line has the same name at every start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// A number that the line and its file give.
    pub(super) of_line: u64,
    /// Where it begins.
    pub(super) offset: u64,
}

impl Records {
    /// `redactor` takes secrets out of targets and referrers.
    pub(super) fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            texts: Default::default(),
        }
    }

    /// Puts the exchange of an entry into the batch; false: it is no request, or has no time.
    ///
    /// # Errors
    /// The batch is full.
    pub(super) fn push(
        &mut self,
        entry: &Entry<'_>,
        place: Place,
        batch: &mut Batch,
    ) -> Result<bool, BatchFull> {
        let time = entry.time_us.map(Timestamp::from_microsecond);
        let (Some(Ok(ts)), true) = (time, entry.is_request()) else {
            return Ok(false);
        };
        let without_secrets = self.redactor.texts(Texts {
            line: entry.target,
            start: StartLine::Request {
                method: b"",
                target: entry.target,
            },
            fields: Fields {
                host: present(entry.host),
                user_agent: None,
                referer: present(entry.referrer),
                content_length: None,
                content_type: None,
                traceparent: None,
            },
            raw_fields: b"",
            partial: false,
        });
        let target = match without_secrets.start {
            StartLine::Request { target, .. } => target,
            StartLine::Response { .. } => b"",
        };
        let sources = [
            Some(entry.method),
            Some(target),
            without_secrets.fields.host,
            present(entry.user_agent),
            without_secrets.fields.referer,
        ];
        for (text, source) in self.texts.iter_mut().zip(sources) {
            text.clear();
            let source = source.unwrap_or_default();
            append_plain(&source[..source.len().min(LONGEST)], text);
        }
        // What was made harmless is UTF-8.
        let texts = self.texts.each_ref().map(|text| {
            let text = str::from_utf8(text).unwrap_or_default();
            Some(text).filter(|text| !text.is_empty())
        });
        let [method, target, host, user_agent, referer] = texts;
        let outcome = match entry.status {
            Some(_) => Outcome::Complete,
            None => Outcome::Unanswered,
        };
        batch.push_exchange(&ExchangeRecord {
            exchange_id: Identifier::new(place.of_line, place.offset),
            session_id: None,
            ts,
            role: Role::Server,
            outcome,
            src_ip: address(entry.client),
            src_port: 0,
            dst_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            dst_port: 0,
            method,
            target,
            version: "HTTP/1.1",
            host,
            user_agent,
            referer,
            status: entry.status,
            content_type: None,
            ttfb_us: entry.latency_us,
            total_us: entry.latency_us,
            request_bytes: None,
            response_bytes: entry.bytes,
            interim_status: None,
            traceparent: None,
            headers: None,
            partial: false,
            cpu_id: 0,
            reply_cpu_id: None,
        })?;
        Ok(true)
    }
}

/// A value that is there.
fn present(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|text| !text.is_empty() && *text != b"-")
}

/// The client's address; of one that is named otherwise, none.
fn address(client: &[u8]) -> IpAddr {
    let text = str::from_utf8(client).unwrap_or_default();
    // Heads name the port too.
    let text = text.split('#').next().unwrap_or_default();
    text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::redact::RedactSettings;

    #[test]
    fn a_line_is_an_exchange() {
        let mut records = Records::new(Redactor::new(&RedactSettings::default(), &[]));
        let mut batch = Batch::default();
        let entry = Entry {
            time_us: Some(1_800_000_000_000_000),
            client: b"203.0.113.7",
            method: b"GET",
            target: b"/a?token=x&page=2\x1b[0m",
            user_agent: b"-",
            status: Some(404),
            bytes: Some(12),
            latency_us: Some(1500),
            ..Entry::default()
        };
        let place = Place {
            of_line: 7,
            offset: 9,
        };
        assert_eq!(records.push(&entry, place, &mut batch), Ok(true));
        let nothing = Entry {
            time_us: None,
            ..entry
        };
        assert_eq!(records.push(&nothing, place, &mut batch), Ok(false));
        let exchange = batch.exchange(0).unwrap();
        assert_eq!(exchange.target, Some("/a?token=REDACTED&page=2\\x1b[0m"));
        assert_eq!(exchange.src_ip, IpAddr::from([203, 0, 113, 7]));
        assert_eq!((exchange.user_agent, exchange.host), (None, None));
        assert_eq!(exchange.status, Some(404));
        assert_eq!(exchange.exchange_id, Identifier::new(7, 9));
        assert_eq!(batch.len(), 1);
    }
}
