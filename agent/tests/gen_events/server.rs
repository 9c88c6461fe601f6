//! The server: what it answers, to whom, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::Running;
use crate::{is_anomalous, said, tapline};

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) process: Running,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let arguments = [&["--serve", "127.0.0.1:0", "--seed", "7"], arguments].concat();
        let mut process = Running::start(&mut tapline(&arguments));
        let mut line = String::new();
        let mut stderr = BufReader::new(process.0.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        process.0.stderr = Some(stderr.into_inner());
        let address = line.split_once("http://").unwrap().1;
        let address = address.split([' ', '/']).next().unwrap().to_owned();
        Self { process, address }
    }

    /// What curl gives, and the status.
    pub(crate) fn curl(&self, arguments: &[&str], path: &str) -> (u16, String) {
        let output = Command::new("curl")
            .args(["-s", "-w", "\n%{http_code}", "--max-time", "20"])
            .args(arguments)
            .arg(format!("http://{}{path}", self.address))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.curl(&[], path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let json = "Content-Type: application/json";
        let (status, answer) = self.curl(&["-X", method, "-H", json, "-d", &body], path);
        (status, serde_json::from_str(&answer).unwrap())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send("POST", path, body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The first lines of a stream, from a curl that is ended then.
    pub(crate) fn stream(&self, path: &str, count: usize) -> Vec<String> {
        let mut curl = Command::new("curl")
            .args(["-s", "-N", "--max-time", "30"])
            .arg(format!("http://{}{path}", self.address))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let reader = BufReader::new(curl.stdout.take().unwrap());
        let read = reader.lines().take(count).map(Result::unwrap).collect();
        curl.kill().unwrap();
        curl.wait().unwrap();
        read
    }

    /// The address of an open WebSocket.
    pub(crate) fn socket(&self) -> String {
        format!("ws://{}/ws/logs", self.address)
    }
}

pub(crate) fn logs(answer: &Value) -> Vec<Value> {
    answer["logs"].as_array().unwrap().clone()
}

#[test]
fn short_addresses_are_of_this_host_and_others_are_warned_of() {
    let said = |address: &str| {
        let output = tapline(&["--serve", address, "--duration", "100ms"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        said(&output)
    };
    for address in ["0", ":0", "localhost:0", "[::1]:0"] {
        let said = said(address);
        let host = if address.contains('[') {
            "[::1]"
        } else {
            "127.0.0.1"
        };
        assert!(
            said.contains(&format!("serves events at http://{host}:")),
            "{said}"
        );
        assert!(!said.contains("warning"), "{said}");
    }
    let said = said("0.0.0.0:0");
    assert!(said.contains("warning: whoever reaches 0.0.0.0:"), "{said}");
}

#[test]
fn pages_of_this_host_may_read_what_is_answered() {
    let server = Server::start(&[]);
    let allows = "access-control-allow-origin: ";
    for origin in [
        "http://localhost:3000",
        "https://127.0.0.1",
        "http://[::1]:8080",
    ] {
        let field = format!("Origin: {origin}");
        let (status, answer) = server.curl(&["-i", "-H", &field], "/api/status");
        assert_eq!(status, 200);
        assert!(
            answer.contains(&format!("{allows}{origin}\r\n")),
            "{answer}"
        );
        let before = [
            "-i",
            "-X",
            "OPTIONS",
            "-H",
            &field,
            "-H",
            "Access-Control-Request-Method: PUT",
        ];
        let (status, answer) = server.curl(&before, "/api/config/anomalies");
        assert_eq!(status, 204, "{answer}");
        assert!(
            answer.contains(&format!("{allows}{origin}\r\n")),
            "{answer}"
        );
        assert!(
            answer.contains("access-control-allow-methods: GET, POST, PUT"),
            "{answer}"
        );
        assert!(
            answer.contains("access-control-allow-headers: content-type"),
            "{answer}"
        );
    }
    for origin in [
        "https://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.x:80",
    ] {
        let field = format!("Origin: {origin}");
        for method in ["GET", "OPTIONS"] {
            let asked = [
                "-i",
                "-X",
                method,
                "-H",
                &field,
                "-H",
                "Access-Control-Request-Method: GET",
            ];
            let (status, answer) = server.curl(&asked, "/api/status");
            assert_eq!(status, 403, "{answer}");
            assert!(!answer.contains(allows), "{answer}");
        }
    }
    let (_, answer) = server.curl(&["-i"], "/api/status");
    assert!(!answer.contains(allows), "{answer}");
}

#[test]
fn the_documented_requests_are_answered() {
    let server = Server::start(&[]);
    let root = server.get("/");
    assert_eq!(root["name"], "Synthetic Logs Generator API");
    for (name, path) in [
        ("generate", "/api/generate"),
        ("stream", "/api/stream"),
        ("websocket", "/ws/logs"),
        ("config", "/api/config"),
        ("status", "/api/status"),
    ] {
        assert_eq!(root["endpoints"][name], path);
    }
    assert_eq!(server.get("/health")["status"], "healthy");
    assert_eq!(server.get("/health")["generator_ready"], true);
    let status = server.get("/api/status");
    assert_eq!(status["logs_generated"], 0);
    assert_eq!(status["is_running"], false);
    assert_eq!(status["current_anomaly_active"], false);
    assert!(status["start_time"].is_string());
    let config = server.get("/api/config");
    assert_eq!(
        config["sources"]["database"]["services"],
        json!(["postgresql", "mongodb", "redis"])
    );
    assert_eq!(
        config["anomalies"]["types"]["latency_degradation"]["multiplier"],
        5.0
    );

    let made = server.post(
        "/api/generate",
        &json!({"count": 50, "anomaly_rate": 0.1, "include_labels": true, "format": "json"}),
    );
    assert_eq!(
        (made["count"].as_u64(), made["anomaly_count"].as_u64()),
        (Some(50), Some(5))
    );
    assert_eq!(logs(&made).len(), 50);
    assert_eq!(logs(&made).iter().filter(is_anomalous).count(), 5);
    let (status, body) = server.curl(&["-X", "POST"], "/api/generate");
    let made: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, made["count"].as_u64()),
        (200, Some(100)),
        "no body: the defaults"
    );
    let made = server.post(
        "/api/generate",
        &json!({"count": 3, "format": "text", "include_labels": false}),
    );
    assert!(
        logs(&made)
            .iter()
            .all(|line| line.as_str().unwrap().starts_with('[')),
        "{made}"
    );
    assert!(!made.to_string().contains("ANOMALY"));
    let most = server.post(
        "/api/generate",
        &json!({"count": 10_000, "anomaly_rate": 0.5}),
    );
    assert_eq!(logs(&most).iter().filter(is_anomalous).count(), 5000);

    let (status, one) = server.curl(&["-X", "POST"], "/api/generate/single?force_anomaly=true");
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!((status, &one["_labels"]["is_anomaly"]), (200, &json!(true)));
    let (_, one) = server.curl(&["-X", "POST"], "/api/generate/single?include_labels=false");
    assert!(
        serde_json::from_str::<Value>(&one)
            .unwrap()
            .get("_labels")
            .is_none()
    );

    let status = server.get("/api/status");
    assert_eq!(status["logs_generated"], 50 + 100 + 3 + 10_000 + 2);
    let (status, reset) = server.curl(&["-X", "POST"], "/api/reset");
    assert_eq!((status, reset.contains("Statistics reset")), (200, true));
    assert_eq!(server.get("/api/status")["logs_generated"], 0);

    let (status, page) = server.curl(&["-i"], "/docs");
    assert_eq!(status, 200);
    assert!(page.contains("text/html") && page.contains("openapi.json"));
    let description = server.get("/openapi.json");
    assert_eq!(description["openapi"], "3.1.0");
    assert_eq!(description["info"]["version"], root["version"]);
    let (status, _) = server.curl(&[], "/nothing");
    assert_eq!(status, 404);
    let (status, _) = server.curl(&[], "/api/generate");
    assert_eq!(status, 405);
}

#[test]
fn a_signal_ends_the_server_and_its_streams() {
    let mut server = Server::start(&[]);
    let mut curl = Command::new("curl")
        .args(["-s", "-N", "--max-time", "30"])
        .arg(format!(
            "http://{}/api/stream/ndjson?interval=60",
            server.address
        ))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(curl.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let begun = Instant::now();
    server.process.signal("TERM");
    let (code, said) = server.process.end();
    assert_eq!(code, 0);
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        curl.wait().unwrap().code(),
        Some(0),
        "the stream ends as it should"
    );
    assert!(said.contains("1 records served"), "{said}");
}

#[test]
fn what_is_no_http_harms_nobody() {
    let server = Server::start(&[]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET /ws/logs HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = [0; 100];
        drop(stream.read(&mut answer));
    }
    let huge = "x".repeat(70_000);
    let json = "Content-Type: application/json";
    let (status, _) = server.curl(&["-X", "POST", "-H", json, "-d", &huge], "/api/generate");
    assert_eq!(status, 413);
    assert_eq!(server.get("/health")["status"], "healthy");
}
