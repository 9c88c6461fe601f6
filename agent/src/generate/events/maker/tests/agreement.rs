//! Every record agrees with itself.

use super::*;

/// What must hold in every record, damaged or not.
pub(super) fn agrees(line: &Value) -> Result<(), String> {
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
    let failure = message.split_once("returned error: ");
    if let Some((_, told)) = failure {
        holds(told.parse().ok() == status, "the status of the message")?;
    }
    if let (Some(status), false) = (status, code.is_empty()) {
        let fitting: &[u64] = match code {
            "ERR_TIMEOUT" => &[504],
            "ERR_CONNECTION_REFUSED" | "ERR_SERVICE_UNAVAILABLE" => &[502, 503],
            "ERR_INTERNAL" => &[500],
            "ERR_VALIDATION" => &[422],
            "ERR_UNAUTHORIZED" => &[401],
            "ERR_RATE_LIMIT" => &[429],
            _ => &[],
        };
        holds(fitting.contains(&status), "the status of the code")?;
    }
    if text(&line["source"]) != "web-server" && line["_labels"]["is_anomaly"] == false {
        holds(
            status.is_some() == failure.is_some() && line["method"].is_null(),
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
