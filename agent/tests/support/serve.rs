//! `tapline serve` as a process of its own. Its answers are held against the description of its API.

#[path = "described.rs"]
mod described;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use described::Description;

static DESCRIBED: LazyLock<Description> =
    LazyLock::new(|| Description::new(include_str!("../../src/server/api/openapi.json")));

/// The back end; it ends with the test, whatever happens.
pub(crate) struct Serve {
    process: Child,
    /// Where it listens.
    pub(crate) address: String,
    /// What it has said on stderr since.
    said: Arc<Mutex<String>>,
}

impl Serve {
    /// Starts it over a folder of databases, and waits until it listens.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tapline"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(process.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            let length = reader.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "it ends before it listens");
            said.lock().unwrap().push_str(&line);
            address = line.split_once("http://").map(|(_, behind)| {
                let end =
                    behind.find(|letter: char| !(letter.is_ascii_digit() || ".:".contains(letter)));
                behind[..end.unwrap_or(behind.len())].to_owned()
            });
        }
        let more = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
                more.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        Self {
            process,
            address: address.unwrap(),
            said,
        }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The body of an answer; the status must be this one.
    pub(crate) fn get(&self, target: &str, status: u16) -> String {
        self.ask("GET", target, "", status)
    }

    /// Sends a body of JSON; gives that of the answer, whose status must be this one.
    pub(crate) fn post(&self, target: &str, body: &str, status: u16) -> String {
        self.ask("POST", target, body, status)
    }

    fn ask(&self, method: &str, target: &str, body: &str, status: u16) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if let Err(fault) = DESCRIBED.check(method, target, head, body) {
            panic!("{method} {target}: {fault}: {answer:.2000}");
        }
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method} {target}: {answer}"
        );
        body.to_owned()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
