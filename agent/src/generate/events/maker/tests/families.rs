//! What anomalies of each family are like.

use super::*;

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
    let of_first = of_first.count();
    assert!((20..=60).contains(&of_first), "{of_first}");
}

#[test]
fn latency_becomes_worse() {
    let records = anomalous(&only("latency_degradation", "multiplier: 20"), 40_000);
    let mut seen = [0_u32; 3];
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut begun = BTreeSet::new();
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
                assert!(time <= 1000.0 && status == fine, "{line}");
                seen[2] += 1;
            }
        }
        assert!(
            line["_labels"]["anomaly_score"].as_f64().unwrap() >= 0.3,
            "{line}"
        );
        if begun.insert(mark.episode) {
            first.push(time);
        }
        if mark.is_last {
            last.push(time);
        }
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
        let mut before = BTreeMap::new();
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
            let less = before.insert(mark.episode, usage);
            assert!(less.is_none_or(|less| usage >= less), "{line}");
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
