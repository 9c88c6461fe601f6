//! The server over real sockets: what is asked as bytes, what is answered as bytes.

mod alerting;
mod answering;
mod back_end;
mod connecting;
mod entering;
mod following;
mod looking_on;
mod stalling;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use agent_common::counters::Ignored;

use super::api::description::tests::check;
use super::connections::HEAD_BYTES;
use super::*;
use crate::capture::reader::Progress;

/// A server whose questions are answered with `packets` TCP packets in, on CPU 0, and 7 CQ heads.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start(packets: u64, interfaces: &'static [&'static str]) -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(Some(listen)).unwrap();
        let address = listener.0.as_ref().unwrap().1;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(answer(listener, packets, interfaces, stopped));
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Sends a request, and asks for the end of the connection with it, and gives everything that
    /// comes back.
    fn exchange(&self, request: &[u8]) -> String {
        let request = String::from_utf8(request.to_vec()).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
        let request = format!("{head}\r\nConnection: close\r\n\r\n{body}");
        self.exchange_exactly(request.as_bytes())
    }

    /// Sends bytes and gives everything that comes back until the server closes.
    fn exchange_exactly(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let answer = rest_of(&mut stream);
        let line = String::from_utf8_lossy(request);
        let mut words = line.lines().next().unwrap_or_default().split(' ');
        if let (Some(method), Some(target), Some(_), None) =
            (words.next(), words.next(), words.next(), words.next())
            && method != "HEAD"
        {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            check(method, target, head, body);
        }
        answer
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(panic)) = self.thread.take().map(thread::JoinHandle::join)
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn run() -> Serving {
    Serving {
        mode: Mode::Run,
        ..Serving::default()
    }
}

async fn answer(
    listener: Listener,
    packets: u64,
    interfaces: &[&str],
    mut stopped: oneshot::Receiver<()>,
) {
    let mut server = Server::start(listener, None, run()).unwrap();
    let progress = Progress::new(1);
    progress.heads_by_cpu[0][0].store(7, Relaxed);
    let mut asked = 0;
    loop {
        let question = tokio::select! {
            question = server.question() => question,
            _ = &mut stopped => return,
        };
        asked += 1;
        let mut counters = Counters::default();
        counters.packets[0][0] = packets;
        counters.ignored[Ignored::Tls as usize] = asked;
        let interfaces = interfaces.iter().map(|name| Interface {
            name: (*name).to_owned(),
            hook: "tc".to_owned(),
        });
        let interfaces = interfaces.collect();
        let taken = Taken::of(&progress, SinkCounts::default(), Vec::new());
        question.answer(server.snapshot(vec![counters], taken, interfaces));
    }
}

/// A connection that is reset after the answer was an answer all the same.
fn rest_of(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut block = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut block) {
        answer.extend_from_slice(&block[..length]);
    }
    String::from_utf8(answer).unwrap()
}

fn split(answer: &str) -> (&str, &str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, fields) = head.split_once("\r\n").unwrap();
    (status, fields, body)
}

