//! `/ws/live` with a client of another library, and byte by byte.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

use super::back_end::{Running, SECRET};
use crate::http::exchange::record::ExchangeRecord;
use crate::server::api::description::tests::check_message;
use crate::server::live::rows::SOCKETS;
use crate::session::identifier::Identifier;
use crate::sink::batch::samples::exchange;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(running: &Running) -> Socket {
    let address = format!("ws://localhost:{}/ws/live", running.address.port());
    let uri = address.parse().unwrap();
    let (socket, _) = ClientBuilder::from_uri(uri).connect().await.unwrap();
    socket
}

async fn next(socket: &mut Socket) -> Value {
    let next = tokio::time::timeout(Duration::from_secs(20), socket.next());
    let message = next.await.unwrap().unwrap().unwrap();
    let message = serde_json::from_str(message.as_text().unwrap()).unwrap();
    check_message("server", &message);
    message
}

/// Says something, and gives the answer.
async fn say(socket: &mut Socket, message: &str) -> Value {
    socket
        .send(Message::text(message.to_owned()))
        .await
        .unwrap();
    next(socket).await
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// So many exchanges of now; every other one is a POST.
fn exchanges(from: u64, count: u64) -> Vec<ExchangeRecord<'static>> {
    let records = (from..from + count).map(|number| ExchangeRecord {
        exchange_id: Identifier::new(4, number),
        ts: Timestamp::now(),
        method: Some(if number.is_multiple_of(2) {
            "GET"
        } else {
            "POST"
        }),
        status: Some(200),
        ..exchange()
    });
    records.collect()
}

/// Exchanges until so many have come, and how many were skipped.
async fn collect(socket: &mut Socket, count: usize) -> (Vec<Value>, u64) {
    let (mut found, mut skipped) = (Vec::new(), 0);
    while found.len() + (skipped as usize) < count {
        let message = next(socket).await;
        found.extend(message["exchanges"].as_array().unwrap().iter().cloned());
        skipped += message["skipped"].as_u64().unwrap();
    }
    (found, skipped)
}

