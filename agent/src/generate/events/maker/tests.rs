use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::super::clock::spread;
use super::super::config::{EventsConfig, config_from_yaml};
use super::*;
use crate::config::Word as _;
use crate::generate::blocks;
use crate::generate::stop::Stop;

const START: i64 = 1_767_225_600_000_000;

/// Bytes and marks of so many records.
struct Made {
    json: Vec<u8>,
    text: Vec<u8>,
    marks: Vec<(u64, Mark)>,
}

fn make(config: &EventsConfig, seed: u64, count: u64, jobs: usize) -> Made {
    let model = Model::new(config, Seed(seed));
    let maker = Maker {
        model: &model,
        seed: Seed(seed),
        timeline: Some(Timeline {
            start: START,
            spacing: 1_000_500.0,
            spread: spread(config.timestamps.increment),
        }),
        count: Some(count),
        format: Format::Both,
        has_labels: config.output.include_labels,
    };
    let mut made = Made {
        json: Vec::new(),
        text: Vec::new(),
        marks: Vec::new(),
    };
    let taken = blocks::run(
        &maker,
        jobs,
        Some(count),
        &Stop::default(),
        |block, records| {
            made.json.extend_from_slice(&block.json.bytes);
            made.text.extend_from_slice(&block.text.bytes);
            let marks = block.marks.iter();
            made.marks
                .extend(marks.map(|mark| (records.start + u64::from(mark.record), *mark)));
            Ok::<_, std::convert::Infallible>(true)
        },
    );
    taken.unwrap();
    made
}

fn only(family: &str, rest: &str) -> EventsConfig {
    let mut yaml = format!("anomalies:\n  probability: 0.5\n  types:\n    {family}: {{{rest}}}\n");
    for other in Family::ALL.iter().filter(|other| other.word() != family) {
        yaml += &format!("    {}: {{enabled: false}}\n", other.word());
    }
    config_from_yaml(std::path::Path::new("x"), yaml.as_bytes()).unwrap()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// FNV-1a.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let config = EventsConfig::default();
    let one = make(&config, 42, 70_000, 1);
    for jobs in [2, 3, 7] {
        let other = make(&config, 42, 70_000, jobs);
        assert!(one.json == other.json && one.text == other.text, "{jobs}");
        assert_eq!(one.marks, other.marks);
    }
    assert_ne!(
        make(&config, 43, 1000, 1).json,
        make(&config, 42, 1000, 1).json
    );
    // Found once; a change here changes what every seed makes.
    assert_eq!(
        (fingerprint(&one.json), fingerprint(&one.text)),
        (JSON, TEXT)
    );
}

const JSON: u64 = 0x80c3_405e_091d_3523;
const TEXT: u64 = 0x87af_fb65_bc1e_70d0;

#[test]
fn the_share_of_anomalies_is_what_was_asked_for() {
    let check = |share: f64| {
        let mut config = EventsConfig::default();
        config.anomalies.probability = share;
        let made = make(&config, 7, 100_000, 2);
        let labelled = lines(&made.json)
            .iter()
            .filter(|line| line["_labels"]["is_anomaly"] == true)
            .count();
        assert_eq!(labelled, made.marks.len());
        let expected = share * 1e5;
        assert!(
            (labelled as f64 - expected).abs() <= 0.5,
            "{labelled} for {share}"
        );
    };
    for share in [0.0, 0.0005, 0.05, 0.2, 0.9, 1.0] {
        check(share);
    }
}

#[test]
fn sources_services_and_levels_come_by_their_weights() {
    let mut config = EventsConfig::default();
    config.anomalies.probability = 0.0;
    let made = lines(&make(&config, 11, 100_000, 2).json);
    let mut counts = BTreeMap::new();
    for line in &made {
        for key in [
            text(&line["source"]),
            text(&line["level"]),
            text(&line["service"]),
        ] {
            *counts.entry(key.to_owned()).or_insert(0_u32) += 1;
        }
    }
    let mut check = |name: &str, share: f64| {
        let found = f64::from(counts.remove(name).unwrap_or_default()) / 1e5;
        assert!((found - share).abs() < 0.006, "{name}: {found} for {share}");
    };
    for source in &config.sources {
        check(&source.name, source.weight);
        for service in &source.services {
            check(service, source.weight / source.services.len() as f64);
        }
    }
    for (level, weight) in Level::ALL.iter().zip(config.normal_logs.log_levels) {
        check(level.word(), weight);
    }
    assert!(counts.is_empty(), "{counts:?}");
}

