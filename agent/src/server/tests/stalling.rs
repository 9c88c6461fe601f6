//! Those who look on and read nothing: they are left after a while, they are counted, and what is held for
//! them until then is bounded. Others are in no way held up by them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::back_end::Running;
use crate::http::exchange::record::ExchangeRecord;
use crate::server::Serving;
use crate::server::connections::Patience;
use crate::session::identifier::Identifier;
use crate::sink::batch::samples::exchange;

/// For so long a client may take nothing.
const STALL: Duration = Duration::from_millis(400);

/// What the server and both kernels may hold for one client: its smallest window, what is not sent yet, and
/// what the server writes at once.
const HELD_MOST: usize = 128 << 10;

fn running() -> Running {
    Running::serving(Serving {
        patience: Patience {
            stall: STALL,
            unsent: 4096,
            ..Patience::default()
        },
        ..Serving::default()
    })
}

/// A client with the smallest window that there is, which has asked and had the head of the answer.
fn open(running: &Running, target: &str, fields: &str) -> TcpStream {
    let mut stream = running.connect();
    set_socket_recv_buffer_size(&stream, 1).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream
}

/// So many exchanges of now, each of some kilobytes.
fn store(running: &mut Running, run: u64, count: u64) {
    let target = format!("/{}", "x".repeat(7_000));
    let agent = "y".repeat(700);
    let records: Vec<ExchangeRecord<'_>> = (0..count)
        .map(|number| ExchangeRecord {
            exchange_id: Identifier::new(run, number),
            ts: Timestamp::now(),
            target: Some(&target),
            user_agent: Some(&agent),
            ..exchange()
        })
        .collect();
    running.store(&records);
}

fn viewers(running: &Running, name: &str) -> u64 {
    let agent = running.get("/api/agent", "").value();
    agent["viewers"][name].as_u64().unwrap()
}

/// Waits until the server has left a client, while `feed` gives it something to send.
fn until_left(running: &mut Running, name: &str, mut feed: impl FnMut(&mut Running, u64)) {
    let begun = Instant::now();
    let mut round = 0;
    while viewers(running, "stalled") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not left");
        feed(running, round);
        round += 1;
        thread::sleep(Duration::from_millis(100));
    }
    // The place is free again.
    while viewers(running, name) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
}

/// What is there to be read of a connection that the server has left.
fn rest(stream: &mut TcpStream) -> usize {
    let mut block = vec![0; 64 << 10];
    let mut sum = 0;
    // A reset is an end too.
    while let Ok(length @ 1..) = stream.read(&mut block) {
        sum += length;
    }
    sum
}

#[test]
fn a_stream_that_is_not_read_is_left_and_counted() {
    let mut running = running();
    store(&mut running, 1, 10);
    let mut silent = open(&running, "/api/live", "");
    let mut reads = open(&running, "/api/live", "");
    let reading = thread::spawn(move || {
        let mut block = [0; 4096];
        let mut text = String::new();
        while let Ok(length @ 1..) = reads.read(&mut block) {
            text += &String::from_utf8_lossy(&block[..length]);
        }
        text
    });
    let begun = Instant::now();
    while viewers(&running, "stalled") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not left");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        (viewers(&running, "stalled"), viewers(&running, "sse")),
        (1, 1)
    );
    let held = rest(&mut silent);
    assert!((1..HELD_MOST).contains(&held), "{held}");
    // Who reads has had each tick, and has them still.
    let seconds = begun.elapsed().as_secs();
    running.stop();
    let text = reading.join().unwrap();
    let ticks = text.matches("event: tick").count() as u64;
    assert!(ticks + 1 >= seconds, "{ticks} in {seconds} s");
    assert!(text.ends_with("event: bye\ndata: {}\n\n\r\n0\r\n\r\n"));
}

#[test]
fn a_socket_that_is_not_read_is_left_and_counted() {
    let mut running = running();
    let mut silent = open(
        &running,
        "/ws/live",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    // A look finds a hundred, of which fifty are sent: four hundred kilobytes.
    let mut sent = 0;
    until_left(&mut running, "websocket", |running, round| {
        store(running, 2 + round, 100);
        sent += 50 * 7_000;
    });
    assert!(sent > HELD_MOST, "{sent}");
    let held = rest(&mut silent);
    assert!((1..HELD_MOST).contains(&held), "{held}");
}
