//! What the text of the metrics says of a snapshot whose counts all differ.

use std::collections::{BTreeMap, BTreeSet};

use agent_common::counters::{Counters, Escalated, Ignored, Lost, Protocol};
use jiff::Timestamp;

use super::*;
use crate::http::exchange::record::{ExchangeRecord, Role};
use crate::http::exchange::tally::{BOUNDS, Tally};
use crate::ledger::{Ledger, RequestCounts};
use crate::selftest::keep::Kept;
use crate::server::{Cpu, Exchanges, Health, Lines, Process, Program};
use crate::session::table::SessionCounts;
use crate::sink::batch::samples;
use crate::sink::counts::{self, Counts, ExactCounts, SharedCounts};
use crate::sink::log::LossReason;

const LIST: &str = include_str!("../metrics.md");

/// The account of the HTTP API.
fn sent() -> Counts {
    let exact = ExactCounts::default();
    exact.accept(counts::Kept::Queued, 100);
    exact.bring(counts::Kept::Queued, counts::Kept::Spooled, 30);
    exact.store(counts::Kept::Spooled, 4);
    exact.lose(counts::Kept::Spooled, counts::LossReason::TooLarge, 1);
    exact.counts()
}

/// 90 records: 60 stored, 20 lost in two ways, 10 on their way.
fn stored() -> Counts {
    let shared = SharedCounts::default();
    shared.add_accepted(90);
    shared.add_stored(60);
    shared.add_lost(counts::LossReason::QueueFull, 15);
    shared.add_lost(counts::LossReason::Other, 5);
    shared.counts()
}

/// Two exchanges that this host answered, one that it asked for.
fn exchanges() -> Exchanges {
    let tally = Tally::default();
    for (role, total_us, method) in [
        (Role::Server, 4_000, "GET"),
        (Role::Server, 60_000_000, "GET"),
        (Role::Client, 7_000, "PROPFIND"),
    ] {
        tally.count(&ExchangeRecord {
            role,
            method: Some(method),
            total_us: Some(total_us),
            ..samples::exchange()
        });
    }
    Exchanges::from(&tally)
}

/// Two CPUs whose counts all differ.
fn snapshot() -> Snapshot {
    let mut next = 0;
    let mut fill = |places: &mut [u64]| {
        for place in places {
            next += 1;
            *place = next;
        }
    };
    let cpus = [0, 3].map(|number| {
        let mut counters = Counters::default();
        fill(counters.packets.as_flattened_mut());
        fill(counters.bytes.as_flattened_mut());
        fill(&mut counters.ignored);
        fill(&mut counters.lost);
        fill(&mut counters.escalated);
        let mut single = [0; 5];
        fill(&mut single);
        [
            counters.candidates,
            counters.records,
            counters.retransmitted,
            counters.evicted,
            counters.flows_evicted,
        ] = single;
        Cpu {
            number,
            counters,
            received: 1 << 52,
            heads: [11, 12, 13, 14].map(|heads| heads + u64::from(number)),
        }
    });
    Snapshot {
        cpus: cpus.to_vec(),
        lines: Some(Lines {
            stored: 50,
            queued: 3,
            lost: [1, 2, 3, 4, 5, 6],
        }),
        sinks: vec![("sqlite", stored()), ("api", sent())],
        requests: Some(RequestCounts {
            requests: 21,
            taken: 6,
            refused: [1, 0, 2, 0, 3, 4, 0, 0],
            abandoned: 5,
        }),
        programs: vec![Program {
            name: "tc_ingress".to_owned(),
            runs: 9,
            ns: 500_000_000,
        }],
        longest_pause_us: Some(2_500),
        exchanges: exchanges(),
        ledger: Ledger::default(),
        selftest: Some(Kept {
            version: "1".to_owned(),
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            hooks: vec!["tc".to_owned()],
            shapes: vec!["plain".to_owned()],
            load: false,
            sent: 4,
            written: 6,
            recall: 0.75,
            precision: 0.5,
            passed: false,
        }),
        interfaces: Vec::new(),
        alerts: vec![("errors".to_owned(), true), ("slow".to_owned(), false)],
        health: Health::new(Timestamp::UNIX_EPOCH),
        sessions: Some(SessionCounts {
            active: 17,
            ..SessionCounts::default()
        }),
        process: Some(Process {
            cpu_seconds: 1.25,
            resident_bytes: 4096,
            proportional_bytes: Some(2048),
            threads: 3,
            open_files: 9,
            max_files: 1024,
            started_seconds: 1_700_000_000.5,
        }),
    }
}