use super::super::family::Level;

/// What must hold in every record, damaged or not.
fn agrees(line: &Value) -> Result<(), String> {
    let message = text(&line["message"]);
    let holds = |what: bool, why: &str| match what {
        true => Ok(()),
        false => Err(format!("{why}: {line}")),
    };
    let object = line.as_object().unwrap();
    let known = [
        "timestamp",
        "level",
        "source",
        "service",
        "message",
        "request_id",
        "user_id",
        "ip_address",
        "response_time_ms",
        "status_code",
        "endpoint",
        "method",
        "error_code",
        "metadata",
        "_labels",
    ];
    holds(
        object.keys().all(|key| known.contains(&key.as_str())),
        "a key that is not known",
    )?;
    let time = text(&line["timestamp"]);
    holds(
        time.len() == 32 && time.ends_with("+00:00") && time.parse::<Timestamp>().is_ok(),
        "no time",
    )?;
    let status = line["status_code"].as_u64();
    if message.starts_with("502 Bad Gateway") {
        holds(
            status.is_none_or(|status| status == 502),
            "the status of the message",
        )?;
    }
    if let Some(rest) = message
        .strip_prefix("\"GET ")
        .or_else(|| message.strip_prefix("\"POST "))
    {
        let words: Vec<&str> = rest.split(' ').collect();
        holds(
            words[0] == text(&line["endpoint"]),
            "the endpoint of the message",
        )?;
        holds(words[1] == "HTTP/1.1\"", "the quotes")?;
        holds(words[2].parse().ok() == status, "the status of the message")?;
        holds(
            message[1..].starts_with(text(&line["method"])),
            "the method of the message",
        )?;
    } else if let Some(place) = message.find("/api/v").or_else(|| message.find("/webhook")) {
        let path = message[place..].split(' ').next().unwrap();
        holds(
            path == text(&line["endpoint"]),
            "the endpoint of the message",
        )?;
    }
    for (before, after) in [
        ("timeout after ", "ms"),
        ("Slow response: ", "ms"),
        ("detected: ", "ms"),
        ("executed in ", "ms"),
        ("received in ", "ms"),
        ("completed in ", "ms"),
    ] {
        let told = message
            .split_once(before)
            .and_then(|(_, rest)| rest.split_once(after));
        if let Some(told) = told.and_then(|(told, _)| told.parse::<f64>().ok()) {
            holds(
                line["response_time_ms"].as_f64() == Some(told),
                "the time of the message",
            )?;
        }
    }
    let ip = text(&line["ip_address"]);
    let speaks_of_ip = ["IP ", "from ", "peer for "].iter().find_map(|before| {
        let (_, rest) = message.split_once(before)?;
        let address = rest.split(':').next()?;
        address.parse::<std::net::Ipv4Addr>().ok()
    });
    if let Some(told) = speaks_of_ip {
        holds(told.to_string() == ip, "the address of the message")?;
    }
    if let Some((_, rest)) = message.split_once("user ") {
        let user = rest.split([' ', ':']).next().unwrap_or_default();
        if user.len() == 8 {
            holds(user == text(&line["user_id"]), "the user of the message")?;
        }
    }
    if let Some((_, id)) = message.split_once("Processing request ") {
        holds(
            id == text(&line["request_id"]),
            "the request of the message",
        )?;
    }
    for (before, key) in [("TXN-", "transaction_id"), ("ORD-", "order_id")] {
        if let Some(place) = message.find(before) {
            let id = message[place..]
                .split([' ', ':'])
                .next()
                .unwrap_or_default();
            holds(
                id == text(&line["metadata"][key]),
                "the order of the message",
            )?;
        }
    }
    let code = text(&line["error_code"]);
    let is_bad = matches!(text(&line["level"]), "ERROR" | "CRITICAL");
    if !code.is_empty() && line["_labels"]["is_anomaly"] == false {
        holds(is_bad, "an error code without an error")?;
    }
    if message.contains("Timeout exceeded") {
        holds(code == "ERR_TIMEOUT", "the code of the message")?;
    }
    if let Some((_, told)) = message.split_once("usage critical: ") {
        let told: f64 = told.trim_end_matches('%').parse().unwrap();
        holds(
            line["metadata"]["usage_percent"].as_f64() == Some(told),
            "the usage of the message",
        )?;
    }
    if let (Some((_, told)), Some(status)) = (message.split_once("returned error: "), status) {
        holds(told.parse() == Ok(status), "the status of the message")?;
    }
    if text(&line["source"]) != "web-server" && line["_labels"]["is_anomaly"] == false {
        holds(
            status.is_none() && line["method"].is_null(),
            "a status of no web server",
        )?;
    }
    Ok(())
}

