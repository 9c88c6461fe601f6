//! A real receiver: what it is sent, and what comes of what it answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::alerts::board::Board;
use crate::alerts::machine::Observed;

/// Takes messages over HTTP and answers each with the next of these statuses, the last one again and again.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    pub(crate) fn start(statuses: &'static [u16]) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), statuses)
    }

    pub(crate) fn at(address: SocketAddr, statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&got);
        // It ends with the process.
        thread::spawn(move || {
            let mut statuses = statuses.iter().copied();
            let mut last = 200;
            for stream in listener.incoming() {
                last = statuses.next().unwrap_or(last);
                let mut reader = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if reader.read_line(&mut head).unwrap() == 0 {
                        break;
                    }
                }
                let length = head
                    .to_ascii_lowercase()
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                reader.read_exact(&mut body).unwrap();
                let body = serde_json::from_slice(&body).unwrap();
                shared.lock().unwrap().push((head, body));
                let answer = format!("HTTP/1.1 {last} X\r\nContent-Length: 0\r\n\r\n");
                drop(reader.get_mut().write_all(answer.as_bytes()));
            }
        });
        Self { address, got }
    }

    pub(crate) fn got(&self) -> Vec<(String, Value)> {
        self.got.lock().unwrap().clone()
    }
}

const QUICK: Patience = Patience {
    request: Duration::from_secs(2),
    first: Duration::from_millis(20),
    most: Duration::from_millis(50),
    message: Duration::from_secs(10),
    end: Duration::from_millis(500),
};

/// The word that a rule fires, and the word that it is over.
fn messages() -> Vec<Message> {
    let mut board = Board::new(
        vec!["errors error_rate above 5 over 10s".parse().unwrap()],
        Timestamp::UNIX_EPOCH,
    );
    let mut observe = |value| {
        let observed = [Observed::Value(value)];
        board.observe(
            std::time::Instant::now(),
            Timestamp::now(),
            &observed,
            "web-1",
        )
    };
    [observe(9.0), observe(1.0)].concat()
}

/// Delivers messages and gives what became of each.
fn deliver_all(webhook: Webhook, messages: Vec<Message>, stop_after: Duration) -> Vec<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (queue, waiting) = mpsc::channel(QUEUE);
        for message in messages {
            queue.try_send(message).unwrap();
        }
        let became = Mutex::new(Vec::new());
        let (stop, stopped) = watch::channel(());
        let stopping = async {
            tokio::time::sleep(stop_after).await;
            drop((stop, queue));
        };
        let told = |_, delivered| became.lock().unwrap().push(delivered);
        tokio::join!(deliver(webhook, waiting, stopped, told), stopping);
        became.into_inner().unwrap()
    })
}

fn webhook(address: SocketAddr) -> Webhook {
    let url = format!("http://{address}/hooks/a/?key=secret&x=%20");
    Webhook::new(&url, None, None).unwrap().with_patience(QUICK)
}

#[test]
fn both_words_come_once_and_in_order() {
    let receiver = Receiver::start(&[200]);
    let became = deliver_all(
        webhook(receiver.address),
        messages(),
        Duration::from_millis(700),
    );
    assert_eq!(became, [true, true]);
    let got = receiver.got();
    let [(head, fires), (_, ends)] = got.as_slice() else {
        panic!("{got:?}");
    };
    assert!(
        head.starts_with("POST /hooks/a/?key=secret&x=%20 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.to_ascii_lowercase()
            .contains("content-type: application/json")
    );
    assert_eq!(fires["state"], "firing");
    assert_eq!(fires["value"], 9.0);
    assert_eq!(fires["above"], 5.0);
    assert_eq!(fires["ended"], Value::Null);
    assert_eq!(fires["host"], "web-1");
    assert_eq!(ends["state"], "resolved");
    assert_eq!(ends["peak"], 9.0);
    assert_eq!(ends["id"], fires["id"]);
    assert_eq!(ends["started"], fires["started"]);
}

#[test]
fn what_is_not_taken_is_tried_again_and_what_is_refused_is_not() {
    let check = |statuses: &'static [u16], became: &[bool], tries: usize| {
        let receiver = Receiver::start(statuses);
        let found = deliver_all(
            webhook(receiver.address),
            messages()[..1].to_vec(),
            Duration::from_millis(900),
        );
        assert_eq!(found, became, "{statuses:?}");
        assert_eq!(receiver.got().len(), tries, "{statuses:?}");
    };
    check(&[503, 500, 204], &[true], 3);
    check(&[429, 200], &[true], 2);
    check(&[401, 200], &[true], 2);
    check(&[404], &[false], 1);
    check(&[422], &[false], 1);
}

#[test]
fn a_receiver_that_was_down_is_told_when_it_is_back() {
    // A port that nobody has for now.
    let address = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let back = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        Receiver::at(address, &[200])
    });
    let became = deliver_all(webhook(address), messages(), Duration::from_millis(1500));
    assert_eq!(became, [true, true]);
    let states: Vec<Value> = back
        .join()
        .unwrap()
        .got()
        .iter()
        .map(|(_, message)| message["state"].clone())
        .collect();
    assert_eq!(states, ["firing", "resolved"]);
}

#[test]
fn one_that_is_never_taken_is_given_up() {
    let address = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let webhook = webhook(address).with_patience(Patience {
        message: Duration::from_millis(200),
        ..QUICK
    });
    let became = deliver_all(webhook, messages(), Duration::from_millis(900));
    assert_eq!(became, [false, false]);
}

#[test]
fn the_end_does_not_wait_for_long() {
    // It takes connections and says nothing.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let webhook = webhook(listener.local_addr().unwrap());
    let begun = std::time::Instant::now();
    let became = deliver_all(webhook, messages(), Duration::from_millis(100));
    assert!(became.is_empty(), "{became:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_secret_of_an_address_is_not_shown() {
    let webhook = Webhook::new("https://hooks.example/T0/B0/secret?key=x", None, None);
    let Ok(webhook) = webhook else {
        // A host without certificates has none to trust.
        return;
    };
    assert_eq!(
        format!("{webhook} {webhook:?}"),
        "hooks.example Webhook(hooks.example)"
    );
    assert!(Webhook::new("ftp://a/", None, None).is_err());
    assert!(Webhook::new("hooks.example", None, None).is_err());
}
