//! What becomes of a head, and of a flow, on its way to the sinks.

use std::fs;
use std::path::Path;

use agent_common::flow::{FlowRecord, flow_name, seen};
use agent_common::record::FIRST_POSITION;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;
use crate::capture::flows::{IdleLimits, TakeFlow as _, Taken, When};
use crate::host::shared::shared;
use crate::http::engine::{Engine, Limits as EngineLimits};
use crate::http::exchange::pairing::Limits;
use crate::http::head::Fields;
use crate::http::redact::RedactSettings;
use crate::session::table::SessionSettings;
use crate::sink::log::{Format, LogSettings, Output as Place};
use crate::sink::sqlite::{SqliteSettings, SqliteSink};
use crate::store::{ExchangeFilter, Order, SessionFilter, Store};

const RAW: &[u8] = b"Authorization: Basic c2VjcmV0\r\nCookie: c=c2VjcmV0\r\n\
    Location: http://c2VjcmV0@h/?sig=c2VjcmV0\r\nReferer: http://c2VjcmV0@r/?pwd=c2VjcmV0\r\n";

fn found() -> FoundHead<'static> {
    FoundHead {
        time_ns: 1_567_315_011_002_000_000,
        end_time_ns: 1_567_315_011_002_000_000,
        exchange: Some(0),
        expected: None,
        segment_end: 0,
        peer_position: 0,
        last_ago: 0,
        peer_ago: 0,
        source: Ipv6Addr::LOCALHOST.octets(),
        source_port: 50_905,
        destination: Ipv6Addr::LOCALHOST.octets(),
        destination_port: 80,
        ifindex: 1,
        cpu: 0,
        vlan: [0, 0],
        outgoing: false,
        slot: 0,
        generation: 0,
        flow: 0,
        side: 0,
        position: 0,
        line: b"GET http://c2VjcmV0@h/a?token=c2VjcmV0&b=c HTTP/1.1",
        start: StartLine::Request {
            method: b"GET",
            target: b"http://c2VjcmV0@h/a?token=c2VjcmV0&b=c",
        },
        minor_version: Some(1),
        fields: Fields {
            host: Some(b"c2VjcmV0@h"),
            referer: Some(b"http://c2VjcmV0@r/?pwd=c2VjcmV0"),
            ..Fields::default()
        },
        raw_fields: RAW,
        partial: false,
    }
}

/// The lines of a head, from both sides, with every field asked for.
fn lines(format: Format, enabled: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let headers = ["Authorization", "Cookie", "Location", "Referer"].map(str::to_owned);
    let sink = LogSink::start(LogSettings {
        output: Place::Directory(folder.path().to_owned()),
        format,
        headers: headers.to_vec(),
        zone: Some(TimeZone::UTC),
        ..LogSettings::default()
    });
    let addresses = LocalAddresses::new(["::1/128".parse().unwrap()]);
    let settings = RedactSettings {
        enabled,
        ..RedactSettings::default()
    };
    let redactor = Redactor::new(&settings, &headers);
    let local = Local::Fixed(addresses);
    let mut writer = Writer::new(sink.unwrap(), local, Wall::Records, true, redactor);
    writer.head(&found());
    assert_eq!(writer.close().log.counts.stored, 2);
    let mut files = fs::read_dir(folder.path()).unwrap();
    fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap()
}

