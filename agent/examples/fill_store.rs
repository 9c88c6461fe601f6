//! Fills a store with exchanges and sessions of the last hours, as a busy site has them, to measure what
//! reads it: `cargo run --release --example fill_store -- FOLDER [EXCHANGES] [HOURS]`, 10 million over 24 hours
//! unless told otherwise. Waits until days that are over have their indexes.

#![expect(clippy::print_stderr, reason = "it says how far it is")]

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::Connection;
use tapline::http::exchange::record::{ExchangeRecord, Outcome, Role};
use tapline::session::identifier::Identifier;
use tapline::session::record::{Protocol, SessionDetails, SessionRecord};
use tapline::sink::fan_out::FanOut;
use tapline::sink::sqlite::{OnFull, Retain, SqliteSettings, SqliteSink};

/// How long indexes may take.
const PATIENCE: Duration = Duration::from_secs(1200);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder")?);
    let count: u64 = arguments
        .next()
        .map_or(Ok(10_000_000), |text| text.parse())?;
    let hours: i64 = arguments.next().map_or(Ok(24), |text| text.parse())?;
    let sink = SqliteSink::start(SqliteSettings {
        directory: folder.clone(),
        retain: Retain::default(),
        on_full: OnFull::Block,
        ..SqliteSettings::default()
    })?;
    let mut fan_out = FanOut::new(vec![Box::new(sink)]);
    let now = Timestamp::now().as_microsecond();
    let first = now - hours * 3_600_000_000;
    let begun = Instant::now();
    for number in 0..count {
        let share =
            u128::from(number) * (now - first).unsigned_abs() as u128 / u128::from(count.max(1));
        let time = Timestamp::from_microsecond(first + i64::try_from(share)?)?;
        push(&mut fan_out, number, time);
        if number % 1_000_000 == 999_999 {
            eprintln!(
                "{} exchanges in {:.0} s",
                number + 1,
                begun.elapsed().as_secs_f64()
            );
        }
    }
    for (name, counts) in fan_out.close() {
        eprintln!("{name}: {} stored", counts.stored);
    }
    wait_for_indexes(&folder)
}

/// Lets the thread that tidies up do what it does at the first look.
fn wait_for_indexes(folder: &Path) -> Result<(), Box<dyn Error>> {
    let sink = SqliteSink::start(SqliteSettings {
        directory: folder.to_owned(),
        ..SqliteSettings::default()
    })?;
    let today = format!("tapline-{}.db", Timestamp::now().strftime("%Y%m%d"));
    let begun = Instant::now();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(".db") || name >= today {
            continue;
        }
        let database = Connection::open(&path)?;
        while begun.elapsed() < PATIENCE {
            let found: i64 = database.query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'exchanges_by_host'",
                [],
                |row| row.get(0),
            )?;
            if found > 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        eprintln!("{name} has its indexes");
    }
    // Whatever follows the last index is done when it is closed.
    std::thread::sleep(Duration::from_secs(2));
    drop(sink);
    Ok(())
}

/// Numbers that look drawn, and are the same each time.
fn drawn(number: u64, what: u64) -> u64 {
    let mut bits =
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits = (bits ^ bits >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ bits >> 32
}

/// One of so many, the first far more often than the last.
fn one_of(number: u64, what: u64, count: u64) -> u64 {
    let part = (drawn(number, what) >> 11) as f64 / (1_u64 << 53) as f64;
    ((count as f64).powf(part) - 1.0) as u64 % count
}

fn address(number: u64) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 | (number.wrapping_mul(2_654_435_761) as u32 >> 8)).into()
}

fn push(fan_out: &mut FanOut, number: u64, time: Timestamp) {
    const PLACES: [&str; 12] = [
        "/",
        "/items",
        "/items/{}",
        "/users/{}",
        "/users/{}/orders",
        "/orders/{}",
        "/cart",
        "/search?q={}",
        "/static/app.js",
        "/static/{}.css",
        "/api/v2/stock/{}",
        "/login",
    ];
    let place = one_of(number, 1, 60);
    let id = (drawn(number, 2) % 1_000_000).to_string();
    let target = format!(
        "/s{}{}",
        place / 12,
        PLACES[place as usize % 12].replace("{}", &id)
    );
    let host = format!("h{}.example.com", one_of(number, 3, 40));
    let agent = format!(
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0 Safari/537.36",
        one_of(number, 4, 300)
    );
    let client = address(one_of(number, 5, 20_000));
    let luck = drawn(number, 6) % 1000;
    let status = match luck {
        0..=4 => 503,
        5..=9 => 500,
        10..=49 => 404,
        50..=119 => 304,
        _ => 200,
    };
    let latency = 300 + one_of(number, 7, 2_000_000);
    let session_id = Identifier::new(0x5eed, number / 10);
    fan_out.push_exchange(&ExchangeRecord {
        exchange_id: Identifier::new(0x5eed, 1 << 62 | number),
        session_id: Some(session_id),
        ts: time,
        role: if luck % 10 == 3 {
            Role::Client
        } else {
            Role::Server
        },
        outcome: Outcome::Complete,
        src_ip: client,
        src_port: 1024 + (number / 10 % 60_000) as u16,
        dst_ip: address(0),
        dst_port: 80,
        method: Some(if luck.is_multiple_of(7) {
            "POST"
        } else {
            "GET"
        }),
        target: Some(&target),
        version: "HTTP/1.1",
        host: Some(&host),
        user_agent: Some(&agent),
        referer: None,
        status: Some(status),
        content_type: Some("application/json"),
        ttfb_us: Some(latency),
        total_us: Some(latency + 100),
        request_bytes: Some(200 + luck),
        response_bytes: Some(1000 + one_of(number, 8, 100_000)),
        interim_status: None,
        traceparent: None,
        headers: None,
        partial: false,
        cpu_id: (number % 4) as u32,
        reply_cpu_id: Some((number % 3) as u32),
    });
    if number % 10 == 9 {
        fan_out.push_session(&SessionRecord {
            protocol: Protocol::Tcp,
            src_ip: client,
            src_port: 1024 + (number / 10 % 60_000) as u16,
            dst_ip: address(0),
            dst_port: 80,
            packets: 60,
            bytes: 40_000,
            cpu_id: (number / 10 % 4) as u32,
            timestamp: time,
            details: Some(SessionDetails {
                session_id,
                revision: 1,
                interim: false,
                ended_at: time,
                duration_us: 100_000,
                packets_out: 30,
                packets_in: 30,
                bytes_out: 4_000,
                bytes_in: 36_000,
                orig_bytes: 2_000,
                resp_bytes: 34_000,
                missed_bytes: 0,
                reply_cpu_id: Some((number / 10 % 3) as u32),
                conn_state: "SF",
                history: "ShADadFf",
                retransmits: 0,
                rtt_us: Some(150),
                http_requests: 10,
                http_errors: luck % 2,
                ifname: "eth0",
            }),
        });
    }
}
