//! What sessions look like, and that they stay what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use super::*;
use crate::generate::blocks::{self, RECORDS};
use crate::generate::schedule::Schedule;
use crate::generate::stop::Stop;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000;

fn maker(model: Model, form: Option<Form>) -> Sessions {
    Sessions {
        seed: Seed(7),
        model,
        times: Times::from_start(Schedule::Rate(1000.0), START, 1.0),
        form,
        clock: Clock::default(),
    }
}

fn realistic() -> Model {
    Model::Realistic(Box::new(Network::new(Seed(7)).unwrap()))
}

fn made(maker: &Sessions, jobs: usize, count: u64) -> (Vec<Session>, Vec<u8>) {
    let (mut sessions, mut bytes) = (Vec::new(), Vec::new());
    let result = blocks::run(maker, jobs, Some(count), &Stop::default(), |block, _| {
        sessions.extend_from_slice(&block.sessions);
        bytes.extend_from_slice(&block.lines.bytes);
        Ok::<_, Infallible>(true)
    });
    result.unwrap();
    (sessions, bytes)
}

/// FNV-1a with 64 bits.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let found = |model: Model, form: Form| {
        let maker = maker(model, Some(form));
        let (_, one) = made(&maker, 1, 10_000);
        for jobs in [2, 4] {
            assert_eq!(made(&maker, jobs, 10_000).1, one, "{jobs} threads");
        }
        fingerprint(&one)
    };
    let forms = [false, true].map(|timestamp| [Form::Json { timestamp }, Form::Csv { timestamp }]);
    let uniform = forms.map(|forms| forms.map(|form| found(Model::Uniform, form)));
    let realistic = forms.map(|forms| forms.map(|form| found(realistic(), form)));
    // Found once. A change here is a change of what every user of a seed gets: say it in the changelog.
    let expected = [
        [0xdcf3_c96c_55f4_c681, 0x0d36_5cec_a2e3_523b],
        [0x2a2d_7c54_2c50_3f77, 0xda68_0be5_0db2_2dfd],
    ];
    assert_eq!(uniform, expected, "{uniform:#x?}");
    let expected = [
        [0xadf8_db23_9c6e_fb5a, 0x8c25_1e84_ae46_6720],
        [0x0edb_a788_5431_1e4a, 0x1e96_72e0_7204_dc78],
    ];
    assert_eq!(realistic, expected, "{realistic:#x?}");
}

#[test]
fn fewer_records_are_a_part_of_more() {
    let maker = maker(realistic(), Some(Form::Json { timestamp: true }));
    let (_, more) = made(&maker, 1, 3 * RECORDS);
    for count in [1, 5, RECORDS, RECORDS + 1] {
        let (_, fewer) = made(&maker, 2, count);
        assert!(more.starts_with(&fewer), "{count}");
    }
}

#[test]
fn every_field_is_within_the_bounds_of_log_gen_and_reaches_them() {
    let (sessions, _) = made(&maker(Model::Uniform, None), 2, 400_000);
    let check = |name: &str, value: &dyn Fn(&Session) -> u64, least: u64, most: u64| {
        let found = sessions.iter().map(value);
        let (low, high) = (found.clone().min().unwrap(), found.max().unwrap());
        assert_eq!((low, high), (least, most), "{name}");
    };
    for octet in 0..4 {
        let least = u64::from(octet == 0 || octet == 3);
        check(
            "source",
            &|one| one.src_ip.octets()[octet].into(),
            least,
            255,
        );
        check(
            "destination",
            &|one| one.dst_ip.octets()[octet].into(),
            least,
            255,
        );
    }
    check("packets", &|one| one.packets.into(), 1, 1000);
    check(
        "bytes a packet",
        &|one| one.bytes / u64::from(one.packets),
        64,
        1500,
    );
    check("cpu", &|one| one.cpu_id.into(), 0, 7);
    for port in [|one: &Session| one.src_port, |one: &Session| one.dst_port] {
        let low = sessions.iter().map(port).min().unwrap();
        let high = sessions.iter().map(port).max().unwrap();
        assert!((1024..1030).contains(&low) && high > 65_529, "{low} {high}");
    }
    assert!(
        sessions
            .iter()
            .all(|one| one.bytes % u64::from(one.packets) == 0)
    );
}

/// Chi-square: how far counts are from those expected.
fn distance(counts: &[f64], expected: &[f64]) -> f64 {
    let parts = counts.iter().zip(expected);
    parts
        .map(|(count, expected)| (count - expected).powi(2) / expected)
        .sum()
}

#[test]
fn fields_are_drawn_evenly() {
    let (sessions, _) = made(&maker(Model::Uniform, None), 1, 300_000);
    let check = |name: &str, kinds: usize, kind: &dyn Fn(&Session) -> usize, most: f64| {
        let mut counts = vec![0.0; kinds];
        for session in &sessions {
            counts[kind(session)] += 1.0;
        }
        let expected = vec![sessions.len() as f64 / kinds as f64; kinds];
        let found = distance(&counts, &expected);
        assert!(found < most, "{name}: {found}");
    };
    // Beyond these come one run in a million, and the seed is fixed.
    check(
        "protocol",
        3,
        &|one| {
            Protocol::ALL
                .iter()
                .position(|all| *all == one.protocol)
                .unwrap()
        },
        27.7,
    );
    check("cpu", 8, &|one| one.cpu_id.into(), 40.6);
    check(
        "packets",
        10,
        &|one| ((one.packets - 1) / 100) as usize,
        45.1,
    );
    check(
        "second octet",
        16,
        &|one| (one.src_ip.octets()[1] / 16).into(),
        58.0,
    );
    check(
        "port",
        63,
        &|one| (usize::from(one.dst_port) - 1024) / 1024,
        130.0,
    );
}