#[test]
fn every_record_agrees_with_itself() {
    let mut config = EventsConfig::default();
    config.anomalies.probability = 0.4;
    let made = make(&config, 5, 100_000, 2);
    for line in lines(&made.json) {
        agrees(&line).unwrap();
    }
}

#[test]
fn normal_records_are_as_documented() {
    let mut config = EventsConfig::default();
    config.anomalies.probability = 0.0;
    let made = lines(&make(&config, 5, 50_000, 1).json);
    let mut users = 0;
    let mut with_ip = 0;
    for line in &made {
        let time = line["response_time_ms"].as_f64().unwrap();
        assert!((10.0..=500.0).contains(&time), "{line}");
        let is_web = line["source"] == "web-server";
        assert_eq!(line["status_code"].is_u64(), is_web, "{line}");
        assert_eq!(line["method"].is_string(), is_web, "{line}");
        let status = line["status_code"].as_u64().unwrap_or(0);
        let fits = match text(&line["level"]) {
            _ if !is_web => status == 0,
            "ERROR" | "CRITICAL" => [500, 502, 503, 504].contains(&status),
            "WARNING" => match text(&line["message"]) {
                message if message.starts_with('"') => {
                    [400, 401, 403, 404, 422, 429].contains(&status)
                }
                message if message.starts_with("Retry attempt") => status / 100 == 5,
                _ => status == 200,
            },
            _ => [200, 201, 204].contains(&status),
        };
        assert!(fits, "{line}");
        let is_error = matches!(text(&line["level"]), "ERROR" | "CRITICAL");
        assert_eq!(line["error_code"].is_string(), is_error, "{line}");
        assert_eq!(line["request_id"].as_str().map(str::len), Some(36));
        if matches!(text(&line["source"]), "database" | "infrastructure") {
            assert!(line["endpoint"].is_null(), "{line}");
        }
        users += u32::from(line["user_id"].is_string());
        with_ip += u32::from(line["ip_address"].is_string());
    }
    // Half and seven tenths, and those whose message names them.
    assert!((25_000..28_000).contains(&users), "{users}");
    assert!((35_000..37_500).contains(&with_ip), "{with_ip}");
}

/// The anomalous records of a run with one family, in order.
fn anomalous(config: &EventsConfig, count: u64) -> Vec<(Mark, Value)> {
    let made = make(config, 9, count, 2);
    let lines = lines(&made.json);
    made.marks
        .iter()
        .map(|(record, mark)| (*mark, lines[*record as usize].clone()))
        .collect()
}

/// Whether the record's source answers requests.
fn answers(line: &Value) -> bool {
    !matches!(text(&line["source"]), "database" | "infrastructure")
}

#[test]
fn anomalies_come_from_configured_sources_alone() {
    let check = |sources: &str, expected: &[&str]| {
        let mut yaml = format!("sources: {sources}\n");
        for family in Family::ALL {
            yaml += "anomalies:\n  probability: 0.6\n  types:\n";
            for other in Family::ALL {
                yaml += &format!("    {}: {{enabled: {}}}\n", other.word(), other == family);
            }
            let config = config_from_yaml(std::path::Path::new("x"), yaml.as_bytes()).unwrap();
            let mut places = std::collections::BTreeSet::new();
            for (_, line) in anomalous(&config, 3000) {
                agrees(&line).unwrap();
                places.insert(format!(
                    "{}/{}",
                    text(&line["source"]),
                    text(&line["service"])
                ));
            }
            let is_expected = |place: &String| expected.contains(&place.as_str());
            assert!(
                !places.is_empty() && places.iter().all(is_expected),
                "{family:?}: {places:?}"
            );
            if *family == Family::ErrorSpike {
                assert_eq!(places.len(), expected.len(), "all take part: {places:?}");
            }
            yaml.truncate(sources.len() + "sources: \n".len());
        }
    };
    check("{database: {weight: 5, services: [pg]}}", &["database/pg"]);
    check("{web-server: {services: [w]}}", &["web-server/w"]);
    check("{infrastructure: {services: [k]}}", &["infrastructure/k"]);
    check(
        "{iot: {services: [a, b]}, database: {services: [pg]}, web-server: {weight: 0, services: [w]}}",
        &["iot/a", "iot/b", "database/pg"],
    );
    check("{}", &["application/default-service"]);
}

