//! The WebSocket: with a client of another library, and byte by byte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_websockets::{ClientBuilder, Message};

use crate::of_type;
use crate::server::{Server, logs};

/// Opens a WebSocket, byte by byte, and gives what comes behind the head of the answer.
fn raw_socket(server: &Server) -> BufReader<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .write_all(
            b"GET /ws/logs HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0);
    }
    reader
}

/// The content of the first Close frame, behind which nothing may come but the end.
fn close_frame(mut reader: BufReader<std::net::TcpStream>) -> Vec<u8> {
    loop {
        let mut head = [0; 2];
        reader.read_exact(&mut head).unwrap();
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                reader.read_exact(&mut long).unwrap();
                u16::from_be_bytes(long).into()
            }
            127 => {
                let mut long = [0; 8];
                reader.read_exact(&mut long).unwrap();
                u64::from_be_bytes(long) as usize
            }
            short => usize::from(short),
        };
        let mut content = vec![0; length];
        reader.read_exact(&mut content).unwrap();
        if head[0] == 0x88 {
            return content;
        }
    }
}

#[test]
fn websockets_are_closed_as_they_should_be() {
    let server = Server::start(&[]);
    let mut reader = raw_socket(&server);
    // 1000, masked by zeroes.
    reader
        .get_mut()
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
        .unwrap();
    assert_eq!(close_frame(reader), [0x03, 0xe8], "it is echoed");
    let reader = raw_socket(&server);
    server.process.signal("TERM");
    let content = close_frame(reader);
    assert_eq!(content[..2], 1001_u16.to_be_bytes(), "the server goes away");
}

#[test]
fn a_websocket_client_of_another_library_does_both_actions() {
    let server = Server::start(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut socket, _) = ClientBuilder::new().uri(&server.socket()).unwrap().connect().await.unwrap();
        let next = async |socket: &mut tokio_websockets::WebSocketStream<_>, wanted: &str| -> Value {
            loop {
                let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap().unwrap().unwrap();
                let Some(text) = message.as_text() else { continue };
                let value: Value = serde_json::from_str(text).unwrap();
                if value["type"] == wanted {
                    return value;
                }
                assert_eq!(value["type"], "logs", "{value}");
            }
        };
        let first = next(&mut socket, "logs").await;
        assert_eq!((first["count"].as_u64(), logs(&first).len()), (Some(10), 10));
        let configure = json!({"action": "configure", "config": {"batch_size": 20, "interval": 0.1, "anomaly_rate": 0, "include_labels": true}});
        socket.send(Message::text(configure.to_string())).await.unwrap();
        let updated = next(&mut socket, "config_updated").await;
        assert_eq!(updated["config"], json!({"batch_size": 20, "interval": 0.1, "anomaly_rate": 0.0, "include_labels": true}));
        let begun = Instant::now();
        for _ in 0..10 {
            let batch = next(&mut socket, "logs").await;
            assert_eq!(batch["count"], 20);
            assert_eq!(batch["anomaly_count"], 0, "the rate takes effect");
        }
        assert!((0.5..3.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
        let inject = json!({"action": "inject_anomaly", "anomaly_type": "resource_exhaustion"});
        socket.send(Message::text(inject.to_string())).await.unwrap();
        let injected = next(&mut socket, "anomaly_injected").await;
        assert_eq!(injected, json!({"type": "anomaly_injected", "anomaly_type": "resource_exhaustion"}));
        let mut seen = 0;
        for _ in 0..3 {
            let batch = next(&mut socket, "logs").await;
            let of_batch = of_type(&logs(&batch), "resource_exhaustion");
            assert_eq!(batch["anomaly_count"].as_u64(), Some(of_batch as u64));
            seen += of_batch;
        }
        assert_eq!(seen, 20);
        // What is wrong is told, and the connection goes on.
        for (message, field) in [
            ("{", ""),
            ("[]", ""),
            ("{}", "action"),
            ("{\"action\":\"dance\"}", ""),
            ("{\"action\":\"inject_anomaly\",\"anomaly_type\":\"meteor\"}", "anomaly_type"),
            ("{\"action\":\"inject_anomaly\"}", "anomaly_type"),
            ("{\"action\":\"configure\",\"config\":{\"interval\":0.01}}", "interval"),
            ("{\"action\":\"configure\",\"config\":{\"batch_size\":1001}}", "batch_size"),
            ("{\"action\":\"configure\",\"config\":{\"batch_size\":\"10\"}}", "batch_size"),
        ] {
            socket.send(Message::text(message.to_owned())).await.unwrap();
            let error = next(&mut socket, "error").await;
            assert!(error["detail"].to_string().contains(field), "{error}");
        }
        next(&mut socket, "logs").await;
        // One client's wishes are its own.
        let (mut other, _) = ClientBuilder::new().uri(&server.socket()).unwrap().connect().await.unwrap();
        assert_eq!(next(&mut other, "logs").await["count"], 10);
        // A message does not put off the next batch.
        let begun = Instant::now();
        let chatter = async {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                other.send(Message::text("{\"action\":\"dance\"}".to_owned())).await.unwrap();
            }
            let mut batches = 0;
            while begun.elapsed() < Duration::from_secs(2) {
                let message = tokio::time::timeout(Duration::from_millis(300), other.next()).await;
                if let Ok(Some(Ok(message))) = message
                    && message.as_text().is_some_and(|text| text.starts_with("{\"type\":\"logs\""))
                {
                    batches += 1;
                }
            }
            batches
        };
        assert!(chatter.await >= 1);
    });
}

#[test]
fn who_wants_no_websocket_is_told_in_json() {
    let server = Server::start(&[]);
    let (status, answer) = server.curl(&["-i"], "/ws/logs");
    assert!(matches!(status, 400 | 426), "{answer}");
    assert!(
        answer.contains("content-type: application/json"),
        "{answer}"
    );
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(body["detail"].is_string(), "{body}");
}
