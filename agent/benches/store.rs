//! How many rows a second the store takes, with the indexes that a file being written has.
//! `cargo bench -p tapline --bench store -- [sessions] [exchanges]`: counts of rows, 5 million
//! sessions and 1 million exchanges unless told otherwise. Writes some gigabytes, and deletes them.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use jiff::Timestamp;
use tapline::http::exchange::record::{ExchangeRecord, Outcome, Role};
use tapline::session::identifier::Identifier;
use tapline::session::record::{Protocol, SessionDetails, SessionRecord};
use tapline::sink::fan_out::FanOut;
use tapline::sink::sqlite::{OnFull, SqliteSettings, SqliteSink};

fn main() {
    let mut counts = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let sessions = counts.next().unwrap_or(5_000_000);
    let exchanges = counts.next().unwrap_or(1_000_000);
    measure("sessions", sessions, |fan_out, number, time| {
        fan_out.push_session(&session(number, time));
    });
    measure("exchanges", exchanges, |fan_out, number, time| {
        fan_out.push_exchange(&exchange(number, time));
    });
}

/// Stores so many records, one every three microseconds of their own time, and says how that went.
fn measure(what: &str, count: u64, push: impl Fn(&mut FanOut, u64, Timestamp)) {
    if count == 0 {
        return;
    }
    let folder = match tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")) {
        Ok(folder) => folder,
        Err(error) => panic!("no folder can be made: {error}"),
    };
    let sink = SqliteSink::start(SqliteSettings {
        directory: folder.path().to_owned(),
        on_full: OnFull::Block,
        ..SqliteSettings::default()
    });
    let sink = match sink {
        Ok(sink) => sink,
        Err(error) => panic!("the store cannot be started: {error}"),
    };
    let handle = sink.handle();
    let mut fan_out = FanOut::new(vec![Box::new(sink)]);
    let first = Timestamp::now().as_microsecond() - 3 * count as i64;
    let start = Instant::now();
    let mut said = (start, 0);
    for number in 0..count {
        let Ok(time) = Timestamp::from_microsecond(first + 3 * number as i64) else {
            panic!("{number} is no time");
        };
        push(&mut fan_out, number, time);
        if number % 500_000 == 499_999 {
            let stored = handle.counts().stored;
            let rate = (stored - said.1) as f64 / said.0.elapsed().as_secs_f64();
            println!("{what}: {stored} stored, of late {rate:.0} rows/s");
            said = (Instant::now(), stored);
        }
    }
    let counts = fan_out.close();
    let seconds = start.elapsed().as_secs_f64();
    let stored = counts[0].1.stored;
    assert_eq!(stored, count, "{:?}", counts[0]);
    let bytes: u64 = std::fs::read_dir(folder.path())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    println!(
        "{what}: {stored} rows in {seconds:.1} s: {:.0} rows/s, {} bytes a row, {:.2} µs of CPU a row",
        stored as f64 / seconds,
        bytes / count,
        cpu_seconds() / count as f64 * 1e6
    );
}

/// CPU time that this process has used since it was last asked.
fn cpu_seconds() -> f64 {
    static BEFORE: std::sync::Mutex<f64> = std::sync::Mutex::new(0.0);
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a value of the type that the call fills in.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    let now = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    let mut before = match BEFORE.lock() {
        Ok(before) => before,
        Err(poisoned) => poisoned.into_inner(),
    };
    now - std::mem::replace(&mut *before, now)
}

/// Spreads numbers, so that addresses come in no order.
fn address(number: u64) -> IpAddr {
    let bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Ipv4Addr::from(0x0a00_0000 | bits as u32).into()
}

fn session(number: u64, time: Timestamp) -> SessionRecord<'static> {
    SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: address(number),
        src_port: 1024 + (number % 60_000) as u16,
        dst_ip: address(number % 100),
        dst_port: 443,
        packets: 10 + number % 100,
        bytes: 1_000 + number % 100_000,
        cpu_id: (number % 8) as u32,
        timestamp: time,
        details: Some(SessionDetails {
            session_id: Identifier::new(0x5eed_0000_1234_abcd, number),
            revision: 1,
            interim: false,
            ended_at: time,
            duration_us: 200_000,
            packets_out: 6 + number % 50,
            packets_in: 4 + number % 50,
            bytes_out: 500,
            bytes_in: 500 + number % 100_000,
            orig_bytes: 210,
            resp_bytes: 1_400,
            missed_bytes: 0,
            reply_cpu_id: Some(0),
            conn_state: "SF",
            history: "ShADadFf",
            retransmits: 0,
            rtt_us: Some(120),
            http_requests: 1,
            http_errors: 0,
            ifname: "eth0",
        }),
    }
}

fn exchange(number: u64, time: Timestamp) -> ExchangeRecord<'static> {
    ExchangeRecord {
        exchange_id: Identifier::new(0x5eed_0000_1234_abcd, number),
        session_id: Some(Identifier::new(0x5eed_0000_1234_abcd, number / 10)),
        ts: time,
        role: Role::Server,
        outcome: Outcome::Complete,
        src_ip: address(number),
        src_port: 1024 + (number % 60_000) as u16,
        dst_ip: address(7),
        dst_port: 80,
        method: Some("GET"),
        target: Some("/api/v1/items/12345?page=2&order=newest"),
        version: "HTTP/1.1",
        host: Some("shop.example.com"),
        user_agent: Some(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
        ),
        referer: None,
        status: Some(if number.is_multiple_of(50) { 404 } else { 200 }),
        content_type: Some("application/json"),
        ttfb_us: Some(500 + number % 5_000),
        total_us: Some(600 + number % 5_000),
        request_bytes: Some(210),
        response_bytes: Some(1_400),
        interim_status: None,
        traceparent: None,
        headers: None,
        partial: false,
        cpu_id: (number % 8) as u32,
        reply_cpu_id: Some(0),
    }
}
