mod by_hand;
mod holes;
mod kernel;
mod middle;
mod wire;

use agent_common::record::{FIRST_POSITION, HEAD_MAX, RecordHeader, VERSION, flag};
use proptest::prelude::*;

use self::kernel::Kernel;
use self::wire::{CLIENT, Conversation, End, Exchange, Frame, SERVER, Segment, Sent, conversation};
use super::{Counts, Engine, FoundHead, Limits, Output};

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const UPLOAD: &str = "POST /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Keeps what an engine hands out.
#[derive(Default)]
struct Found {
    heads: Vec<(Sent, bool)>,
    /// Of each head, the number of the request on its connection.
    exchanges: Vec<Option<u32>>,
    releases: Vec<(u32, u32, u32, bool)>,
}

impl Output for Found {
    fn head(&mut self, head: &FoundHead<'_>) {
        let mut bytes = head.line.to_vec();
        bytes.push(b'|');
        bytes.extend_from_slice(head.raw_fields);
        let sent = Sent {
            side: head.side,
            position: head.position,
            head: bytes,
        };
        self.heads.push((sent, head.partial));
        self.exchanges.push(head.exchange);
    }

    fn release(&mut self, slot: u32, generation: u32, records: u32, opaque: bool) {
        self.releases.push((slot, generation, records, opaque));
    }
}

/// A head as [`Found`] keeps it.
fn as_found(sent: &Sent) -> Sent {
    let head = String::from_utf8(sent.head.clone()).expect("text");
    let (line, fields) = head.split_once('\n').expect("a line");
    let end = if fields.ends_with("\r\n") { 2 } else { 1 };
    let text = format!(
        "{}|{}",
        line.trim_end_matches('\r'),
        &fields[..fields.len() - end]
    );
    Sent {
        head: text.into_bytes(),
        ..*sent
    }
}

fn engine() -> Engine {
    Engine::new(Limits::default())
}

#[track_caller]
fn check_counts(counts: Counts) {
    assert_eq!(
        counts.start_lines,
        counts.heads + counts.copies + counts.look_alikes,
        "{counts:?}"
    );
    assert_eq!(counts.heads, counts.whole + counts.partial, "{counts:?}");
}

/// Sends segments through the kernel and the engine; `keep` tells which records are not lost.
fn run(
    kernel: &mut Kernel,
    segments: &[Segment],
    engine: &mut Engine,
    found: &mut Found,
    mut keep: impl FnMut(&RecordHeader) -> bool,
) {
    for segment in segments {
        for (header, bytes) in kernel.segment(segment, 0) {
            if keep(&header) {
                engine.record(&header, &bytes, found);
                check_counts(engine.counts());
            }
            for (slot, generation, records, opaque) in found.releases.drain(..) {
                assert_eq!((slot, generation), (kernel.slot, kernel.generation));
                kernel.release(records, opaque);
            }
        }
    }
}

/// All heads, whole, once, in the order of each direction.
#[track_caller]
fn check_exact(conversation: &Conversation, found: &Found) {
    for side in [CLIENT, SERVER] {
        let sent: Vec<(Sent, bool)> = conversation
            .heads
            .iter()
            .filter(|head| head.side == side)
            .map(|head| (as_found(head), false))
            .collect();
        let got: Vec<(Sent, bool)> = found
            .heads
            .iter()
            .filter(|(head, _)| head.side == side)
            .cloned()
            .collect();
        let lines = |heads: &[(Sent, bool)]| -> Vec<(u64, String, bool)> {
            heads
                .iter()
                .map(|(head, partial)| {
                    let text = String::from_utf8_lossy(&head.head);
                    let line = text.split('|').next().unwrap_or_default().to_owned();
                    (head.position - FIRST_POSITION, line, *partial)
                })
                .collect()
        };
        assert_eq!(lines(&got), lines(&sent), "side {side}");
        assert_eq!(got, sent, "side {side}");
    }
}

fn plain(request: Frame, response: Frame) -> Exchange {
    Exchange::Plain {
        method: "POST",
        request,
        response,
        padding: 0,
        bare: false,
    }
}