#[test]
fn no_sink_sees_a_secret() {
    for format in [Format::Classic, Format::Json] {
        let text = lines(format, true);
        assert!(
            text.contains("http://REDACTED@h/a?token=REDACTED&b=c"),
            "{text}"
        );
        assert!(!text.contains("c2VjcmV0"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
    let json = lines(Format::Json, true);
    assert!(
        json.contains(r#""headers":{"Authorization":"REDACTED","Cookie":"REDACTED","Location":"http://REDACTED@h/?sig=REDACTED","Referer":"http://REDACTED@r/?pwd=REDACTED"}"#),
        "{json}"
    );
    // Unless that was asked for.
    let text = lines(Format::Json, false);
    assert_eq!(text.matches("c2VjcmV0").count(), 2 * 11, "{text}");
}

#[test]
fn the_local_side_decides_the_kind() {
    use Kind::{ClientQuery as CQ, ClientResponse as CR, ServerQuery as SQ, ServerResponse as SR};
    let check = |is_request, source, destination, expected: (Kind, Option<Kind>, bool)| {
        let View {
            kind,
            other_kind,
            local,
        } = View::of(is_request, source, destination);
        assert_eq!((kind, other_kind, local), expected);
    };
    check(true, false, true, (CQ, None, true));
    check(true, true, false, (SQ, None, true));
    check(true, true, true, (CQ, Some(SQ), true));
    check(true, false, false, (CQ, None, false));
    check(false, true, false, (CR, None, true));
    check(false, false, true, (SR, None, true));
    check(false, true, true, (CR, Some(SR), true));
    check(false, false, false, (CR, None, false));
}

/// The clock is set forward by a quarter of an hour in the middle of a session.
#[test]
fn times_of_sessions_are_right_across_a_step_of_the_clock() {
    const SECOND: u64 = 1_000_000_000;
    const STEP: i64 = 900 * SECOND as i64;
    let folder = tempfile::tempdir().unwrap();
    // An hour ago, with the records' clock at 1000 s.
    let begin_us = Timestamp::now().as_microsecond() - 3_600_000_000;
    let offset = begin_us * 1_000 - 1_000 * SECOND as i64;
    let mut clock = ClockMap::new(offset);
    let (publisher, reader) = shared(clock.clone());
    let logs = tempfile::tempdir().unwrap();
    let mut writer = storing(folder.path(), logs.path(), Wall::Monotonic(reader));
    let engine = Engine::new(EngineLimits::default());
    let flow = |slot: u32, first_s: u64, last_s: u64, packets: u64| FlowRecord {
        slot,
        generation: 1,
        first_ns: first_s * SECOND,
        last_ns: last_s * SECOND,
        time_ns: last_s * SECOND,
        packets: [packets, 0],
        protocol: agent_common::counters::Protocol::Tcp as u8,
        why: agent_common::flow::why::ENDED,
        state: seen::ENDED,
        ..FlowRecord::default()
    };
    // A record before the step, and the last one behind it; beside it a session of after the step.
    let before = FlowRecord {
        state: 0,
        ..flow(1, 1_000, 1_010, 3)
    };
    assert_eq!(
        writer.found(&before, true, When::all_is_read(1_010 * SECOND), &engine),
        Taken::SoFar
    );
    assert!(clock.push(1_020 * SECOND, offset + STEP));
    publisher.publish(clock);
    writer.sent(&flow(1, 1_000, 1_030, 9), &engine);
    writer.sent(&flow(2, 1_025, 1_026, 2), &engine);
    let closed = writer.close();
    assert_eq!(
        (closed.sinks[0].1.stored, closed.sinks[0].1.lost_in_all()),
        (3, 0)
    );

    let store = Store::open(folder.path()).unwrap();
    let page = store
        .sessions(&SessionFilter::default(), Order::Oldest, None, 10)
        .unwrap();
    let told: Vec<(i64, i64, u64, u32)> = page
        .sessions()
        .map(|record| {
            let details = record.details.unwrap();
            let since = |time: Timestamp| time.as_microsecond() - begin_us;
            (
                since(record.timestamp),
                since(details.ended_at),
                details.duration_us,
                details.revision,
            )
        })
        .collect();
    let second = 1_000_000;
    // The first is one row: the step did not make two of it, and it lasted as long as it did.
    assert_eq!(
        told,
        [
            (0, 30 * second, 30 * second as u64, 2),
            (925 * second, 926 * second, second as u64, 1),
        ]
    );
}

/// A walk sees that a connection has ended before its last heads are read from the ring.
#[test]
fn a_flow_that_is_ahead_of_its_heads_waits() {
    const TIME_NS: u64 = 1_567_315_011_002_000_000;
    let folder = tempfile::tempdir().unwrap();
    let logs = tempfile::tempdir().unwrap();
    let mut writer = storing(folder.path(), logs.path(), Wall::Records);
    let engine = Engine::new(EngineLimits::default());
    let exchange = |writer: &mut Writer, number: u64, response_at: u64| {
        let request = FoundHead {
            exchange: Some(number as u32),
            flow: flow_name(0, 0),
            position: FIRST_POSITION + number * 100,
            peer_position: response_at,
            ..found()
        };
        writer.head(&request);
        writer.head(&FoundHead {
            start: StartLine::Response {
                status: 200,
                reason: b"OK",
            },
            line: b"HTTP/1.1 200 OK",
            source_port: request.destination_port,
            destination_port: request.source_port,
            position: response_at,
            peer_position: FIRST_POSITION + number * 100 + 100,
            segment_end: response_at + 50,
            side: 1,
            ..request
        });
    };
    exchange(&mut writer, 0, FIRST_POSITION);
    let flow = FlowRecord {
        slot: 0,
        generation: 0,
        source: Ipv6Addr::LOCALHOST.octets(),
        destination: Ipv6Addr::LOCALHOST.octets(),
        source_port_be: 50_905_u16.to_be_bytes(),
        destination_port_be: 80_u16.to_be_bytes(),
        first_ns: TIME_NS,
        last_ns: TIME_NS,
        packets: [6, 6],
        payload: [200, 1_000],
        protocol: agent_common::counters::Protocol::Tcp as u8,
        state: seen::ENDED | seen::SYN | seen::ANSWER << seen::SIDE_SHIFT,
        ..FlowRecord::default()
    };
    let when = |read_ns| When {
        now_ns: TIME_NS,
        read_ns,
    };
    let taken = writer.found(&flow, true, when(TIME_NS - 1), &engine);
    assert_eq!(taken, Taken::No);
    exchange(&mut writer, 1, FIRST_POSITION + 400);
    let taken = writer.found(&flow, true, when(TIME_NS), &engine);
    assert_eq!(taken, Taken::Final);
    let closed = writer.close();
    assert_eq!(closed.sinks[0].1.stored, 3);
    let store = Store::open(folder.path()).unwrap();
    let page = store
        .exchanges(&ExchangeFilter::default(), Order::Oldest, None, 10)
        .unwrap();
    let bytes: Vec<Option<u64>> = page
        .exchanges()
        .map(|record| record.response_bytes)
        .collect();
    assert_eq!(bytes, [Some(400), Some(600)]);
}

/// A writer whose lines go to `logs` and whose exchanges and sessions go to a store in `folder`.
fn storing(folder: &Path, logs: &Path, clock: Wall) -> Writer {
    let sink = LogSink::start(LogSettings {
        output: Place::Directory(logs.to_owned()),
        ..LogSettings::default()
    });
    let local = Local::Fixed(LocalAddresses::new([]));
    let store = SqliteSink::start(SqliteSettings {
        directory: folder.to_owned(),
        ..SqliteSettings::default()
    });
    let redactor = Redactor::new(&RedactSettings::default(), &[]);
    Writer::new(sink.unwrap(), local, clock, false, redactor)
        .with_exchanges(Exchanges::new(
            Pairing::new(7, Limits::default()),
            FanOut::new(vec![Box::new(store.unwrap())]),
        ))
        .with_sessions(SessionTable::new(
            7,
            SessionSettings {
                idle: IdleLimits::default(),
                interim_ns: Some(1_000_000_000),
                tick_ns: 4_000_000,
            },
        ))
}
