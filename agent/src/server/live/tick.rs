//! What is shown each second: made once, half a second after a second has ended, so that what came in it
//! is stored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::numbers::{self, History, MINUTE, Minute, Seen};
use super::points::{Point, points};
use crate::alerts::machine::State;
use crate::http::exchange::record::{ExchangeRecord, Role};
use crate::server::Snapshot;
use crate::server::hub::Hub;
use crate::session::identifier::Identifier;
use crate::store::{ExchangeFilter, Order, Store};

/// After the end of a second.
const AFTER: Duration = Duration::from_millis(500);

/// The newest exchanges that are shown.
const RECENT: usize = 10;

/// Characters of a target that are shown.
const TARGET_MOST: usize = 200;

/// Makes ticks while somebody looks on, until the server stops.
pub(in crate::server) async fn run(hub: Hub) {
    let mut stopped = hub.stopped();
    let mut history = History::default();
    let ticking = async {
        loop {
            hub.live().wanted().await;
            let tick = tick(&hub, &mut history).await;
            hub.live().show(tick);
            tokio::time::sleep(until_next(since_epoch())).await;
        }
    };
    tokio::select! {
        () = ticking => {}
        _ = stopped.changed() => {}
    }
}

/// How long it is to the next tick.
fn until_next(now: Duration) -> Duration {
    const SECOND: Duration = Duration::from_secs(1);
    let within = Duration::from_nanos(u64::from(now.subsec_nanos()));
    match AFTER.checked_sub(within) {
        Some(rest) if !rest.is_zero() => rest,
        _ => SECOND + AFTER - within,
    }
}

fn since_epoch() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

#[derive(Serialize)]
struct Tick<'a> {
    now: String,
    second: Seen,
    minute: Minute,
    /// The newest of each chart; empty without a store.
    points: Vec<Point>,
    active_sessions: Option<u64>,
    lost: Option<u64>,
    cpus: Vec<Cpu>,
    #[serde(borrow)]
    recent: &'a serde_json::value::RawValue,
    alerts: Alerts,
}

/// Since the start.
#[derive(Serialize)]
struct Cpu {
    cpu: u32,
    packets: u64,
    heads: u64,
    lost: u64,
}

#[derive(Serialize)]
struct Alerts {
    firing: usize,
    pending: usize,
}

/// One of the newest exchanges.
#[derive(Serialize)]
struct Recent<'a> {
    exchange_id: Identifier,
    ts: Timestamp,
    method: Option<&'a str>,
    host: Option<&'a str>,
    target: Option<&'a str>,
    status: Option<u16>,
    ttfb_us: Option<u64>,
    src_ip: std::net::IpAddr,
    role: Role,
}

/// An event.
async fn tick(hub: &Hub, history: &mut History) -> Bytes {
    let snapshot = hub.snapshot().await.ok();
    let end = i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX);
    let stored = hub.read(move |store| {
        let seconds = store.sums_by_second(end - MINUTE, end)?;
        let (second, minute) = numbers::of_store(&seconds, end);
        let points = points(store, &seconds, end)?;
        Ok((second, minute, points, recent(store)?))
    });
    let (second, minute, points, recent) = match (stored.await, &snapshot) {
        (Some(stored), _) => stored,
        (None, Some(snapshot)) if hub.api().is_none() => {
            let (second, minute) = history.add(end, snapshot);
            (second, minute, Vec::new(), None)
        }
        (None, _) => Default::default(),
    };
    let recent = recent.unwrap_or_else(empty);
    let tick = Tick {
        now: Timestamp::now().to_string(),
        second,
        minute,
        points,
        active_sessions: snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.sessions.as_ref())
            .map(|sessions| sessions.active),
        lost: snapshot.as_ref().map(Snapshot::lost),
        cpus: snapshot.as_ref().map(cpus).unwrap_or_default(),
        recent: &recent,
        alerts: alerts(hub),
    };
    let mut event = b"event: tick\ndata: ".to_vec();
    // What cannot be written is an empty event, which no viewer takes for numbers.
    if serde_json::to_writer(&mut event, &tick).is_err() {
        event.truncate(0);
    }
    event.extend_from_slice(b"\n\n");
    event.into()
}

fn alerts(hub: &Hub) -> Alerts {
    let board = hub.board();
    Alerts {
        firing: board.count(State::Firing),
        pending: board.count(State::Pending),
    }
}

fn empty() -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::NULL.to_owned()
}

fn cpus(snapshot: &Snapshot) -> Vec<Cpu> {
    let cpus = snapshot.cpus.iter().map(|cpu| Cpu {
        cpu: cpu.number,
        packets: cpu.packets(),
        heads: cpu.heads.iter().sum(),
        lost: cpu.lost(),
    });
    cpus.collect()
}

/// The newest exchanges, as JSON.
fn recent(
    store: &Store,
) -> Result<Option<Box<serde_json::value::RawValue>>, crate::store::ReadError> {
    let page = store.exchanges(&ExchangeFilter::default(), Order::Newest, None, RECENT)?;
    let shown: Vec<Recent<'_>> = page.exchanges().map(shown).collect();
    Ok(serde_json::value::to_raw_value(&shown).ok())
}

fn shown(record: ExchangeRecord<'_>) -> Recent<'_> {
    Recent {
        exchange_id: record.exchange_id,
        ts: record.ts,
        method: record.method,
        host: record.host,
        target: record.target.map(beginning),
        status: record.status,
        ttfb_us: record.ttfb_us,
        src_ip: record.src_ip,
        role: record.role,
    }
}

/// So many characters at most.
fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(TARGET_MOST);
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_half_a_second_after_each_second() {
        let check = |milliseconds, expected| {
            let wait = until_next(Duration::from_millis(milliseconds));
            assert_eq!(wait, Duration::from_millis(expected), "{milliseconds}");
        };
        check(7_000, 500);
        check(7_499, 1);
        check(7_500, 1_000);
        check(7_501, 999);
        check(7_999, 501);
    }

    #[test]
    fn a_long_target_is_cut_between_characters() {
        assert_eq!(beginning("/ä"), "/ä");
        let long = "ä".repeat(9_000);
        assert_eq!(beginning(&long).chars().count(), TARGET_MOST);
    }
}
