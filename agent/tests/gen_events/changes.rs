//! What is changed while the server runs, and what is wrong with a change.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::of_type;
use crate::server::{Server, logs};

#[test]
fn the_configuration_is_changed_for_what_comes() {
    let server = Server::start(&["--no-labels"]);
    let (status, answer) = server.send(
        "PUT",
        "/api/config/generator",
        &json!({"batch_size": 25, "interval": 0.5, "total_logs": 0}),
    );
    assert_eq!(status, 200);
    assert_eq!(answer["message"], "Generator configuration updated");
    assert_eq!(
        answer["config"],
        json!({"batch_size": 25, "interval": 0.5, "total_logs": 0})
    );
    let body = json!({"probability": 1.0, "error_spike_enabled": false, "latency_degradation_enabled": false,
        "security_threat_enabled": false, "resource_exhaustion_enabled": false, "service_outage_enabled": false});
    let (status, answer) = server.send("PUT", "/api/config/anomalies", &body);
    assert_eq!(status, 200);
    assert_eq!(answer["message"], "Anomaly configuration updated");
    assert_eq!(answer["config"]["types"]["data_anomaly"]["enabled"], true);
    assert_eq!(answer["config"]["types"]["error_spike"]["enabled"], false);
    let made = server.post("/api/generate", &json!({"include_labels": true}));
    assert_eq!(made["count"], 25);
    assert_eq!(of_type(&logs(&made), "data_anomaly"), 25);
    assert!(
        server.post("/api/generate", &json!({"count": 1}))["logs"][0]
            .get("_labels")
            .is_none()
    );
    assert_eq!(server.get("/api/config")["generator"]["batch_size"], 25);
    // What is not named stays as it is.
    let (status, answer) = server.send("PUT", "/api/config/generator", &json!({"interval": 2.0}));
    assert_eq!(
        (status, &answer["config"]),
        (
            200,
            &json!({"batch_size": 25, "interval": 2.0, "total_logs": 0})
        )
    );
    let (_, answer) = server.send("PUT", "/api/config/anomalies", &json!({"probability": 0.5}));
    assert_eq!(answer["config"]["types"]["error_spike"]["enabled"], false);
    let body = json!({"error_spike_enabled": true});
    let (_, answer) = server.send("PUT", "/api/config/anomalies", &body);
    assert_eq!(answer["config"]["probability"], 0.5);
    assert_eq!(answer["config"]["types"]["error_spike"]["enabled"], true);
    assert_eq!(
        answer["config"]["types"]["service_outage"]["enabled"],
        false
    );
}

#[test]
fn anomalies_that_cannot_come_are_422() {
    let server = Server::start(&[]);
    let mut body = json!({"probability": 0.5});
    for family in ["error_spike", "latency_degradation", "security_threat"] {
        body[format!("{family}_enabled")] = json!(false);
    }
    for family in ["resource_exhaustion", "service_outage", "data_anomaly"] {
        body[format!("{family}_enabled")] = json!(false);
    }
    let (status, answer) = server.send("PUT", "/api/config/anomalies", &body);
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["detail"][0]["loc"], json!(["body", "probability"]));
    body["probability"] = json!(0);
    let (status, answer) = server.send("PUT", "/api/config/anomalies", &body);
    assert_eq!(status, 200, "{answer}");
    // The families are off by now.
    let (status, answer) =
        server.send("PUT", "/api/config/anomalies", &json!({"probability": 0.5}));
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["detail"][0]["loc"], json!(["body", "probability"]));
    for path in ["/api/stream", "/api/stream/ndjson"] {
        let (status, answer) = server.curl(&[], &format!("{path}?anomaly_rate=0.5"));
        assert_eq!(status, 422, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["detail"][0]["loc"], json!(["query", "anomaly_rate"]));
    }
    let event = server.stream("/api/stream?anomaly_rate=0&max_batches=1", 1);
    assert!(event[0].contains("\"anomaly_count\":0"), "{event:?}");
    let (status, answer) = server.send("POST", "/api/generate", &json!({"anomaly_rate": 0.5}));
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["detail"][0]["loc"], json!(["body", "anomaly_rate"]));
    assert_eq!(
        server.post("/api/generate", &json!({"count": 3}))["anomaly_count"],
        0
    );
}

