//! The API over real sockets, over a real store.

mod answers;
mod asking;
mod exchanges;
mod refusing;
mod searching;
mod taking;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::description::tests::check;
use super::*;
use crate::http::exchange::record::ExchangeRecord;
use crate::server::access::Token;
use crate::server::{BackEnd, Listener, Serving};
use crate::session::identifier::Identifier;
use crate::sink::RecordSink as _;
use crate::sink::batch::Batch;
use crate::sink::batch::samples::exchange;
use crate::sink::sqlite::{SqliteSettings, SqliteSink};

/// What seed programs send: no time, no CPU beyond what they know.
const RECORD: &str = r#"{"protocol": "TCP", "src_ip": "192.168.1.7", "src_port": 1024, "dst_ip": "10.0.0.9", "dst_port": 65535, "packets": 3, "bytes": 4500, "cpu_id": 7}"#;

struct Running {
    address: SocketAddr,
    folder: tempfile::TempDir,
    store: Option<SqliteSink>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        Self::with(Bounds::default(), None, |_| ())
    }

    fn with(bounds: Bounds, token: Option<&str>, set: impl FnOnce(&mut SqliteSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = SqliteSettings {
            directory: folder.path().to_owned(),
            ..SqliteSettings::default()
        };
        set(&mut settings);
        let days = settings.retain.days;
        let store = SqliteSink::start(settings).unwrap();
        let api = Api::new(store.intake(), folder.path().to_owned(), days, bounds);
        let token = token.map(|text| {
            let path = folder.path().join("token");
            std::fs::write(&path, text).unwrap();
            Token::read(&path).unwrap()
        });
        let serving = Serving {
            token,
            ..Serving::default()
        };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(Some(listen)).unwrap();
        let address = listener.0.as_ref().unwrap().1;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = BackEnd::start(listener, &api, serving).unwrap();
                drop(stopped.await);
                server.stop().await;
            });
        });
        Self {
            address,
            folder,
            store: Some(store),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    /// Sends bytes and gives the answer; the connection is to be closed with it.
    fn exchange(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The server may have answered and closed before it has read all.
        drop(stream.write_all(request));
        let mut bytes = Vec::new();
        let mut block = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut block) {
            bytes.extend_from_slice(&block[..length]);
        }
        let answer = Answer::new(&bytes);
        let mut words = request.split(|byte| *byte == b' ');
        let mut word = || String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        let (method, target) = (word(), word());
        check(&method, &target, &answer.head, &answer.body);
        answer
    }

    fn get(&self, target: &str) -> Answer {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        self.exchange(request.as_bytes())
    }

    fn post(&self, fields: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!(
            "POST /api/logs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{fields}\r\n"
        );
        self.exchange(&[head.as_bytes(), body].concat())
    }

    fn json(&self, body: &str) -> Answer {
        self.post("Content-Type: application/json\r\n", body.as_bytes())
    }

    /// All that is stored, by the API.
    fn all(&self) -> Vec<Value> {
        let answer = self.get("/api/logs?limit=1000");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.value().as_array().unwrap().clone()
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
        if let Some(store) = self.store.take()
            && !thread::panicking()
        {
            let counts = Box::new(store).close();
            let parts = counts.stored + counts.lost_in_all();
            assert_eq!(counts.accepted, parts, "{counts:?}");
        }
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Self {
            status: head
                .get(9..12)
                .and_then(|code| code.parse().ok())
                .unwrap_or(0),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
