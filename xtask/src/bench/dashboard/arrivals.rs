//! Exchanges that arrive meanwhile, ten arrays a second.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail};
use serde::Serialize;

use super::connection::Connection;

/// Arrays a second.
const ARRAYS: u64 = 10;

/// What arrived.
#[derive(Debug, Default, Serialize)]
pub(super) struct Arrived {
    pub(super) records: u64,
    pub(super) seconds: f64,
    pub(super) records_a_second: f64,
}

/// Sends so many exchanges a second until it is told to stop.
///
/// # Errors
/// They were not stored.
pub(super) fn send(address: SocketAddr, rate: u64, stop: &AtomicBool) -> Result<Arrived> {
    let mut arrived = Arrived::default();
    let begun = Instant::now();
    if rate == 0 {
        return Ok(arrived);
    }
    let mut connection = Connection::open(address)?;
    let mut arrays = 0;
    let run = now_seconds() as u64;
    while !stop.load(Ordering::Relaxed) {
        let due = begun + Duration::from_secs_f64(arrays as f64 / ARRAYS as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        arrays += 1;
        let count = rate / ARRAYS;
        let body = array(run, arrived.records, count);
        let (status, answer) = connection.post("/api/exchanges", body.as_bytes())?;
        if status != 201 {
            bail!(
                "records were answered {status}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        arrived.records += count;
    }
    arrived.seconds = begun.elapsed().as_secs_f64();
    arrived.records_a_second = arrived.records as f64 / arrived.seconds;
    Ok(arrived)
}

/// Exchanges of now, spread over a tenth of a second.
fn array(run: u64, first: u64, count: u64) -> String {
    let now = now_seconds() - 1.0 / ARRAYS as f64;
    let objects: Vec<String> = (0..count)
        .map(|index| {
            let number = first + index;
            let ts = rfc_3339(now + index as f64 / (count * ARRAYS) as f64);
            let some = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            format!(
                "{{\"exchange_id\":\"{run:016x}{number:016x}\",\"ts\":\"{ts}\",\"role\":\"server\",\"outcome\":\"complete\",\
                 \"src_ip\":\"10.1.{}.{}\",\"src_port\":{},\"dst_ip\":\"10.0.0.1\",\"dst_port\":80,\"method\":\"GET\",\
                 \"target\":\"/s{}/items/{}\",\"version\":\"HTTP/1.1\",\"host\":\"h{}.example.com\",\
                 \"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) Chrome/{}.0\",\"status\":{},\"ttfb_us\":{},\
                 \"total_us\":9000,\"request_bytes\":210,\"response_bytes\":1400,\"cpu_id\":0,\"reply_cpu_id\":0}}",
                some % 16,
                some / 16 % 250,
                1024 + some % 60_000,
                some % 5,
                some % 100_000,
                some % 40,
                some % 200,
                if some.is_multiple_of(50) { 500 } else { 200 },
                300 + some % 8000,
            )
        })
        .collect();
    format!("[{}]", objects.join(","))
}

/// Seconds since 1970.
pub(super) fn now_seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// The time as text, with microseconds, in UTC.
pub(super) fn rfc_3339(seconds: f64) -> String {
    let whole = seconds as u64;
    let (mut day, second) = (whole / 86_400, whole % 86_400);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    format!(
        "{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        day + 1,
        second / 3600,
        second / 60 % 60,
        second % 60,
        (seconds.fract() * 1e6) as u64
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |seconds: f64, text: &str| assert_eq!(rfc_3339(seconds), text);
        check(0.0, "1970-01-01T00:00:00.000000Z");
        check(951_782_400.5, "2000-02-29T00:00:00.500000Z");
        check(1_798_761_599.0, "2026-12-31T23:59:59.000000Z");
        check(1_795_264_067.25, "2026-11-21T12:27:47.250000Z");
    }

    #[test]
    fn arrays_are_json() {
        let array: serde_json::Value = serde_json::from_str(&array(7, 3, 20)).unwrap_or_default();
        assert_eq!(array.as_array().map(Vec::len), Some(20));
    }
}
