//! Asks a server, and holds whatever it answers against its description.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use hyper::service::Service as _;

use crate::server::api::description::tests::{Place, check, places};

/// The answers that came.
#[derive(Default)]
pub(super) struct Seen(pub(super) BTreeSet<Place>);

impl Seen {
    /// Asks a server, as exactly as it is said; the status.
    #[track_caller]
    pub(super) fn ask(
        &mut self,
        to: SocketAddr,
        method: &str,
        target: &str,
        fields: &str,
        body: &str,
    ) -> u16 {
        if method != "POST" {
            return self.send(to, method, target, fields, "");
        }
        let length = format!("Content-Length: {}\r\n", body.len());
        self.send(to, method, target, &format!("{fields}{length}"), body)
    }

    #[track_caller]
    pub(super) fn send(
        &mut self,
        to: SocketAddr,
        method: &str,
        target: &str,
        fields: &str,
        body: &str,
    ) -> u16 {
        let mut stream = TcpStream::connect(to).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        let end = match fields.contains("Upgrade") {
            true => "",
            false => "Connection: close\r\n",
        };
        let request = format!("{method} {target} HTTP/1.1\r\n{fields}{end}\r\n{body}");
        // It may answer before it has read all.
        drop(stream.write_all(request.as_bytes()));
        let answer = read(&mut stream);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        self.took(method, target, head, body)
    }

    /// Asks handlers without a connection before them.
    #[track_caller]
    pub(super) fn call(&mut self, router: &axum::Router, request: Request) -> u16 {
        let (method, target) = (request.method().clone(), request.uri().to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (head, body) = runtime.block_on(async {
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            let answer = service.call(request).await.unwrap();
            let mut head = format!("HTTP/1.1 {}", answer.status());
            for (name, value) in answer.headers() {
                head += &format!("\r\n{name}: {}", value.to_str().unwrap());
            }
            let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
            (head, String::from_utf8(body.to_vec()).unwrap())
        });
        self.took(method.as_str(), &target, &head, &body)
    }

    #[track_caller]
    fn took(&mut self, method: &str, target: &str, head: &str, body: &str) -> u16 {
        let place = check(method, target, head, body);
        self.0.extend(place);
        head[9..12].parse().unwrap()
    }
}

/// To the end of the answer, or of the first tick, or of the head of a WebSocket.
fn read(stream: &mut TcpStream) -> String {
    let (mut bytes, mut block) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut block) {
        bytes.extend_from_slice(&block[..length]);
        let text = String::from_utf8_lossy(&bytes);
        let tick = text.split_once("event: tick");
        if tick.is_some_and(|(_, tick)| tick.contains("\n\n\r\n")) {
            break;
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let is_whole = length.is_some_and(|length| body.len() >= length.parse().unwrap());
        if is_whole || head.starts_with("HTTP/1.1 101") {
            break;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Paths with something in their variable parts.
pub(super) fn filled(path: &str) -> String {
    let number = "0".repeat(32);
    path.replace("{exchange_id}", &number)
        .replace("{session_id}", &number)
        .replace("{id}", "1")
}

/// What has this status, by the description.
pub(super) fn with(status: u16) -> impl Iterator<Item = (String, String)> {
    let of: BTreeSet<(String, String)> = places()
        .into_iter()
        .filter(|place| place.2 == status)
        .map(|(method, path, _, _)| (method, path))
        .collect();
    of.into_iter()
}