#[test]
fn every_source_has_anomalies_by_default() {
    let mut config = EventsConfig::default();
    config.anomalies.probability = 0.5;
    let records = anomalous(&config, 20_000);
    for source in &config.sources {
        let of_source = records
            .iter()
            .filter(|(_, line)| line["source"] == source.name.as_str());
        assert!(of_source.count() > 500, "{}", source.name);
    }
}

/// A part of all, to within three in a hundred.
fn about(found: usize, all: usize, share: f64) {
    let found = found as f64 / all as f64;
    assert!((found - share).abs() < 0.03, "{found} for {share}");
}

#[test]
fn error_spikes() {
    let records = anomalous(
        &only("error_spike", "error_rate: 0.7, duration_logs: 40"),
        40_000,
    );
    let level = |name: &str| {
        records
            .iter()
            .filter(|(_, line)| line["level"] == name)
            .count()
    };
    about(level("WARNING"), records.len(), 0.3);
    about(level("ERROR"), records.len(), 0.56);
    about(level("CRITICAL"), records.len(), 0.14);
    for (_, line) in &records {
        let is_warning = line["level"] == "WARNING";
        let answers = answers(line);
        let status = line["status_code"].as_u64().map(|status| status / 100);
        let expected = if is_warning { 4 } else { 5 };
        assert_eq!(status, answers.then_some(expected), "{line}");
        assert_eq!(line["error_code"].is_string(), !is_warning, "{line}");
        assert!((1000.0..=5000.0).contains(&line["response_time_ms"].as_f64().unwrap()));
        assert_eq!(line["endpoint"].is_string(), answers, "{line}");
        assert_eq!(line["method"].is_string(), answers, "{line}");
        assert!((0.6..=1.0).contains(&line["_labels"]["anomaly_score"].as_f64().unwrap()));
    }
    let of_first = records
        .iter()
        .filter(|(mark, _)| mark.episode == records[0].0.episode);
    assert_eq!(of_first.count(), 40);
}

#[test]
fn latency_becomes_worse() {
    let records = anomalous(&only("latency_degradation", "multiplier: 20"), 40_000);
    let mut seen = [0_u32; 3];
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut before = None;
    for (mark, line) in &records {
        let time = line["response_time_ms"].as_f64().unwrap();
        let fine = if answers(line) { 200 } else { 0 };
        let status = line["status_code"].as_u64().unwrap_or(0);
        match text(&line["level"]) {
            "ERROR" => {
                let timeout = if answers(line) { 504 } else { 0 };
                assert!(time >= 2000.0 && status == timeout, "{line}");
                seen[0] += 1;
            }
            "WARNING" => {
                assert!(
                    (1000.0..=2000.0).contains(&time) && status == fine,
                    "{line}"
                );
                seen[1] += 1;
            }
            _ => {
                assert!(time < 1000.0 && status == fine, "{line}");
                seen[2] += 1;
            }
        }
        assert!(
            line["_labels"]["anomaly_score"].as_f64().unwrap() >= 0.3,
            "{line}"
        );
        if before != Some(mark.episode) {
            first.push(time);
        }
        if mark.is_last {
            last.push(time);
        }
        before = Some(mark.episode);
    }
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
    let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
    assert!(
        mean(&last) > 8.0 * mean(&first),
        "{} {}",
        mean(&first),
        mean(&last)
    );
}

