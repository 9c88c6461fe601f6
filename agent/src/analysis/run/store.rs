//! Exchanges of the store as entries.

use std::path::Path;

use super::worker::Worker;
use super::{Options, Range};
use crate::analysis::format::Entry;
use crate::analysis::format::escape::undo;
use crate::analysis::report::{Source, SourceState};
use crate::http::exchange::record::{ExchangeRecord, Outcome};
use crate::store::{Common, ExchangeFilter, Order, ReadError, Store};

/// Exchanges that are read at a time.
const PAGE: usize = 2000;

/// Reads the exchanges of the time that was asked for.
pub(super) fn read(directory: &Path, options: &Options, worker: &mut Worker<'_>) -> Source {
    let mut source = Source {
        name: directory.to_string_lossy().into_owned(),
        formats: vec!["store".to_owned()],
        ..Source::default()
    };
    worker.begin_store();
    let result = pages(directory, options, worker);
    let found = worker.finish();
    source.lines.read = found.read;
    source.lines.parsed = found.parsed;
    source.lines.counted = found.counted;
    source.lines.left_out = found.left_out;
    match result {
        Ok(()) if found.read == 0 => source.state = SourceState::Empty,
        Ok(()) => {}
        Err(error) => {
            source.state = match found.read {
                0 => SourceState::Unread,
                _ => SourceState::Partial,
            };
            source.problem = Some(error.to_string());
        }
    }
    source
}

fn pages(directory: &Path, options: &Options, worker: &mut Worker<'_>) -> Result<(), ReadError> {
    let store = Store::open(directory)?;
    let range = both(options.range, options.before);
    let filter = ExchangeFilter {
        common: Common {
            since: range.since,
            until: range.until,
            ..Common::default()
        },
        ..ExchangeFilter::default()
    };
    let mut after = None;
    loop {
        let page = store.exchanges(&filter, Order::Oldest, after, PAGE)?;
        for record in page.exchanges() {
            take(&record, worker);
        }
        after = page.next();
        if page.len() < PAGE || after.is_none() {
            return Ok(());
        }
    }
}

/// From the earlier begin to the later end.
fn both(range: Range, before: Option<Range>) -> Range {
    let Some(before) = before else { return range };
    Range {
        since: range
            .since
            .zip(before.since)
            .map(|(own, other)| own.min(other)),
        until: range
            .until
            .zip(before.until)
            .map(|(own, other)| own.max(other)),
    }
}

fn take(record: &ExchangeRecord<'_>, worker: &mut Worker<'_>) {
    let client = record.src_ip.to_string();
    let text = |text: Option<&'_ str>| -> Vec<u8> {
        let mut bytes = Vec::new();
        undo(text.unwrap_or_default().as_bytes(), &mut bytes);
        bytes
    };
    let [method, target, host, referrer, agent] = [
        record.method,
        record.target,
        record.host,
        record.referer,
        record.user_agent,
    ]
    .map(text);
    worker.entry(&Entry {
        time_us: Some(record.ts.as_microsecond()),
        client: client.as_bytes(),
        method: &method,
        target: &target,
        host: &host,
        referrer: &referrer,
        user_agent: &agent,
        status: record.status,
        bytes: record.response_bytes,
        latency_us: record.ttfb_us,
        unanswered: record.outcome == Outcome::Unanswered,
        event: None,
    });
}
