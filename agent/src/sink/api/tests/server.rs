//! A back end over real sockets: stores as the documented API does, and misbehaves by script.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tokio_rustls::rustls;

/// What is done with a request.
pub(super) enum Act {
    /// What a back end does: 201.
    Store,
    /// Stores, and answers something else, or nothing.
    StoreBut(Vec<u8>),
    /// These bytes, and the connection is closed.
    Raw(Vec<u8>),
    /// A status, with a body and fields.
    Status(u16, &'static str, &'static str),
    /// First nothing for some time.
    After(Duration, Box<Self>),
    /// Closed without reading the body.
    HangUp,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    /// Names in lower case.
    pub(super) fields: BTreeMap<String, String>,
    /// None where it is no JSON.
    pub(super) body: Option<Value>,
    /// Which one it is, from 0.
    pub(super) number: usize,
}

impl Asked {
    pub(super) fn records(&self) -> usize {
        match &self.body {
            Some(Value::Array(records)) => records.len(),
            _ => 1,
        }
    }
}

type Script = Box<dyn FnMut(&Asked) -> Act + Send>;

#[derive(Default)]
pub(super) struct Stored {
    /// Records with an identifier: the one with the largest revision.
    pub(super) by_id: BTreeMap<String, Value>,
    /// Records as they came, also those that were there.
    pub(super) all: Vec<Value>,
    pub(super) asked: Vec<Asked>,
}

/// The back end; it ends when dropped, with all connections.
pub(super) struct BackEnd {
    pub(super) address: SocketAddr,
    pub(super) stored: Arc<Mutex<Stored>>,
    pub(super) connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl BackEnd {
    pub(super) fn start(script: impl FnMut(&Asked) -> Act + Send + 'static) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(anywhere, Arc::default(), None, script)
    }

    pub(super) fn start_at(
        address: SocketAddr,
        stored: Arc<Mutex<Stored>>,
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl FnMut(&Asked) -> Act + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let (stop, connections) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let shared = (
            Arc::clone(&stored),
            Arc::clone(&stop),
            Arc::clone(&connections),
            Arc::clone(&open),
        );
        let accepting = thread::spawn(move || {
            let (stored, stop, connections, open) = shared;
            for stream in listener.incoming() {
                if stop.load(SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                connections.fetch_add(1, SeqCst);
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let (script, stored, tls) = (Arc::clone(&script), Arc::clone(&stored), tls.clone());
                thread::spawn(move || {
                    let closing = stream.try_clone().unwrap();
                    let served = match tls {
                        None => serve(stream, &script, &stored),
                        Some(config) => {
                            let session = rustls::ServerConnection::new(config).unwrap();
                            let stream = rustls::StreamOwned::new(session, stream);
                            serve(stream, &script, &stored)
                        }
                    };
                    drop(served);
                    drop(closing.shutdown(std::net::Shutdown::Both));
                });
            }
        });
        Self {
            address,
            stored,
            connections,
            stop,
            accepting: Some(accepting),
            open,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// Distinct records, by identifier.
    pub(super) fn count(&self) -> usize {
        self.stored.lock().unwrap().by_id.len()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.stored.lock().unwrap().asked.clone()
    }
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the one that accepts.
        drop(TcpStream::connect(self.address));
        drop(self.accepting.take().unwrap().join());
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    }
}

fn serve(
    mut stream: impl Read + Write,
    script: &Mutex<Script>,
    stored: &Mutex<Stored>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        // The head.
        let (length, asked) = loop {
            let mut fields = [httparse::EMPTY_HEADER; 32];
            let mut request = httparse::Request::new(&mut fields);
            if let Ok(httparse::Status::Complete(length)) = request.parse(&bytes) {
                assert_eq!(request.method, Some("POST"));
                let fields = request.headers.iter().map(|field| {
                    let value = String::from_utf8(field.value.to_vec()).unwrap();
                    (field.name.to_lowercase(), value)
                });
                let asked = Asked {
                    path: request.path.unwrap().to_owned(),
                    fields: fields.collect(),
                    body: None,
                    number: 0,
                };
                break (length, asked);
            }
            if !read_more(&mut stream, &mut bytes)? {
                return Ok(());
            }
        };
        bytes.drain(..length);
        let mut asked = asked;
        let length: usize = asked.fields["content-length"].parse().unwrap();
        while bytes.len() < length {
            if !read_more(&mut stream, &mut bytes)? {
                return Ok(());
            }
        }
        let mut body: Vec<u8> = bytes.drain(..length).collect();
        if asked
            .fields
            .get("content-encoding")
            .is_some_and(|coding| coding == "gzip")
        {
            let mut plain = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut plain)?;
            body = plain;
        }
        asked.body = serde_json::from_slice(&body).ok();
        let act = {
            let mut stored = stored.lock().unwrap();
            asked.number = stored.asked.len();
            stored.asked.push(asked.clone());
            drop(stored);
            (script.lock().unwrap())(&asked)
        };
        if !answer(&mut stream, act, &asked, stored)? {
            return Ok(());
        }
    }
}

/// Whether the connection stays.
fn answer(
    stream: &mut impl Write,
    act: Act,
    asked: &Asked,
    stored: &Mutex<Stored>,
) -> io::Result<bool> {
    match act {
        Act::Store => {
            let answer = store(asked, stored).to_string();
            write!(
                stream,
                "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            )?;
            stream.flush()?;
            Ok(true)
        }
        Act::StoreBut(bytes) => {
            store(asked, stored);
            stream.write_all(&bytes)?;
            stream.flush()?;
            Ok(false)
        }
        Act::Raw(bytes) => {
            stream.write_all(&bytes)?;
            stream.flush()?;
            Ok(false)
        }
        Act::Status(status, body, fields) => {
            write!(
                stream,
                "HTTP/1.1 {status} Said\r\n{fields}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            stream.flush()?;
            Ok(true)
        }
        Act::After(time, act) => {
            thread::sleep(time);
            answer(stream, *act, asked, stored)
        }
        Act::HangUp => Ok(false),
    }
}

/// Stores as the documented API does, and gives its answer.
fn store(asked: &Asked, stored: &Mutex<Stored>) -> Value {
    let mut stored = stored.lock().unwrap();
    let body = asked.body.as_ref().unwrap();
    let records = match body {
        Value::Array(records) => &records[..],
        one => std::slice::from_ref(one),
    };
    let mut ids = Vec::new();
    for record in records {
        let name = ["exchange_id", "session_id"]
            .iter()
            .find_map(|name| record[name].as_str());
        if let Some(name) = name {
            let revision = |record: &Value| record["revision"].as_u64().unwrap_or(0);
            let known = stored.by_id.get(name).map(revision);
            if known.is_none_or(|known| known < revision(record)) {
                stored.by_id.insert(name.to_owned(), record.clone());
            }
        }
        stored.all.push(record.clone());
        ids.push(stored.all.len());
    }
    match body {
        Value::Array(_) => json!({"count": ids.len(), "ids": ids}),
        one => {
            let mut whole = one.clone();
            whole["id"] = json!(ids[0]);
            whole
        }
    }
}

fn read_more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut some = [0; 65_536];
    let count = stream.read(&mut some)?;
    bytes.extend(&some[..count]);
    Ok(count > 0)
}
