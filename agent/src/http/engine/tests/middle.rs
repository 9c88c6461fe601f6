//! Connections on which capture begins while requests are outstanding.

use super::by_hand::Hand;
use super::*;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345";

/// A connection whose start was not seen.
fn middle() -> Hand {
    let mut hand = Hand::new();
    hand.header.flags = 0;
    hand
}

/// Has the kernel copy everything.
fn escalate(hand: &mut Hand) {
    hand.header.flags = flag::ALL;
}

#[test]
fn answers_to_earlier_requests_are_written_and_join_no_later_one() {
    let mut hand = middle();
    escalate(&mut hand);
    hand.start(SERVER, 0, &ANSWER.repeat(3));
    assert_eq!(hand.found.exchanges, [None; 3]);
    // Of several at once nobody knows whether their answers come next.
    hand.start(CLIENT, 0, &GET.repeat(2));
    hand.start(SERVER, 0, &ANSWER.repeat(2));
    assert_eq!(hand.found.exchanges[3..], [Some(0), Some(1), None, None]);
    // Twice nothing was outstanding when the next requests came.
    hand.start(CLIENT, 0, &GET.repeat(2));
    hand.start(SERVER, 0, &ANSWER.repeat(2));
    assert_eq!(
        hand.found.exchanges[7..],
        [Some(2), Some(3), Some(2), Some(3)]
    );
    assert_eq!(hand.engine.counts().heads, 11);
    assert_eq!(hand.engine.counts().look_alikes, 0);
}

#[test]
fn who_waits_for_each_answer_gets_it_from_the_first_request_that_is_seen() {
    for earlier_was_outstanding in [false, true] {
        let mut hand = middle();
        if earlier_was_outstanding {
            escalate(&mut hand);
            hand.start(SERVER, 0, ANSWER);
            assert_eq!(hand.found.exchanges, [None]);
            assert_eq!(hand.found.releases, []);
        }
        for number in 0..3 {
            hand.found.exchanges.clear();
            hand.start(CLIENT, 0, GET);
            hand.start(SERVER, 0, ANSWER);
            assert_eq!(hand.found.exchanges, [Some(number), Some(number)]);
        }
        let releases = &hand.found.releases;
        assert_eq!(!releases.is_empty(), earlier_was_outstanding);
    }
}

#[test]
fn the_first_request_gets_its_answer_also_where_its_body_is_chunked() {
    let mut hand = middle();
    escalate(&mut hand);
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    hand.start(CLIENT, 0, &format!("{head}5\r\nhello\r\n0\r\n\r\n"));
    hand.start(SERVER, 0, ANSWER);
    assert_eq!(hand.found.exchanges, [Some(0), Some(0)]);
}

#[test]
fn one_answer_too_many_says_that_others_may_have_been_taken_for_later_ones() {
    let mut hand = middle();
    for _ in 0..3 {
        hand.start(CLIENT, 0, GET);
        hand.start(SERVER, 0, ANSWER);
    }
    // All that was outstanding is answered at last; from here on nothing is known.
    escalate(&mut hand);
    hand.start(SERVER, 0, &ANSWER.repeat(4));
    hand.found.exchanges.clear();
    hand.start(CLIENT, 0, GET);
    hand.start(SERVER, 0, ANSWER);
    assert_eq!(hand.found.exchanges, [Some(3), None]);
    assert_eq!(hand.found.releases.len(), 1);
}

#[test]
fn bytes_behind_an_answer_that_were_not_copied_are_a_loss_of_the_place() {
    let head = &ANSWER[..ANSWER.len() - 5];
    for (from_start, behind, desyncs) in [(false, 5, 0), (false, 6, 1), (true, 6, 0)] {
        let mut hand = middle();
        if from_start {
            hand.header.flags = flag::FROM_START;
        }
        hand.start(CLIENT, 0, GET);
        hand.send_of(SERVER, 0, head, behind, flag::START | flag::HEAD_END);
        assert_eq!(hand.engine.counts().desyncs, desyncs, "{behind}");
        hand.start(CLIENT, 0, GET);
        hand.start(SERVER, 0, ANSWER);
        assert_eq!(hand.engine.counts().heads, 4);
        assert_eq!(hand.engine.counts().desyncs, desyncs, "{behind}");
    }
}

#[test]
fn what_a_budget_left_out_of_a_body_of_known_length_keeps_nothing_escalated() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    for (last, released) in [(2000, true), (1999, false)] {
        let mut hand = middle();
        escalate(&mut hand);
        hand.start(CLIENT, 0, GET);
        hand.start(SERVER, 0, long);
        hand.send(SERVER, 0, &"x".repeat(1000), 0);
        // Two records that the budget refused.
        hand.numbers[1] += 2;
        hand.send(SERVER, 2000, &"x".repeat(last), 0);
        assert_eq!(hand.engine.counts().lost_records, 2);
        assert_eq!(hand.found.releases.len(), usize::from(released));
        assert_eq!(hand.engine.counts().desyncs, 0);
    }
}

/// Pipelined requests are sent, then capture begins: all heads behind them are found, each once.
#[test]
fn behind_a_pipeline_that_was_sent_before_every_head_is_found() {
    let mut conversation = Conversation::new();
    for (count, response) in [
        (3, Frame::Length(100)),
        (2, Frame::Chunked(2)),
        (4, Frame::Empty),
    ] {
        let requests = vec![("GET", Frame::Empty, response); count];
        conversation.exchange(&Exchange::Pipeline { requests }, true);
    }
    conversation.exchange(&plain(Frame::Length(30), Frame::Length(20)), true);
    conversation.end(End::Quiet);
    let (_, unseen) = conversation.turns[0].clone();
    conversation.heads.drain(..3);
    for size in 1..700 {
        let mut segments = conversation.segments(|| size);
        segments.drain(..unseen.len().div_ceil(size));
        let (mut engine, mut found) = (engine(), Found::default());
        let mut kernel = Kernel::new(3, 1);
        kernel.from_start = false;
        kernel.skip(CLIENT, unseen.len());
        run(&mut kernel, &segments, &mut engine, &mut found, |_| true);
        engine.finish(&mut found);
        check_exact(&conversation, &found);
        assert_eq!(engine.held_bytes(), 0);
        assert!(!kernel.all, "released");
        assert_eq!(engine.counts().desyncs, 0, "in segments of {size}");
        assert_eq!(found.exchanges[..3], [None; 3]);
    }
}