/// Series with their values, and the metrics that were announced with their kinds.
fn parse(text: &str) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
    let mut series = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none());
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let value = value.parse().unwrap();
            assert!(series.insert(name.to_owned(), value).is_none(), "{line}");
        }
    }
    (series, kinds)
}

#[test]
fn the_text_says_what_was_counted() {
    let snapshot = snapshot();
    let (mut series, kinds) = parse(&text(&snapshot).unwrap());
    let mut check = |name: &str, value: f64| {
        assert_eq!(series.remove(name), Some(value), "{name}");
    };
    let version = env!("CARGO_PKG_VERSION");
    check(&format!("tapline_build_info{{version=\"{version}\"}}"), 1.0);
    for Cpu {
        number, counters, ..
    } in &snapshot.cpus
    {
        for (way, direction) in ["incoming", "outgoing"].iter().enumerate() {
            for (index, protocol) in Protocol::NAMES.iter().enumerate() {
                let labels = format!(
                    "{{cpu=\"{number}\",direction=\"{direction}\",protocol=\"{protocol}\"}}"
                );
                let packets = counters.packets[way][index] as f64;
                check(&format!("tapline_packets_total{labels}"), packets);
                let bytes = counters.bytes[way][index] as f64;
                check(&format!("tapline_bytes_total{labels}"), bytes);
            }
        }
        for (index, reason) in Ignored::NAMES.iter().enumerate() {
            let labels = format!("{{reason=\"{reason}\",cpu=\"{number}\"}}");
            let ignored = counters.ignored[index] as f64;
            check(&format!("tapline_ignored_total{labels}"), ignored);
        }
        for (index, reason) in Lost::NAMES.iter().enumerate() {
            let labels = format!("{{stage=\"capture\",reason=\"{reason}\",cpu=\"{number}\"}}");
            let lost = counters.lost[index] as f64;
            check(&format!("tapline_lost_total{labels}"), lost);
        }
        for (name, count) in [
            ("candidates", counters.candidates),
            ("records", counters.records),
            ("retransmitted", counters.retransmitted),
        ] {
            let name = format!("tapline_{name}_total{{cpu=\"{number}\"}}");
            check(&name, count as f64);
        }
    }
    for (index, reason) in LossReason::ALL.iter().enumerate() {
        let labels = format!("{{stage=\"log\",reason=\"{}\",cpu=\"\"}}", reason.word());
        check(&format!("tapline_lost_total{labels}"), index as f64 + 1.0);
    }
    let [one, other] = [0, 1].map(|index| &snapshot.cpus[index].counters);
    for (index, reason) in Escalated::NAMES.iter().enumerate() {
        let both = one.escalated[index] + other.escalated[index];
        let name = format!("tapline_escalations_total{{reason=\"{reason}\"}}");
        check(&name, both as f64);
    }
    let evicted = one.evicted + other.evicted;
    check(
        "tapline_flow_evictions_total{table=\"connections\"}",
        evicted as f64,
    );
    let evicted = one.flows_evicted + other.flows_evicted;
    check(
        "tapline_flow_evictions_total{table=\"sessions\"}",
        evicted as f64,
    );
    check("tapline_sessions_active", 17.0);
    check("tapline_reader_pause_max_seconds", 0.0025);
    check("tapline_selftest_recall", 0.75);
    check("tapline_selftest_precision", 0.5);
    check("tapline_selftest_passed", 0.0);
    check("tapline_selftest_time_seconds", 1.8e9);
    for cpu in [0, 3] {
        let name = format!("tapline_records_received_total{{cpu=\"{cpu}\"}}");
        check(&name, (1_u64 << 52) as f64);
    }
    for cpu in [0, 3] {
        for (kind, heads) in [("CQ", 11), ("CR", 12), ("SQ", 13), ("SR", 14)] {
            let name = format!("tapline_heads_total{{kind=\"{kind}\",cpu=\"{cpu}\"}}");
            check(&name, f64::from(heads + cpu));
        }
    }
    check("process_proportional_memory_bytes", 2048.0);
    check(
        "tapline_program_run_seconds_total{program=\"tc_ingress\"}",
        0.5,
    );
    for (outcome, count) in [
        ("taken", 6.0),
        ("abandoned", 5.0),
        ("400", 1.0),
        ("408", 0.0),
        ("413", 2.0),
        ("415", 0.0),
        ("422", 3.0),
        ("429", 4.0),
        ("500", 0.0),
        ("503", 0.0),
    ] {
        let name = format!("tapline_api_requests_total{{outcome=\"{outcome}\"}}");
        check(&name, count);
    }
    for (outcome, count) in [
        ("complete", 3.0),
        ("unanswered", 0.0),
        ("orphan", 0.0),
        ("opaque", 0.0),
    ] {
        check(
            &format!("tapline_exchanges_total{{outcome=\"{outcome}\"}}"),
            count,
        );
    }
    for (role, method, within_5_ms, in_all, sum) in [
        ("server", "GET", 1.0, 2.0, 60.004),
        ("client", "_OTHER", 0.0, 1.0, 0.007),
    ] {
        let name = format!("http_{role}_request_duration_seconds");
        let labels = format!("http_request_method=\"{method}\",http_response_status_code=\"200\"");
        check(
            &format!("{name}_bucket{{{labels},le=\"0.005\"}}"),
            within_5_ms,
        );
        for bound in &BOUNDS[1..] {
            check(&format!("{name}_bucket{{{labels},le=\"{bound}\"}}"), 1.0);
        }
        check(&format!("{name}_bucket{{{labels},le=\"+Inf\"}}"), in_all);
        check(&format!("{name}_count{{{labels}}}"), in_all);
        check(&format!("{name}_sum{{{labels}}}"), sum);
    }
    let sink = "tapline_sink_records_total{sink=\"log\",outcome";
    check(&format!("{sink}=\"stored\"}}"), 50.0);
    check(&format!("{sink}=\"lost\"}}"), 21.0);
    check("tapline_sink_queue_records{sink=\"log\"}", 3.0);
    let sink = "tapline_sink_records_total{sink=\"sqlite\",outcome";
    check(&format!("{sink}=\"stored\"}}"), 60.0);
    check(&format!("{sink}=\"spooled\"}}"), 0.0);
    check(&format!("{sink}=\"lost\"}}"), 20.0);
    check("tapline_sink_queue_records{sink=\"sqlite\"}", 10.0);
    let sink = "tapline_sink_records_total{sink=\"api\",outcome";
    check(&format!("{sink}=\"stored\"}}"), 4.0);
    check(&format!("{sink}=\"spooled\"}}"), 25.0);
    check(&format!("{sink}=\"lost\"}}"), 1.0);
    check("tapline_sink_queue_records{sink=\"api\"}", 70.0);
    check("tapline_spool_records", 25.0);
    for reason in counts::LossReason::ALL {
        let labels = format!("{{stage=\"api\",reason=\"{}\",cpu=\"\"}}", reason.word());
        let lost = sent().lost(reason) as f64;
        check(&format!("tapline_lost_total{labels}"), lost);
    }
    for reason in counts::LossReason::ALL {
        let labels = format!("{{stage=\"sqlite\",reason=\"{}\",cpu=\"\"}}", reason.word());
        let lost = stored().lost(reason) as f64;
        check(&format!("tapline_lost_total{labels}"), lost);
    }
    check("tapline_alerts_firing{rule=\"errors\"}", 1.0);
    check("tapline_alerts_firing{rule=\"slow\"}", 0.0);
    check("process_cpu_seconds_total", 1.25);
    check("process_resident_memory_bytes", 4096.0);
    check("process_open_fds", 9.0);
    check("process_max_fds", 1024.0);
    check("process_start_time_seconds", 1_700_000_000.5);
    // Nothing else is said.
    assert_eq!(series, BTreeMap::new());
    let expected = METRICS.iter().map(|metric| {
        let kind = if metric.grows { "counter" } else { "gauge" };
        (metric.name.to_owned(), kind.to_owned())
    });
    let durations = DURATIONS.iter();
    let durations = durations.map(|metric| (metric.name.to_owned(), "histogram".to_owned()));
    assert_eq!(kinds, expected.chain(durations).collect());
}