#[test]
fn security_threats_have_one_address_each() {
    for kind in [
        "brute_force",
        "sql_injection",
        "xss_attempt",
        "unauthorized_access",
    ] {
        let records = anomalous(
            &only("security_threat", &format!("types: [{kind}]")),
            10_000,
        );
        let mut addresses = BTreeMap::new();
        for (mark, line) in &records {
            let of = addresses
                .entry(mark.episode)
                .or_insert_with(|| line["ip_address"].clone());
            assert_eq!(*of, line["ip_address"], "{line}");
            assert_eq!(line["metadata"]["threat_type"], kind);
            let status = line["status_code"].as_u64().unwrap_or(0);
            match answers(line) {
                true => assert!([401, 403, 429].contains(&status), "{line}"),
                // A request is no matter of a database, an account is.
                false => assert_eq!((status, kind), (0, "brute_force"), "{line}"),
            }
            assert!(
                line["user_id"].is_string() && line["response_time_ms"].is_null(),
                "{line}"
            );
        }
        let level = |name: &str| {
            records
                .iter()
                .filter(|(_, line)| line["level"] == name)
                .count()
        };
        about(level("WARNING"), records.len(), 0.3);
        about(level("ERROR"), records.len(), 0.5);
        about(level("CRITICAL"), records.len(), 0.2);
        if kind.ends_with("injection") {
            assert!(records.iter().all(|(_, line)| answers(line)));
        }
    }
}

#[test]
fn resources_run_out() {
    for kind in ["memory", "cpu", "disk", "connections"] {
        let config = only("resource_exhaustion", &format!("resources: [{kind}]"));
        let records = anomalous(&config, 10_000);
        let services = &config.sources[3].services;
        let mut before = None;
        for (mark, line) in &records {
            assert_eq!(line["source"], "infrastructure");
            assert!(
                services.iter().any(|one| line["service"] == one.as_str()),
                "{line}"
            );
            assert_eq!(line["metadata"]["resource_type"], kind);
            let usage = line["metadata"]["usage_percent"].as_f64().unwrap();
            let level = match usage {
                _ if usage > 95.0 => "CRITICAL",
                _ if usage > 90.0 => "ERROR",
                _ => "WARNING",
            };
            assert_eq!(line["level"], level, "{line}");
            assert!((70.0..=99.0).contains(&usage), "{line}");
            assert!(
                line["status_code"].is_null() && line["request_id"].is_null(),
                "{line}"
            );
            let score = line["_labels"]["anomaly_score"].as_f64().unwrap();
            assert!((score - usage / 100.0).abs() < 0.011, "{line}");
            if let Some((episode, less)) = before
                && episode == mark.episode
            {
                assert!(usage >= less, "{line}");
            }
            before = Some((mark.episode, usage));
        }
    }
}

