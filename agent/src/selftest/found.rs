//! What was written, read back: JSON lines from a folder of logs, exchanges and sessions from the store.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;

use super::score::{Found, FoundExchange, FoundHead, FoundSession, stamp_of};
use crate::store::{ExchangeFilter, Order, SessionFilter, Store};

/// Everything in these two folders.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn read(logs: &Path, data: &Path) -> anyhow::Result<Found> {
    let mut found = Found {
        heads: heads(logs)?,
        ..Found::default()
    };
    let store = Store::open(data)?;
    let page = store.exchanges(&ExchangeFilter::default(), Order::Oldest, None, usize::MAX)?;
    for record in page.exchanges() {
        found.exchanges.push(FoundExchange {
            source: SocketAddr::new(record.src_ip, record.src_port),
            destination: SocketAddr::new(record.dst_ip, record.dst_port),
            stamp: stamp_of(record.target, record.host),
            outcome: record.outcome.name().to_owned(),
            status: record.status,
            interim_status: record.interim_status,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            ttfb_us: record.ttfb_us,
            total_us: record.total_us,
        });
    }
    let page = store.sessions(&SessionFilter::default(), Order::Oldest, None, usize::MAX)?;
    for record in page.sessions() {
        let Some(details) = record.details else {
            continue;
        };
        found.sessions.push(FoundSession {
            protocol: record.protocol.name().to_owned(),
            source: SocketAddr::new(record.src_ip, record.src_port),
            destination: SocketAddr::new(record.dst_ip, record.dst_port),
            packets: [details.packets_out, details.packets_in],
            bytes: [details.bytes_out, details.bytes_in],
            payload: [details.orig_bytes, details.resp_bytes],
            conn_state: details.conn_state.to_owned(),
            http_requests: details.http_requests,
        });
    }
    Ok(found)
}

fn heads(logs: &Path) -> anyhow::Result<Vec<FoundHead>> {
    let mut heads = Vec::new();
    let folder = || format!("cannot read the lines in {}", logs.display());
    for entry in fs::read_dir(logs).with_context(folder)? {
        let path = entry.with_context(folder)?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(folder)?;
        for line in text.lines() {
            heads.push(serde_json::from_str(line).with_context(folder)?);
        }
    }
    Ok(heads)
}
