//! Holes: what waits behind them, how long, and how much of it.

use super::by_hand::Hand;
use super::*;

#[test]
fn a_hole_that_stays_is_given_up() {
    // By time, by the clock of the records or from outside.
    for expire in [false, true] {
        let mut hand = Hand::new();
        hand.start(CLIENT, 0, "GET /cut HTTP/1.1\r\nHost");
        hand.header.hole_start = hand.next[0];
        hand.send(CLIENT, 50, ": a\r\n\r\n", 0);
        hand.start(CLIENT, 0, GET);
        assert!(hand.lines().is_empty());
        hand.header.time_ns += 1_000_000_000;
        if expire {
            hand.engine.expire(hand.header.time_ns + 1, &mut hand.found);
        } else {
            hand.start(CLIENT, 0, "GET /2 HTTP/1.1\r\n\r\n");
        }
        assert_eq!(hand.lines()[..2], ["GET /cut HTTP/1.1…", "GET / HTTP/1.1"]);
        assert_eq!(hand.engine.held_bytes(), 0);
        // The kernel goes on telling of the hole.
        hand.start(CLIENT, 0, "GET /3 HTTP/1.1\r\n\r\n");
        assert_eq!(hand.lines().last().unwrap(), "GET /3 HTTP/1.1");
    }
    // By size, where others need what is left.
    let mut hand = Hand::new();
    hand.engine = Engine::new(Limits {
        held_bytes: 200_000,
        ..Limits::default()
    });
    hand.header.hole_start = FIRST_POSITION;
    hand.start(CLIENT, 50, GET);
    let body = "x".repeat(2000);
    for _ in 0..40 {
        hand.send(CLIENT, 0, &body, 0);
        assert!(hand.engine.held_bytes() < 100_000);
    }
    hand.check(&["GET / HTTP/1.1"]);
    assert_eq!(hand.engine.counts().holes_given_up, 1);
}

#[test]
fn a_window_of_bytes_may_wait_behind_a_hole() {
    let mut hand = Hand::new();
    hand.header.flags |= flag::ALL;
    hand.start(CLIENT, 0, "GET /late HTT");
    hand.header.hole_start = hand.next[0];
    hand.send(CLIENT, 4, "\r\n\r\n", 0);
    let requests = 400;
    let piece = format!("GET / HTTP/1.1\r\nCookie: {}", "x".repeat(1400));
    for _ in 0..requests {
        hand.send(CLIENT, 0, &piece, 0);
        hand.send(CLIENT, 0, "\r\n\r\n", 0);
    }
    assert!(hand.lines().is_empty());
    hand.header.hole_start = 0;
    let end = hand.next[0] - FIRST_POSITION;
    hand.send(CLIENT, 13 - end as i64, "P/1.1", flag::FILL);
    let mut expected = vec!["GET / HTTP/1.1"; requests + 1];
    expected[0] = "GET /late HTTP/1.1";
    hand.check(&expected);
    assert_eq!(hand.engine.counts().overflows, 0);
}

#[test]
fn behind_a_hole_that_was_given_up_every_hole_is_a_loss() {
    let made = "HTTP/1.1 201 Made\r\n\r\n";
    let check = |waits: bool| {
        let mut hand = Hand::new();
        hand.header.flags |= flag::ALL;
        hand.start(CLIENT, 0, GET);
        hand.start(SERVER, 0, CHUNKED);
        hand.header.hole_start = hand.next[1];
        hand.send(SERVER, 50, "in a body", 0);
        let now_ns = hand.header.time_ns + 1_000_000_000;
        if !waits {
            hand.engine.expire(now_ns, &mut hand.found);
        }
        // The request and the head of its response are in holes; the next response is cut by another one.
        hand.start(SERVER, 70, made);
        hand.start(SERVER, 0, "HTTP/1.1 202 Cut\r\nServer: a");
        hand.send(SERVER, 30, "more", 0);
        hand.engine.expire(now_ns + 1, &mut hand.found);
        hand.check(&[
            "GET / HTTP/1.1",
            "HTTP/1.1 200 OK",
            "HTTP/1.1 201 Made",
            "HTTP/1.1 202 Cut…",
        ]);
    };
    check(true);
    check(false);
}

#[test]
fn a_hole_in_a_known_body_holds_nothing_back() {
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, GET);
    hand.start(SERVER, 0, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
    hand.header.hole_start = hand.next[1];
    hand.send(SERVER, 800, &"x".repeat(100), 0);
    hand.start(SERVER, 0, EMPTY);
    hand.check(&["GET / HTTP/1.1", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
}

#[test]
fn all_that_is_held_is_bounded() {
    let limits = Limits {
        held_bytes: 20_000,
        ..Limits::default()
    };
    let mut hand = Hand::new();
    hand.engine = Engine::new(limits);
    for slot in 0..200 {
        hand.header.slot = slot;
        (hand.numbers, hand.next) = ([0; 2], [FIRST_POSITION; 2]);
        hand.start(CLIENT, 0, &format!("GET /{slot} HTTP/1.1\r\nHost: a\r\n"));
        assert!(hand.engine.held_bytes() <= 20_000);
    }
    assert!(hand.engine.counts().overflows > 0);
    hand.engine.finish(&mut hand.found);
    assert_eq!(hand.lines().len(), 200, "each is written, partial");
}
