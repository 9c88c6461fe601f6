//! Records that are no anomalies, how they are written, and how many are.

use super::agreement::agrees;
use super::*;

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

const JSON: u64 = 0x202c_60b2_bac7_9b4a;

const TEXT: u64 = 0xe98b_031f_8488_ac7e;

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
        // An application has a status only where it tells that of a service that it asked.
        let tells = text(&line["message"]).contains(" returned error: ");
        assert_eq!(line["status_code"].is_u64(), is_web || tells, "{line}");
        assert_eq!(line["method"].is_string(), is_web, "{line}");
        let status = line["status_code"].as_u64().unwrap_or(0);
        let fits = match text(&line["level"]) {
            _ if !is_web && !tells => status == 0,
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