#[test]
fn what_is_stored_comes_to_those_who_want_it() {
    let mut running = Running::start();
    // What was there before is of no interest.
    running.store(&exchanges(0, 3));
    block(async {
        let mut all = open(&running).await;
        let mut posts = open(&running).await;
        let mut paused = open(&running).await;
        let nothing = json!({"exchanges": [], "skipped": 0});
        let wish = r#"{"filter": {"method": "POST", "status": "2xx"}}"#;
        check_message("client", &serde_json::from_str(wish).unwrap());
        check_message("client", &json!({"paused": true}));
        assert_eq!(say(&mut posts, wish).await, nothing);
        assert_eq!(say(&mut paused, r#"{"paused": true}"#).await, nothing);
        // The server has begun to look by then.
        tokio::time::sleep(Duration::from_millis(700)).await;
        running.store(&exchanges(10, 7));
        let (found, skipped) = collect(&mut all, 7).await;
        assert_eq!((found.len(), skipped), (7, 0));
        let id = |record: &Value| record["exchange_id"].as_str().unwrap().to_owned();
        let expected: Vec<String> = (10..17)
            .map(|number| Identifier::new(4, number).to_string())
            .collect();
        assert_eq!(found.iter().map(id).collect::<Vec<_>>(), expected);
        assert_eq!(found[0]["target"], exchange().target.unwrap());
        let (found, _) = collect(&mut posts, 3).await;
        assert!(found.iter().all(|record| record["method"] == "POST"));
        // Going on shows what comes from then on.
        assert_eq!(say(&mut paused, r#"{"paused": false}"#).await, nothing);
        running.store(&exchanges(20, 1));
        let (found, skipped) = collect(&mut paused, 1).await;
        assert_eq!(
            (id(&found[0]), skipped),
            (Identifier::new(4, 20).to_string(), 0)
        );
    });
}

#[test]
fn a_flood_is_cut_and_counted() {
    let mut running = Running::start();
    block(async {
        let mut socket = open(&running).await;
        say(&mut socket, "{}").await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        running.store(&exchanges(0, 5_000));
        let begun = Instant::now();
        let (found, skipped) = collect(&mut socket, 5_000).await;
        assert_eq!(found.len() as u64 + skipped, 5_000);
        let most = 50 * (1 + begun.elapsed().as_millis() as usize / 250);
        assert!(found.len() <= most, "{} {most}", found.len());
    });
}

#[test]
fn nonsense_is_answered_and_in_the_end_closed() {
    let running = Running::start();
    block(async {
        let mut socket = open(&running).await;
        for (message, says) in [
            ("", "A message is"),
            ("{\"filter\": {\"nothing\": 1}}", "filter.nothing"),
            ("{\"filter\": {\"status\": \"99\"}}", "filter.status"),
        ] {
            let answer = say(&mut socket, message).await;
            assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
        }
        say(&mut socket, "{}").await;
        for _ in 0..10 {
            assert!(say(&mut socket, "nonsense").await["error"].is_string());
        }
        let close = socket.next().await.unwrap().unwrap();
        assert_eq!(u16::from(close.as_close().unwrap().0), 1008);
        // One that is too long is not even read.
        let mut socket = open(&running).await;
        let long = format!("{{\"filter\": {{\"target\": \"{}\"}}}}", "x".repeat(20_000));
        drop(socket.send(Message::text(long)).await);
        let end = socket.next().await;
        let is_over = match &end {
            None | Some(Err(_)) => true,
            Some(Ok(message)) => message.is_close(),
        };
        assert!(is_over, "{end:?}");
    });
}

#[test]
fn more_than_may_follow_are_refused_and_all_are_told_of_the_end() {
    let mut running = Running::start();
    let mut sockets = block(async {
        let mut sockets = Vec::new();
        for _ in 0..SOCKETS {
            sockets.push(open(&running).await);
        }
        say(&mut sockets[0], "{}").await;
        sockets
    });
    let agent = running.get("/api/agent", "").value();
    assert_eq!(agent["viewers"]["websocket"], SOCKETS);
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut stream = running.connect();
    let request =
        format!("GET /ws/live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n{upgrade}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 503");
    let took = running.stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
    // They belong to another runtime, and are read byte by byte.
    let mut last = sockets.pop().unwrap();
    drop(sockets);
    drop(block(async {
        tokio::time::timeout(Duration::from_secs(1), last.close()).await
    }));
}

#[test]
fn a_socket_is_closed_when_the_server_stops_and_read_or_not() {
    let mut running = Running::start();
    let open = || {
        let mut stream = running.connect();
        stream
            .write_all(
                b"GET /ws/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"));
        stream
    };
    let mut reads = open();
    let _never_reads = open();
    let took = running.stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let mut frame = [0; 4];
    reads.read_exact(&mut frame).unwrap();
    assert_eq!((frame[0], &frame[2..]), (0x88, &1001_u16.to_be_bytes()[..]));
}

#[test]
fn who_may_not_ask_may_not_follow() {
    let running = Running::with_token();
    let check = |fields: &str, status: u16| {
        let fields = format!(
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}"
        );
        assert_eq!(running.get("/ws/live", &fields).status, status, "{fields}");
    };
    let token = format!("Authorization: Bearer {SECRET}\r\n");
    check("", 401);
    check(&format!("{token}Origin: http://example.com\r\n"), 403);
    check(&format!("{token}Origin: http://localhost:1\r\n"), 403);
    check(&format!("{token}Sec-Fetch-Site: cross-site\r\n"), 403);
    // Without `Connection: upgrade` it goes no further.
    check(&token, 400);
    check(&format!("{token}Origin: http://localhost\r\n"), 400);
    assert_eq!(running.get("/ws/live", &token).status, 400);
}