#[test]
fn services_go_out() {
    let records = anomalous(&only("service_outage", "duration_logs: 30"), 20_000);
    let mut kinds = BTreeMap::new();
    for (_, line) in &records {
        let affected = text(&line["metadata"]["affected_service"]);
        assert!(text(&line["message"]).contains(affected), "{line}");
        assert_ne!(line["service"], affected, "{line}");
        assert_ne!(line["source"], "database", "{line}");
        assert_eq!(line["status_code"], 503);
        assert_eq!(line["error_code"], "ERR_SERVICE_UNAVAILABLE");
        let kind = text(&line["metadata"]["outage_type"]);
        let fits = match kind {
            "complete" => line["level"] == "CRITICAL",
            _ => line["level"] == "ERROR" || line["level"] == "WARNING",
        };
        assert!(fits, "{line}");
        *kinds.entry(kind.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 2, "{kinds:?}");
}

#[test]
fn data_anomalies_damage_the_field_they_name() {
    let records = anomalous(&only("data_anomaly", ""), 20_000);
    let mut seen = BTreeMap::new();
    for (mark, line) in &records {
        let order = &line["metadata"];
        let is_date = |value: &Value| text(value).parse::<Timestamp>().is_ok();
        let stamped = text(&line["timestamp"])
            .parse::<Timestamp>()
            .unwrap()
            .as_microsecond();
        // Each field, and whether it is as it should be.
        let sound = [
            ("user_id", line["user_id"].is_string()),
            (
                "transaction_id",
                text(&order["transaction_id"]).starts_with("TXN-"),
            ),
            ("order", text(&order["order_id"]).starts_with("ORD-")),
            ("amount=-500.00", order["amount"].as_f64().unwrap() > 0.0),
            ("timestamp", stamped == mark.time),
            ("Quantity", order["quantity"].as_u64().unwrap() <= 10),
            ("created_at", is_date(&order["created_at"])),
            ("JSON in request body", order.get("request_body").is_none()),
            (
                "email",
                text(&order["email"])
                    .split_once('@')
                    .unwrap()
                    .1
                    .contains('.'),
            ),
        ];
        let message = text(&line["message"]);
        let damaged: Vec<&str> = sound
            .iter()
            .filter(|(_, sound)| !sound)
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(damaged.len(), 1, "{line}");
        assert!(message.contains(damaged[0]), "{line}");
        *seen.entry(damaged[0]).or_insert(0) += 1;
        if damaged[0] == "transaction_id" {
            assert!(order.get("transaction_id").is_none());
        }
        if damaged[0] == "user_id" {
            assert!(line.as_object().unwrap().contains_key("user_id"));
        }
        if let Some(body) = order.get("request_body") {
            assert!(answers(line), "{line}");
            assert!(serde_json::from_str::<Value>(text(body)).is_err(), "{body}");
        }
        if damaged[0] == "timestamp" {
            assert!(stamped > mark.time + 29 * 86_400_000_000);
        }
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["error_code"], "ERR_VALIDATION");
        assert!(order["data_issue"].is_string());
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
}

#[test]
fn lines_of_text_are_as_documented() {
    let mut config = EventsConfig::default();
    config.anomalies.probability = 0.3;
    for has_labels in [true, false] {
        config.output.include_labels = has_labels;
        let made = make(&config, 5, 5000, 1);
        let text_lines: Vec<&str> = std::str::from_utf8(&made.text).unwrap().lines().collect();
        let json = lines(&made.json);
        assert_eq!(text_lines.len(), json.len());
        let marks: BTreeMap<u64, Mark> = made.marks.iter().copied().collect();
        for (number, (line, json)) in text_lines.iter().zip(&json).enumerate() {
            let mut expected = format!(
                "[{}] [{:<8}] [{}/{}]",
                text(&json["timestamp"]),
                text(&json["level"]),
                text(&json["source"]),
                text(&json["service"])
            );
            if let Some(id) = json["request_id"].as_str() {
                expected += &format!(" [{}]", &id[..8]);
            }
            expected += &format!(" {}", text(&json["message"]));
            if let Some(time) = json["response_time_ms"].as_f64() {
                expected += &format!(" ({time:.2}ms)");
            }
            if let Some(status) = json["status_code"].as_u64() {
                expected += &format!(" [{status}]");
            }
            if let Some(mark) = marks.get(&(number as u64)).filter(|_| has_labels) {
                expected += &format!(
                    " [ANOMALY:{}:{:.2}]",
                    mark.family.word(),
                    f64::from(mark.score) / 100.0
                );
            }
            assert_eq!(*line, expected);
            assert_eq!(json.get("_labels").is_some(), has_labels);
        }
    }
}

#[test]
fn strange_sources_are_taken() {
    let check = |yaml: &str, source: &str, service: &str| {
        let config = config_from_yaml(std::path::Path::new("x"), yaml.as_bytes()).unwrap();
        let made = make(&config, 5, 2000, 1);
        let lines = lines(&made.json);
        assert!(
            lines
                .iter()
                .any(|line| line["source"] == source && line["service"] == service),
            "{yaml}"
        );
        for line in &lines {
            agrees(line).unwrap();
        }
    };
    check("sources: {}", "application", "default-service");
    check(
        "sources:\n  \"a \\\"b\\\"\\\\\": {services: [\"ä\"]}",
        "a \"b\"\\",
        "ä",
    );
    check(
        "sources:\n  database: {services: [x], weight: 7}",
        "database",
        "x",
    );
    check(
        "sources:\n  web-server: {services: [x], weight: 7}\n  q: {weight: 0, services: [y]}",
        "web-server",
        "x",
    );
}

#[test]
fn times_stay_within_their_increments() {
    let made = make(&EventsConfig::default(), 5, 3000, 1);
    let damaged = |line: &&Value| !text(&line["message"]).starts_with("Invalid timestamp");
    let times: Vec<i64> = lines(&made.json)
        .iter()
        .filter(damaged)
        .map(|line| {
            text(&line["timestamp"])
                .parse::<Timestamp>()
                .unwrap()
                .as_microsecond()
        })
        .collect();
    assert!(times[0] >= START);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 999));
    let mean = (times[times.len() - 1] - times[0]) as f64 / 3000.0;
    assert!((mean / 1_000_500.0 - 1.0).abs() < 0.01, "{mean}");
}