#[test]
fn metrics_are_read_when_they_are_asked_for() {
    let running = Running::start(5, &["eth0"]);
    for asked in 1..=3 {
        let answer = running.exchange(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (status, fields, body) = split(&answer);
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(
            fields.contains("content-type: text/plain; version=0.0.4\r\n"),
            "{fields}"
        );
        let check = |line: &str| assert!(body.lines().any(|found| found == line), "{line}\n{body}");
        let incoming = "cpu=\"0\",direction=\"incoming\",protocol=\"tcp\"";
        check(&format!("tapline_packets_total{{{incoming}}} 5"));
        check(&format!(
            "tapline_ignored_total{{reason=\"tls\",cpu=\"0\"}} {asked}"
        ));
        check("tapline_heads_total{kind=\"CQ\",cpu=\"0\"} 7");
        check("# TYPE process_open_fds gauge");
    }
}

#[test]
fn health_says_the_state_and_the_interfaces() {
    let check = |interfaces, state: &str, reasons: &[&str]| {
        let running = Running::start(1, interfaces);
        let answer = running.exchange(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n");
        let (status, fields, body) = split(&answer);
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(
            fields.contains("content-type: application/json"),
            "{fields}"
        );
        let health: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(health["state"], state);
        assert_eq!(health["reasons"], serde_json::json!(reasons));
        assert_eq!(health["interfaces"], serde_json::json!(interfaces));
        let since: Timestamp = health["since"].as_str().unwrap().parse().unwrap();
        let age = Timestamp::now().duration_since(since).as_secs();
        assert!((0..60).contains(&age), "{health}");
    };
    check(&["eth0", "lo"], "healthy", &[]);
    check(&[], "degraded", &["no_interface"]);
}

#[test]
fn all_else_is_refused_with_one_sentence() {
    let running = Running::start(1, &["eth0"]);
    let check = |request: &str, expected: &str, says: &str| {
        let answer = running.exchange(request.as_bytes());
        let (status, fields, body) = split(&answer);
        assert_eq!(status, format!("HTTP/1.1 {expected}"), "{request:?}");
        assert_eq!(body.lines().count(), 1, "{body}");
        assert!(body.contains(says), "{body}");
        fields.to_owned()
    };
    let host = "Host: localhost\r\n\r\n";
    for target in [
        "/index.html",
        "/assets",
        "/assets/",
        "/metrics/",
        "/metric",
        "/%6detrics",
        "//metrics",
        "/../health",
    ] {
        for method in ["GET", "POST"] {
            let request = format!("{method} {target} HTTP/1.1\r\n{host}");
            check(&request, "404 Not Found", "/api/openapi.json");
        }
    }
    for target in ["/assets/none.js", "/assets/../index.html"] {
        let request = format!("GET {target} HTTP/1.1\r\n{host}");
        check(&request, "404 Not Found", "/api/openapi.json");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "QUERY", "get"] {
        for target in [
            "/metrics",
            "/health",
            "/api/ledger",
            "/api/openapi.json",
            "/ready",
            "/",
        ] {
            let request = format!("{method} {target} HTTP/1.1\r\n{host}");
            let fields = check(&request, "405 Method Not Allowed", "Method Not Allowed");
            assert!(fields.contains("allow: GET,HEAD"), "{fields}");
        }
    }
    // No store is behind it.
    for target in ["/api/logs", "/api/logs/1", "/api/exchanges?limit=1"] {
        let request = format!("GET {target} HTTP/1.1\r\n{host}");
        check(
            &request,
            "503 Service Unavailable",
            "Nothing is stored here",
        );
    }
    check(
        &format!("POST /api/logs HTTP/1.1\r\n{host}"),
        "503 Service Unavailable",
        "Nothing is stored here",
    );
    let get = "GET /metrics HTTP/1.1\r\n";
    for host in ["example.com", "localhost.example.com:8000", "10.0.0.1", ""] {
        let request = format!("{get}Host: {host}\r\n\r\n");
        check(&request, "421 Misdirected Request", "only to localhost");
    }
    // The host in the target counts as well.
    let request = format!("GET http://example.com/metrics HTTP/1.1\r\n{host}");
    check(&request, "421 Misdirected Request", "only to localhost");
    for fields in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: \u{e9}\r\n",
    ] {
        let request = format!("{get}{fields}\r\n");
        check(&request, "400 Bad Request", "one Host field");
    }
}

#[test]
fn the_page_is_there_or_it_is_said_how_to_get_it() {
    let running = Running::start(1, &["eth0"]);
    let answer = running.exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (status, fields, body) = split(&answer);
    assert!(
        fields.contains("content-type: text/html; charset=utf-8"),
        "{fields}"
    );
    match status {
        "HTTP/1.1 200 OK" => {
            assert!(body.contains("<script type=\"module\""), "{body}");
            assert!(fields.contains("cache-control: no-cache"), "{fields}");
        }
        _ => {
            assert_eq!(status, "HTTP/1.1 404 Not Found");
            assert!(body.contains("cargo xtask dashboard"), "{body}");
        }
    }
}

#[test]
fn a_request_of_a_program_without_a_host_is_answered() {
    let running = Running::start(1, &["eth0"]);
    let answer = running.exchange(b"GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(split(&answer).0, "HTTP/1.0 200 OK");
}

#[test]
fn head_gives_the_fields_alone() {
    let running = Running::start(1, &["eth0"]);
    let answer = running.exchange(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (status, fields, body) = split(&answer);
    assert_eq!((status, body), ("HTTP/1.1 200 OK", ""));
    assert!(fields.contains("content-length: "), "{fields}");
}

#[test]
fn the_agent_of_a_capture_tells_of_its_cpus() {
    let running = Running::start(5, &["eth0"]);
    let answer = running.exchange(b"GET /api/agent HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (status, _, body) = split(&answer);
    assert_eq!(status, "HTTP/1.1 200 OK");
    let agent: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(agent["mode"], "run");
    assert_eq!(
        agent["interfaces"][0],
        serde_json::json!({"name": "eth0", "hook": "tc"})
    );
    let cpu = &agent["cpus"][0];
    assert_eq!(
        (&cpu["cpu"], &cpu["packets"], &cpu["heads"]),
        (&0.into(), &5.into(), &7.into())
    );
    assert_eq!(agent["sinks"][0]["name"], "log");
    assert_eq!(agent["health"]["state"], "healthy");
    assert!(agent["health"]["since"].is_string());
}

#[test]
fn a_capture_without_a_store_shows_what_it_counts() {
    let running = Running::start(5, &["eth0"]);
    let mut stream = running.connect();
    stream
        .write_all(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    let mut block = [0; 4096];
    while text.matches("event: tick").count() < 3 {
        let length = stream.read(&mut block).unwrap();
        text += std::str::from_utf8(&block[..length]).unwrap();
    }
    let last = text
        .lines()
        .rfind(|line| line.starts_with("data: "))
        .unwrap();
    let tick: serde_json::Value = serde_json::from_str(&last[6..]).unwrap();
    assert_eq!(tick["cpus"][0]["packets"], 5);
    assert_eq!(tick["second"]["requests"], 0);
    assert_eq!(tick["minute"]["rate"], 0.0);
    // What a capture does not count is not known.
    for field in ["request_bytes", "p99_us"] {
        assert!(tick["minute"][field].is_null(), "{tick}");
    }
    assert!(tick["recent"].is_null());
}

#[test]
fn the_ledger_of_a_capture_is_told_live() {
    let running = Running::start(5, &["eth0"]);
    let answer = running.exchange(b"GET /api/ledger HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (status, _, body) = split(&answer);
    assert_eq!(status, "HTTP/1.1 200 OK");
    let ledger: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(ledger["packets"], 5);
    assert_eq!(ledger["heads"]["kinds"]["CQ"], 7);
    assert_eq!(ledger["identities"]["records"]["holds"], true);
}

/// Handlers whose questions nobody answers any more; they end with what is beside them.
fn router_of_an_ended_capture() -> (watch::Sender<()>, axum::Router) {
    let (asker, questions) = mpsc::channel(1);
    drop(questions);
    let (stop, stopped) = watch::channel(());
    let guard = Arc::new(Guard::new(Ipv4Addr::LOCALHOST.into(), None));
    let hub = Hub::new(
        Mode::Run,
        Some(asker),
        None,
        guard,
        Vec::new(),
        Patience::default(),
        stopped,
    );
    (stop, routes::router(&hub))
}

#[test]
fn nobody_answers_once_the_capture_is_over() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let request = axum::extract::Request::get("/metrics")
        .header("host", "localhost")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = runtime.block_on(async {
        use hyper::service::Service as _;
        let (_stop, router) = router_of_an_ended_capture();
        hyper_util::service::TowerToHyperService::new(router)
            .call(request)
            .await
            .unwrap()
    });
    assert_eq!(answer.status(), 503);
}

#[test]
fn an_address_that_cannot_be_had_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let check = |address: SocketAddr, expected: &str| {
        let error = Listener::bind(Some(address)).unwrap_err().to_string();
        let expected = format!("cannot listen on {address}: {expected}; ");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("--listen"), "{error}");
    };
    check(address, "another program listens there");
    // TEST-NET-1 (RFC 5737) is on no interface.
    let absent = SocketAddr::from(([192, 0, 2, 1], 8000));
    check(absent, "no interface that is up has this address");
}

#[test]
fn without_an_address_there_is_no_server() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut server = Server::start(Listener::bind(None).unwrap(), None, run()).unwrap();
        assert_eq!(server.address(), None);
        let wait = tokio::time::timeout(Duration::from_millis(20), server.question());
        assert!(wait.await.is_err());
    });
}
