//! The whole pure path: frames, the classifier that the kernel runs, the engine, heads.
//!
//! Conversations are cut into segments, put into real frames, mistreated as networks do, and read
//! again. What comes out must be what was sent.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod conversation;
mod observer;
mod wire;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tapline::capture::offline::OfflineSettings;

use conversation::{Conversation, Exchange, Side, end, exchange};
use observer::{Got, Observer};
use wire::{Connection, Segment, dress, initial, mishap, suffer};

fn connection(fakes: bool, count: usize) -> impl Strategy<Value = Connection> {
    (
        proptest::collection::vec(exchange(), 1..=count),
        end(),
        dress(),
        [initial(), initial()],
        any::<[bool; 3]>(),
    )
        .prop_map(move |(exchanges, end, dress, initial, flags)| Connection {
            // Seen from the middle on, an answer to nothing is taken for one to something.
            handshake: !flags[0] || matches!(exchanges.first(), Some(Exchange::Unasked)),
            conversation: Conversation::new("c", &exchanges, end, fakes),
            dress,
            number: 0,
            initial,
            fins: flags[1],
            client_is_low: flags[2],
        })
}

/// Sizes of segments, used in turn.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let mixed = prop_oneof![
        1_usize..5,
        1_usize..200,
        200_usize..4000,
        4000_usize..60_000
    ];
    prop_oneof![
        4 => proptest::collection::vec(mixed, 1..20),
        1 => Just(vec![1]),
        2 => Just(vec![1448]),
        1 => Just(vec![60_000]),
    ]
}

fn cut(connection: &Connection, sizes: &[usize]) -> Vec<Segment> {
    let mut sizes = sizes.iter().copied().cycle();
    connection.segments(|| sizes.next().expect("a cycle"))
}

/// Every head of both sides, whole, once, in the order of its side.
#[track_caller]
fn check_exact(connection: &Connection, got: &[Got]) {
    for side in [Side::Client, Side::Server] {
        let source = connection.endpoint(side);
        let sent: Vec<_> = connection
            .conversation
            .heads
            .iter()
            .filter(|head| head.side == side)
            .map(|head| (head.bytes.start as u64, &head.line, false, &head.fields))
            .collect();
        let client = connection.endpoint(Side::Client);
        let of_side = got.iter().filter(|head| {
            head.source == source && [head.source, head.destination].contains(&client)
        });
        // Without a handshake the first byte seen has position 0; with segments late it may be any.
        let of_side: Vec<_> = of_side.collect();
        let shift = match (connection.handshake, of_side.first(), sent.first()) {
            (false, Some(got), Some(sent)) => got.position.wrapping_sub(sent.0),
            _ => 0,
        };
        let found: Vec<_> = of_side
            .iter()
            .map(|head| {
                let position = head.position.wrapping_sub(shift);
                (position, &head.line, head.partial, &head.fields)
            })
            .collect();
        let short = |heads: &[(u64, &String, bool, &String)]| -> Vec<_> {
            let short = heads.iter().map(|head| (head.0, head.1.clone(), head.2));
            short.collect()
        };
        assert_eq!(short(&found), short(&sent), "{side:?}");
        assert_eq!(found, sent, "{side:?}");
    }
}

/// A small table is quicker to make.
fn few_flows() -> OfflineSettings {
    OfflineSettings {
        flows: 64,
        ..OfflineSettings::default()
    }
}

/// The same cases in every run, so that a change is judged by itself; `PIPELINE_CASES` asks for more
/// of them, and then for others each time.
fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PIPELINE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(cases);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 3_000,
        max_shrink_time: 20_000,
        rng_seed: if std::env::var_os("PIPELINE_CASES").is_some() {
            RngSeed::Random
        } else {
            RngSeed::Fixed(1)
        },
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(96))]

    /// Nothing lost, in order: all heads, whole, once, whatever the segmentation; on several
    /// connections at once.
    #[test]
    fn without_loss_every_head_is_found(
        mut connections in proptest::collection::vec((connection(true, 4), sizes()), 1..4),
        order in proptest::collection::vec(0_usize..4, 1..40),
        twice in any::<bool>(),
    ) {
        let mut observer = Observer::new(few_flows());
        let mut waiting = Vec::new();
        for (number, (connection, sizes)) in connections.iter_mut().enumerate() {
            connection.number = number as u16;
            let segments = cut(connection, sizes);
            waiting.push(segments.into_iter());
        }
        let mut order = order.iter().cycle();
        while !waiting.is_empty() {
            let next = order.next().expect("a cycle") % waiting.len();
            match waiting[next].next() {
                Some(segment) => {
                    observer.frame(&segment.frame, 1);
                    if twice {
                        observer.frame(&segment.frame, 2);
                    }
                }
                None => drop(waiting.remove(next)),
            }
        }
        let (got, counts, _) = observer.finish();
        for (connection, _) in &connections {
            check_exact(connection, &got);
        }
        prop_assert_eq!(counts.partial, 0);
        let sent: usize = connections.iter().map(|(connection, _)| connection.conversation.heads.len()).sum();
        prop_assert_eq!(got.len(), sent);
    }

    /// Segments late, twice, and sent again in other pieces: the same.
    #[test]
    fn late_and_repeated_segments_change_nothing(
        mut connection in connection(true, 4),
        sizes in sizes(),
        mishaps in proptest::collection::vec(mishap(), 0..8),
    ) {
        // Where capture begins in the middle, what comes before the first segment is lost.
        connection.handshake = true;
        let mut segments = cut(&connection, &sizes);
        for mishap in &mishaps {
            suffer(&connection, &mut segments, *mishap);
        }
        let mut observer = Observer::new(few_flows());
        for segment in &segments {
            observer.frame(&segment.frame, 1);
        }
        let (got, _, _) = observer.finish();
        check_exact(&connection, &got);
    }
}