/// One of each kind.
fn everything(end: End) -> Conversation {
    let mut conversation = Conversation::new();
    let bare = Exchange::Plain {
        method: "GET",
        request: Frame::Empty,
        response: Frame::Length(33),
        padding: 12,
        bare: true,
    };
    for exchange in [
        plain(Frame::Empty, Frame::Length(250)),
        plain(Frame::Length(250), Frame::Chunked(3)),
        plain(Frame::Chunked(3), Frame::Empty),
        Exchange::Head {
            response: Frame::Length(700),
        },
        Exchange::Head {
            response: Frame::Chunked(2),
        },
        Exchange::NotModified,
        Exchange::Continue {
            body: 250,
            response: Frame::Chunked(2),
        },
        Exchange::Pipeline {
            requests: vec![
                ("GET", Frame::Empty, Frame::Chunked(2)),
                ("POST", Frame::Chunked(2), Frame::Length(100)),
                ("HEAD", Frame::Empty, Frame::Length(100)),
                ("PUT", Frame::Length(100), Frame::Empty),
            ],
        },
        plain(Frame::Empty, Frame::Chunked(2)),
        bare,
    ] {
        conversation.exchange(&exchange, true);
    }
    conversation.end(end);
    conversation
}

#[test]
fn every_kind_of_exchange_in_segments_of_every_size() {
    for end in [End::Quiet, End::UntilClose, End::Connect, End::Upgrade] {
        let conversation = everything(end);
        for size in 1..1500 {
            let segments = conversation.segments(|| size);
            let (mut engine, mut found) = (engine(), Found::default());
            let mut kernel = Kernel::new(3, 1);
            run(&mut kernel, &segments, &mut engine, &mut found, |_| true);
            engine.finish(&mut found);
            check_exact(&conversation, &found);
            assert_eq!(engine.held_bytes(), 0);
            assert!(!kernel.all || !matches!(end, End::Quiet), "released");
            assert_eq!(engine.counts().desyncs, 0, "in segments of {size}");
        }
    }
}