#[test]
fn of_a_store_alone_nothing_is_said_about_a_capture() {
    let text = text_of_store(&Snapshot::of_store(
        vec![("sqlite", stored())],
        RequestCounts::default(),
        snapshot().process,
        None,
    ))
    .unwrap();
    let (series, kinds) = parse(&text);
    let names = kinds.keys().filter(|name| name.starts_with("tapline_"));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "tapline_api_requests_total",
            "tapline_build_info",
            "tapline_lost_total",
            "tapline_sink_queue_records",
            "tapline_sink_records_total"
        ]
    );
    assert!(kinds.contains_key("process_open_fds"));
    let lost = "tapline_lost_total{stage=\"sqlite\",reason=\"queue_full\",cpu=\"\"}";
    assert_eq!(series.get(lost), Some(&15.0));
    assert!(!text.contains("\"log\""), "{text}");
}

#[test]
fn the_last_selftest_is_shown_where_there_was_one() {
    let snapshot = snapshot();
    let check = |text: &str| {
        let (series, _) = parse(text);
        assert_eq!(series.get("tapline_selftest_recall"), Some(&0.75));
        assert_eq!(series.get("tapline_selftest_precision"), Some(&0.5));
        assert_eq!(series.get("tapline_selftest_time_seconds"), Some(&1.8e9));
    };
    check(&text(&snapshot).unwrap());
    check(
        &text_of_store(&Snapshot::of_store(
            Vec::new(),
            RequestCounts::default(),
            None,
            snapshot.selftest.clone(),
        ))
        .unwrap(),
    );
    let never = Snapshot {
        selftest: None,
        ..snapshot
    };
    assert!(!text(&never).unwrap().contains("selftest"));
}

#[test]
fn every_series_has_the_labels_of_the_table() {
    let snapshot = snapshot();
    for metric in &METRICS {
        for series in family(metric, &snapshot).get_metric() {
            let names: Vec<&str> = series.get_label().iter().map(LabelPair::name).collect();
            assert_eq!(names, metric.labels, "{}", metric.name);
        }
    }
}

#[test]
fn names_are_unique_and_say_whether_they_grow() {
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for metric in &METRICS {
        assert_eq!(metric.name.ends_with("_total"), metric.grows, "{metric:?}");
        assert!(metric.help.ends_with('.'), "{metric:?}");
    }
}

#[test]
fn the_written_list_is_the_table() {
    let begin = LIST.find("| metric |").unwrap();
    assert_eq!(&LIST[begin..], list());
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let snapshot = Snapshot {
        process: None,
        cpus: Vec::new(),
        ..snapshot()
    };
    let text = text(&snapshot).unwrap();
    assert!(!text.contains("process_"), "{text}");
    assert!(!text.contains("tapline_packets_total"), "{text}");
    assert!(!text.contains("process_prop"), "{text}");
    assert!(text.contains("tapline_sessions_active 17\n"), "{text}");
}
