//! Back ends by hand: one that answers as a test wants it to, and none.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A back end by hand. Answers each request as `answer` says for its number (from 0) and body: the
/// status line, and the body of the answer.
pub(crate) fn back_end(
    answer: impl Fn(u64, &str) -> (&'static str, String) + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let bodies = Arc::<Mutex<Vec<String>>>::default();
    let (kept, answer, number) = (
        Arc::clone(&bodies),
        Arc::new(answer),
        Arc::new(AtomicU64::new(0)),
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), kept, answer, number) = (
                stream,
                Arc::clone(&kept),
                Arc::clone(&answer),
                Arc::clone(&number),
            ) else {
                return;
            };
            thread::spawn(move || drop(converse(stream, &kept, &*answer, &number)));
        }
    });
    (url, bodies)
}

fn converse(
    mut stream: TcpStream,
    kept: &Mutex<Vec<String>>,
    answer: &(dyn Fn(u64, &str) -> (&'static str, String) + Sync),
    number: &AtomicU64,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut length, mut first) = (0, true);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if std::mem::take(&mut first) {
                assert_eq!(line.trim_end(), "POST /api/logs HTTP/1.1");
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        let (status, text) = answer(number.fetch_add(1, SeqCst), &body);
        kept.lock().unwrap().push(body);
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes())?;
    }
}

pub(crate) const REFUSAL: (&str, &str) =
    ("422 Unprocessable Entity", "{\"detail\":\"no ICMP here\"}");

/// A back end that takes its time.
pub(crate) fn slow() -> (String, Arc<Mutex<Vec<String>>>) {
    back_end(|_, _| {
        thread::sleep(Duration::from_millis(50));
        ("201 Created", "{}".to_owned())
    })
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
