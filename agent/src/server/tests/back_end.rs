//! A server over a store, for tests that talk to it over real connections.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::http::exchange::record::ExchangeRecord;
use crate::server::access::Token;
use crate::server::api::description::tests::check;
use crate::server::api::{Api, Bounds};
use crate::server::{BackEnd, Listener, Serving};
use crate::sink::RecordSink as _;
use crate::sink::batch::Batch;
use crate::sink::sqlite::{SqliteSettings, SqliteSink};

/// The token of those that have one.
pub(super) const SECRET: &str = "correct-horse-battery-staple";

/// A store and its server, in a thread of its own.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    store: Option<SqliteSink>,
    stop: Option<oneshot::Sender<()>>,
    /// Gives how long the stop took.
    thread: Option<thread::JoinHandle<Duration>>,
    pub(super) folder: tempfile::TempDir,
}

/// An answer, its head in small letters.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Running {
    pub(super) fn start() -> Self {
        Self::serving(Serving::default())
    }

    pub(super) fn with_token() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, SECRET).unwrap();
        let token = Token::read(&path).unwrap();
        Self::serving(Serving {
            token: Some(token),
            ..Serving::default()
        })
    }

    pub(super) fn serving(serving: Serving) -> Self {
        Self::bounded(serving, Bounds::default())
    }

    pub(super) fn bounded(serving: Serving, bounds: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteSink::start(SqliteSettings {
            directory: folder.path().to_owned(),
            commit_after: Duration::from_millis(5),
            ..SqliteSettings::default()
        });
        let store = store.unwrap();
        let api = Api::new(store.intake(), folder.path().to_owned(), None, bounds);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(Some(listen)).unwrap();
        let address = listener.address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = BackEnd::start(listener, &api, serving).unwrap();
                drop(stopped.await);
                let begun = Instant::now();
                server.stop().await;
                begun.elapsed()
            })
        });
        Self {
            address,
            store: Some(store),
            stop: Some(stop),
            thread: Some(thread),
            folder,
        }
    }

    /// Stores exchanges, as a capture does.
    pub(super) fn store(&mut self, records: &[ExchangeRecord<'_>]) {
        let mut batch = Batch::default();
        for record in records {
            batch.push_exchange(record).unwrap();
        }
        let store = self.store.as_mut().unwrap();
        let before = store.counts().stored;
        store.offer(&Arc::new(batch));
        let begun = Instant::now();
        while store.counts().stored < before + records.len() as u64 {
            assert!(begun.elapsed() < Duration::from_secs(20), "not stored");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Takes the store away from the server, which goes on.
    pub(super) fn close_store(&mut self) {
        drop(self.store.take());
    }

    /// Asks the server to stop, and gives how long it took.
    pub(super) fn stop(&mut self) -> Duration {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        stream
    }

    /// Asks once; `fields` end with a line break each.
    pub(super) fn ask(&self, method: &str, target: &str, fields: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{fields}\r\n{body}"
        );
        // The server may have answered and closed before it has read all.
        drop(stream.write_all(request.as_bytes()));
        let mut bytes = Vec::new();
        let mut block = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut block) {
            bytes.extend_from_slice(&block[..length]);
        }
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        check(method, target, head, body);
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(super) fn get(&self, target: &str, fields: &str) -> Answer {
        self.ask("GET", target, fields, "")
    }

    pub(super) fn log_in(&self, token: &str, fields: &str) -> Answer {
        let fields = format!("Content-Type: application/json\r\n{fields}");
        let body = serde_json::json!({ "token": token }).to_string();
        self.ask("POST", "/api/login", &fields, &body)
    }
}

impl Answer {
    pub(super) fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
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
        if let Some(store) = self.store.take() {
            Box::new(store).close();
        }
    }
}