#[test]
fn every_kind_of_exchange_cut_in_two_at_every_byte() {
    let conversation = everything(End::Quiet);
    let longest = conversation
        .turns
        .iter()
        .map(|turn| turn.1.len())
        .max()
        .unwrap();
    for cut in 1..longest {
        // Every turn in two pieces, the first of `cut` bytes.
        let mut first = false;
        let segments = conversation.segments(|| {
            first = !first;
            if first { cut } else { usize::MAX }
        });
        let (mut engine, mut found) = (engine(), Found::default());
        run(
            &mut Kernel::new(3, 1),
            &segments,
            &mut engine,
            &mut found,
            |_| true,
        );
        engine.finish(&mut found);
        check_exact(&conversation, &found);
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// Nothing lost, in order: all heads, whole, once, whatever the segmentation.
    #[test]
    fn without_loss_every_head_is_found(
        conversation in conversation(5, true),
        sizes in proptest::collection::vec(prop_oneof![1_usize..5, 1_usize..200, 200_usize..4000], 1..30),
        start_in_all in any::<bool>(),
    ) {
        let mut sizes = sizes.into_iter().cycle();
        let segments = conversation.segments(|| sizes.next().unwrap());
        let (mut engine, mut found) = (engine(), Found::default());
        let mut kernel = Kernel::new(7, 1);
        kernel.start_in_all = start_in_all;
        run(&mut kernel, &segments, &mut engine, &mut found, |_| true);
        engine.finish(&mut found);
        check_exact(&conversation, &found);
        prop_assert_eq!(engine.held_bytes(), 0);
        prop_assert_eq!(engine.counts().partial, 0);
    }

    /// Segments late and twice: the same.
    #[test]
    fn reordered_and_repeated_segments_change_nothing(
        conversation in conversation(4, true),
        sizes in proptest::collection::vec(prop_oneof![1_usize..40, 40_usize..1500], 1..30),
        moves in proptest::collection::vec((0_usize..1000, 1_usize..5, any::<bool>()), 0..8),
        start_in_all in any::<bool>(),
        names_closed_hole in any::<bool>(),
    ) {
        let mut sizes = sizes.into_iter().cycle();
        let mut segments = conversation.segments(|| sizes.next().unwrap());
        for (from, by, twice) in moves {
            let from = from % segments.len();
            // A segment passes others of its turn only: the answer waits for all of them.
            let side = segments[from].side;
            let run = segments[from..].iter().take_while(|segment| segment.side == side).count();
            let to = from + by.min(run - 1);
            let segment = segments[from].clone();
            if !twice {
                segments.remove(from);
                segments.insert(to, segment);
            } else {
                segments.insert(to + 1, segment);
            }
        }
        let (mut engine, mut found) = (engine(), Found::default());
        let mut kernel = Kernel::new(7, 1);
        (kernel.start_in_all, kernel.names_closed_hole) = (start_in_all, names_closed_hole);
        run(&mut kernel, &segments, &mut engine, &mut found, |_| true);
        engine.finish(&mut found);
        check_exact(&conversation, &found);
        prop_assert_eq!(engine.held_bytes(), 0);
    }

    /// Records lost, segments lost, budgets spent: nothing is invented, and what follows is found.
    #[test]
    fn after_a_loss_the_next_start_line_starts_afresh(
        conversation in conversation(4, false),
        sizes in proptest::collection::vec(prop_oneof![1_usize..40, 40_usize..1500], 1..30),
        lost_records in proptest::collection::vec(0_usize..60, 0..4),
        lost_segments in proptest::collection::vec(0_usize..60, 0..2),
        start_in_all in any::<bool>(),
        budget in prop_oneof![Just(usize::MAX), 0_usize..5000],
        from_start in any::<bool>(),
    ) {
        let mut sizes = sizes.into_iter().cycle();
        let mut segments = conversation.segments(|| sizes.next().unwrap());
        for lost in lost_segments {
            if lost < segments.len() {
                segments.remove(lost);
            }
        }
        let before = conversation.turns.len();
        let mut conversation = conversation;
        for _ in 0..3 {
            conversation.exchange(&plain(Frame::Empty, Frame::Length(30)), false);
        }
        let tail: usize = conversation.turns[before..].len();
        let last: Vec<Segment> = conversation.segments(|| usize::MAX);
        let last = &last[last.len() - tail..];

        let (mut engine, mut found) = (engine(), Found::default());
        let mut kernel = Kernel::new(7, 1);
        (kernel.start_in_all, kernel.budget, kernel.from_start) = (start_in_all, budget, from_start);
        let mut number = 0;
        run(&mut kernel, &segments, &mut engine, &mut found, |_| {
            number += 1;
            !lost_records.contains(&number)
        });
        kernel.time_ns += 2_000_000_000;
        engine.expire(kernel.time_ns, &mut found);
        found.releases.clear();
        kernel.budget = usize::MAX;
        run(&mut kernel, last, &mut engine, &mut found, |_| true);
        engine.finish(&mut found);
        check_counts(engine.counts());
        prop_assert_eq!(engine.held_bytes(), 0);

        let mut position = [0, 0];
        for (head, partial) in &found.heads {
            let sent = conversation.heads.iter().find(|sent| (sent.side, sent.position) == (head.side, head.position));
            let Some(sent) = sent else {
                panic!("invented: {:?} {}", String::from_utf8_lossy(&head.head), head.position - FIRST_POSITION)
            };
            if !partial {
                prop_assert_eq!(&as_found(sent), head);
            }
            let reached = &mut position[usize::from(head.side)];
            prop_assert!(*reached < head.position, "once and in order");
            *reached = head.position;
        }
        for sent in &conversation.heads[conversation.heads.len() - 6..] {
            prop_assert!(found.heads.contains(&(as_found(sent), false)), "not found: {:?}", String::from_utf8_lossy(&sent.head));
        }
    }
}

fn any_record() -> impl Strategy<Value = (RecordHeader, Vec<u8>)> {
    let place =
        || prop_oneof![8 => 0_u64..300, 1 => any::<u64>(), 1 => ((1 << 62) - 9)..(1_u64 << 62)];
    let text = prop_oneof![
        Just(GET.as_bytes().to_vec()),
        Just(UPLOAD.as_bytes().to_vec()),
        Just(CHUNKED.as_bytes().to_vec()),
        Just(EMPTY.as_bytes().to_vec()),
        Just(b"5\r\nGET /".to_vec()),
        Just(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let numbers = (
        place(),
        prop_oneof![3 => Just(0), 1 => place()],
        place(),
        place(),
    );
    (
        numbers,
        any::<u16>(),
        0_u8..2,
        0_u32..3,
        prop_oneof![9 => 1_u32..9, 1 => any::<u32>()],
        text,
    )
        .prop_map(
            |((position, hole, end, time_ns), flags, side, slot, number, bytes)| {
                let header = RecordHeader {
                    time_ns,
                    position,
                    hole_start: hole,
                    segment_end: end,
                    direction_record: number,
                    captured: bytes.len() as u32,
                    slot,
                    generation: number % 2,
                    flags,
                    side,
                    version: VERSION,
                    ..RecordHeader::default()
                };
                (header, bytes)
            },
        )
}

proptest! {
    /// Any records in any order: no panic, no endless loop, and the accounts are right.
    #[test]
    fn takes_any_records(records in proptest::collection::vec((any_record(), any::<bool>()), 0..60)) {
        let (mut engine, mut found) = (engine(), Found::default());
        for ((header, bytes), expire) in &records {
            engine.record(header, bytes, &mut found);
            if *expire {
                engine.expire(header.time_ns, &mut found);
            }
            check_counts(engine.counts());
        }
        engine.finish(&mut found);
        check_counts(engine.counts());
        prop_assert_eq!(engine.counts().heads, found.heads.len() as u64);
        prop_assert_eq!(engine.held_bytes(), 0);
    }
}