#[test]
fn fields_of_realistic_sessions_agree() {
    let (sessions, _) = made(&maker(realistic(), None), 2, 200_000);
    let mut by_protocol = BTreeMap::new();
    let mut by_service = BTreeMap::new();
    let mut subnets = BTreeSet::new();
    for session in &sessions {
        *by_protocol.entry(session.protocol.name()).or_insert(0.0) += 1.0;
        *by_service
            .entry((session.protocol.name(), session.dst_port))
            .or_insert(0) += 1;
        subnets.insert(session.src_ip.octets()[2]);
        assert!(session.src_ip.is_private(), "{session:?}");
        let has_ports = session.src_port >= 32_768 && session.dst_port > 0;
        match session.protocol {
            Protocol::Icmp => assert_eq!((session.src_port, session.dst_port), (0, 0)),
            Protocol::Tcp | Protocol::Udp => assert!(has_ports, "{session:?}"),
        }
        let (packets, bytes) = (u64::from(session.packets), session.bytes);
        assert!(
            packets > 0 && bytes >= 40 * packets && bytes <= 1500 * packets,
            "{session:?}"
        );
        assert!(session.cpu_id < 8);
        assert_ne!(session.src_ip, session.dst_ip);
    }
    assert_eq!(subnets.len(), 4);
    let all = sessions.len() as f64;
    for (name, part) in [("TCP", 0.78), ("UDP", 0.20), ("ICMP", 0.02)] {
        let found = by_protocol[name] / all;
        assert!((found - part).abs() < 0.005, "{name}: {found}");
    }
    assert!(by_service[&("TCP", 443)] > by_service[&("TCP", 80)]);
    assert!(by_service.contains_key(&("UDP", 53)) && !by_service.contains_key(&("TCP", 53)));
    // A long tail: the largest hundredth carries most of the bytes.
    let mut sizes: Vec<u64> = sessions.iter().map(|one| one.bytes).collect();
    sizes.sort_unstable();
    let sum: u64 = sizes.iter().sum();
    let top: u64 = sizes[sizes.len() - sizes.len() / 100..].iter().sum();
    assert!(top > sum / 2, "{top} of {sum}");
    let flow = |one: &Session| (one.src_ip, one.dst_ip, one.src_port, one.dst_port);
    let mut cpus = BTreeMap::new();
    for session in &sessions {
        assert_eq!(
            *cpus.entry(flow(session)).or_insert(session.cpu_id),
            session.cpu_id
        );
    }
}

#[test]
fn records_are_written_as_they_are() {
    let session = Session {
        protocol: Protocol::Udp,
        src_ip: Ipv4Addr::new(192, 168, 1, 101),
        src_port: 34_521,
        dst_ip: Ipv4Addr::new(8, 8, 8, 8),
        dst_port: 53,
        packets: 542,
        bytes: 456_789,
        cpu_id: 3,
        time: START + 1,
    };
    let written = |form| {
        let mut text = Vec::new();
        Writer::default().write(form, &session, &mut text);
        String::from_utf8(text).unwrap()
    };
    let json = "{\"protocol\":\"UDP\",\"src_ip\":\"192.168.1.101\",\"src_port\":34521,\
        \"dst_ip\":\"8.8.8.8\",\"dst_port\":53,\"packets\":542,\"bytes\":456789,\"cpu_id\":3";
    assert_eq!(
        written(Form::Json { timestamp: false }),
        format!("{json}}}\n")
    );
    let timed = format!("{json},\"timestamp\":\"2026-01-01T00:00:00.000001Z\"}}\n");
    assert_eq!(written(Form::Json { timestamp: true }), timed);
    let csv = "UDP,192.168.1.101,34521,8.8.8.8,53,542,456789,3";
    assert_eq!(written(Form::Csv { timestamp: false }), format!("{csv}\n"));
    let columns = |form: Form| form.header().split(|byte| *byte == b',').count();
    assert_eq!(
        columns(Form::Csv { timestamp: false }),
        csv.split(',').count()
    );
    assert_eq!(
        columns(Form::Csv { timestamp: true }),
        csv.split(',').count() + 1
    );
    let mut text = Vec::new();
    write::line(1, &session, &mut text);
    let line = "[1] UDP   | 192.168.1.101  :34521 → 8.8.8.8        :   53 | Packets:  542 | \
        Bytes:   456789 | CPU: 3\n";
    assert_eq!(String::from_utf8(text).unwrap(), line);
    let record = session.record();
    assert_eq!(
        (record.packets, record.bytes, record.dst_port),
        (542, 456_789, 53)
    );
    assert_eq!(record.timestamp.as_microsecond(), START + 1);
}

#[test]
fn times_go_on_without_a_schedule() {
    let maker = Sessions {
        times: Times::live(Schedule::Free, 0),
        ..maker(Model::Uniform, None)
    };
    let before = Timestamp::now().as_microsecond();
    let (sessions, _) = made(&maker, 2, 20 * RECORDS);
    let times: BTreeSet<i64> = sessions.iter().map(|one| one.time).collect();
    let each = "each has a microsecond of its own";
    assert_eq!(times.len() as u64, 20 * RECORDS, "{each}");
    assert!(*times.first().unwrap() >= before);
}