#[test]
fn what_is_wrong_is_422_with_the_field() {
    let server = Server::start(&[]);
    let check = |method: &str, path: &str, body: Value, field: &str| {
        let (status, answer) = server.send(method, path, &body);
        assert_eq!(status, 422, "{path} {body}: {answer}");
        assert_eq!(
            answer["detail"][0]["loc"],
            json!(["body", field]),
            "{answer}"
        );
    };
    check("POST", "/api/generate", json!({"count": 0}), "count");
    check("POST", "/api/generate", json!({"count": "10"}), "count");
    check(
        "POST",
        "/api/generate",
        json!({"anomaly_rate": "0.5"}),
        "anomaly_rate",
    );
    check(
        "PUT",
        "/api/config/generator",
        json!({"interval": "1"}),
        "interval",
    );
    check("POST", "/api/generate", json!({"count": 10_001}), "count");
    check(
        "POST",
        "/api/generate",
        json!({"anomaly_rate": 1.5}),
        "anomaly_rate",
    );
    check("POST", "/api/generate", json!({"format": "xml"}), "format");
    check(
        "POST",
        "/api/generate",
        json!({"include_labels": "perhaps"}),
        "include_labels",
    );
    check(
        "POST",
        "/api/inject-anomaly",
        json!({"anomaly_type": "meteor"}),
        "anomaly_type",
    );
    check("POST", "/api/inject-anomaly", json!({}), "anomaly_type");
    check(
        "POST",
        "/api/inject-anomaly",
        json!({"anomaly_type": "error_spike", "duration_logs": 4}),
        "duration_logs",
    );
    check(
        "POST",
        "/api/inject-anomaly",
        json!({"anomaly_type": "error_spike", "duration_logs": 101}),
        "duration_logs",
    );
    check(
        "PUT",
        "/api/config/generator",
        json!({"batch_size": 0}),
        "batch_size",
    );
    check(
        "PUT",
        "/api/config/generator",
        json!({"interval": 61}),
        "interval",
    );
    check(
        "PUT",
        "/api/config/generator",
        json!({"total_logs": -1}),
        "total_logs",
    );
    check(
        "PUT",
        "/api/config/anomalies",
        json!({"probability": -0.1}),
        "probability",
    );
    check(
        "PUT",
        "/api/config/anomalies",
        json!({"error_spike_enabled": 3}),
        "error_spike_enabled",
    );
    for (path, field) in [
        ("/api/stream?batch_size=0", "batch_size"),
        ("/api/stream?batch_size=101", "batch_size"),
        ("/api/stream?interval=0.05", "interval"),
        ("/api/stream?anomaly_rate=2", "anomaly_rate"),
        ("/api/stream?max_batches=0", "max_batches"),
        ("/api/stream/ndjson?interval=0", "interval"),
        ("/api/stream/ndjson?include_labels=x", "include_labels"),
    ] {
        let (status, answer) = server.curl(&[], path);
        assert_eq!(status, 422, "{path}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            answer["detail"][0]["loc"],
            json!(["query", field]),
            "{answer}"
        );
    }
    let (status, _) = server.curl(&["-X", "POST", "-d", "{"], "/api/generate");
    assert_eq!(status, 415);
    let json = "Content-Type: application/json";
    let (status, _) = server.curl(&["-X", "POST", "-H", json, "-d", "{"], "/api/generate");
    assert_eq!(status, 422);
    // Without a Content-Type it is JSON, and what nobody knows is passed over.
    let body = "{\"count\":3,\"colour\":\"red\"}";
    let (status, answer) = server.curl(
        &["-X", "POST", "-H", "Content-Type:", "-d", body],
        "/api/generate?x=1",
    );
    assert_eq!(status, 200, "{answer}");
    let (status, _) = server.curl(&["-X", "POST"], "/api/generate/single?x=1&x=2");
    assert_eq!(status, 200);
    // No page of another host, and no other name of this one.
    let (status, _) = server.curl(&["-H", "Origin: https://example.com"], "/api/status");
    assert_eq!(status, 403);
    let (status, _) = server.curl(&["-H", "Origin: http://localhost:3000"], "/api/status");
    assert_eq!(status, 200);
    let (status, _) = server.curl(&["-H", "Host: example.com"], "/api/status");
    assert_eq!(status, 421);
}

#[test]
fn what_is_injected_is_not_lost() {
    let server = Server::start(&[]);
    let inject = |family: &str, records: u32| {
        let body = json!({"anomaly_type": family, "duration_logs": records});
        let answer = server.post("/api/inject-anomaly", &body);
        assert_eq!(
            answer,
            json!({"message": format!("Anomaly '{family}' injected"), "duration_logs": records})
        );
    };
    let generate = |count: u32| {
        logs(&server.post("/api/generate", &json!({"count": count, "anomaly_rate": 0})))
    };
    inject("service_outage", 10);
    assert_eq!(server.get("/api/status")["current_anomaly_active"], true);
    assert_eq!(of_type(&generate(10), "service_outage"), 5);
    assert_eq!(of_type(&generate(30), "service_outage"), 5);
    assert_eq!(of_type(&generate(30), "service_outage"), 0);
    // Nobody was there: the stream that comes next sees it, and so does who generates.
    inject("security_threat", 5);
    let event = server.stream("/api/stream?anomaly_rate=0&batch_size=40&interval=0.1", 1);
    let event: Value = serde_json::from_str(event[0].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(of_type(&logs(&event), "security_threat"), 5);
    // What requests have shown is not shown again.
    assert_eq!(of_type(&logs(&event), "service_outage"), 0);
    assert_eq!(of_type(&generate(30), "security_threat"), 5);
    // One that is open sees it too.
    let path = "/api/stream/ndjson?anomaly_rate=0&batch_size=10&interval=0.05";
    let mut curl = Command::new("curl")
        .args(["-s", "-N", "--max-time", "30"])
        .arg(format!("http://{}{path}", server.address))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(curl.stdout.take().unwrap()).lines();
    reader.next().unwrap().unwrap();
    assert_eq!(server.get("/api/status")["is_running"], true);
    inject("data_anomaly", 20);
    let seen = reader
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .filter(|line| line["_labels"]["anomaly_type"] == "data_anomaly")
        .take(20)
        .count();
    assert_eq!(seen, 20);
    curl.kill().unwrap();
    curl.wait().unwrap();
}
