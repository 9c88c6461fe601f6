//! Streams, read by curl.

use serde_json::{Value, json};

use crate::server::{Server, logs};
use crate::{is_anomalous, lines};

#[test]
fn streams_are_read_by_curl_and_are_their_own() {
    let server = Server::start(&[]);
    let path =
        "/api/stream?batch_size=5&interval=0.1&anomaly_rate=1&max_batches=3&include_labels=true";
    let (status, text) = server.curl(&["-N", "-i"], path);
    assert_eq!(status, 200);
    let head = text.split("\r\n\r\n").next().unwrap().to_lowercase();
    for field in [
        "content-type: text/event-stream",
        "cache-control: no-cache",
        "x-accel-buffering: no",
    ] {
        assert!(head.contains(field), "{head}");
    }
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 3, "it ends by itself");
    for (number, event) in (1..).zip(&events) {
        assert_eq!(event["batch"], number);
        assert_eq!(event["count"], 5);
        assert_eq!(event["anomaly_count"], 5);
        assert_eq!(logs(event).iter().filter(is_anomalous).count(), 5);
    }
    let text = server.stream("/api/stream/ndjson?interval=0.01&anomaly_rate=0", 50);
    assert_eq!(
        lines(text.join("\n").as_bytes())
            .iter()
            .filter(is_anomalous)
            .count(),
        0
    );
    // What one stream asks for changes nothing for others.
    assert_eq!(server.get("/api/config")["anomalies"]["probability"], 0.05);
    let made = server.post("/api/generate", &json!({"count": 1000}));
    assert_eq!(made["anomaly_count"], 50);
    let status = server.get("/api/status");
    assert!(
        status["logs_generated"].as_u64().unwrap() >= 15 + 50 + 1000,
        "every channel counts"
    );
}
