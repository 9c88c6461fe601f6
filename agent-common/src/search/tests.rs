//! Both searches, at every place, against the plainest way to find the same.

extern crate std;

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// A scratch whose window holds four bytes before `data`, and bytes of an earlier packet behind it.
fn scratch(carry: [u8; 4], data: &[u8]) -> Scratch {
    let mut scratch = Scratch::new();
    scratch.header.carry = carry;
    scratch.data.fill(b'\n');
    scratch.data[..data.len()].copy_from_slice(data);
    scratch
}

fn check_end(carry: [u8; 4], data: &[u8]) {
    let mut window = Vec::from(carry);
    window.extend_from_slice(data);
    let wanted = window
        .windows(4)
        .enumerate()
        .find(|(index, word)| *index > 0 && *word == b"\r\n\r\n")
        .map(|(index, _)| index as u32);
    let found = head_end(&scratch(carry, data), data.len() as u32);
    assert_eq!(
        found,
        wanted,
        "{carry:?} {:?}",
        std::format!("{}", data.escape_ascii())
    );
}

#[test]
fn an_empty_line_is_found_at_every_place() {
    for filler in [b'x', b'\t', b'\r', 0x8e, 0xff] {
        for length in [0, 1, 3, 4, 5, 127, 128, 129, 132, 255, 257, 512, PIECE_MAX] {
            let filled = [filler; PIECE_MAX];
            check_end(*b"    ", &filled[..length]);
            for at in 0..length.saturating_sub(3) {
                let mut data = filled;
                data[at..at + 4].copy_from_slice(b"\r\n\r\n");
                if length < 600 || at % 61 == 0 || at + 8 > length {
                    check_end(*b"    ", &data[..length]);
                }
            }
        }
    }
}

#[test]
fn an_empty_line_may_begin_in_the_carry() {
    for (carry, data) in [
        (*b"x\r\n\r", &b"\nbody"[..]),
        (*b"xx\r\n", b"\r\nbody"),
        (*b"xxx\r", b"\n\r\nbody"),
        (*b"xxx\r", b"\n\r"),
        (*b"\r\n\r\n", b"body"),
        (*b"\r\n\r\n", b"\r\n"),
    ] {
        check_end(carry, data);
    }
}

#[test]
fn the_field_that_frames_the_body_is_found_at_every_place() {
    let check = |before: &str, field: &str, wanted: Body| {
        let head = std::format!("{before}\r\n{field}\r\nX: y\r\n\r\n");
        let found = request_body(&scratch(*b"    ", head.as_bytes()), head.len() as u32);
        assert_eq!(found, wanted, "{head:?}");
    };
    let mut before = std::string::String::from("POST / HTTP/1.1\r\nA: ");
    for _ in 0..300 {
        before.push('b');
        check(&before, "Content-Length: 17", Body::Length(17));
        check(&before, "content-LENGTH:4294967296 ", Body::Length(1 << 32));
        check(&before, "Content-Length: 1, 1", Body::Unknown);
        check(
            &before,
            "Content-Length: \t 999999999999999\t",
            Body::Length(999_999_999_999_999),
        );
        check(&before, "Content-Length: 1000000000000000", Body::Unknown);
        check(&before, "Content-Length:          1", Body::Unknown);
        check(&before, "Content-Length: ", Body::Unknown);
        check(&before, "Transfer-Encoding: chunked", Body::Unknown);
        check(&before, "Content-Type: text/plain", Body::None);
        check(&before, "X-Content-Length: 3", Body::None);
    }
}

#[test]
fn an_empty_line_is_found_in_windows_of_every_length() {
    let mut data = [b'a'; PIECE_MAX];
    for length in 0..=PIECE_MAX {
        check_end(*b"    ", &data[..length]);
        for at in (0..24).chain(length.saturating_sub(24)..length) {
            let end = (at + 4).min(length);
            if at < end {
                data[at..end].copy_from_slice(&b"\r\n\r\n"[..end - at]);
                check_end(*b"    ", &data[..length]);
                data[at..end].fill(b'a');
            }
        }
    }
}

#[test]
fn what_stands_behind_the_window_is_not_found() {
    let mut full = scratch(*b"    ", &[b'a'; PIECE_MAX]);
    full.data[PIECE_MAX - 2..PIECE_MAX + 2].copy_from_slice(b"\r\n\r\n");
    assert_eq!(head_end(&full, PIECE_MAX as u32), None);
    full.data.fill(b'a');
    full.data[100..104].copy_from_slice(b"\r\n\r\n");
    for length in 0..=PIECE_MAX as u32 {
        let expected = (length >= 104).then_some(104);
        assert_eq!(head_end(&full, length), expected, "{length}");
    }
}

#[test]
fn content_lengths_within_limits() {
    let check = |value: &str, expected: Body| {
        for pad in 0..16 {
            let head = std::format!(
                "{:a>pad$}\r\nContent-Length:{value}\r\n\r\n",
                "POST / HTTP/1.1",
                pad = pad + 20
            );
            let found = request_body(&scratch(*b"    ", head.as_bytes()), head.len() as u32);
            assert_eq!(found, expected, "{value:?}");
        }
    };
    let mut value = std::string::String::new();
    for digits in 1..=15_u32 {
        value.push('9');
        check(&value, Body::Length(10_u64.pow(digits) - 1));
    }
    check(&(value + "0"), Body::Unknown);
    for blanks in 0..=8 {
        check(&std::format!("{:blanks$}7", ""), Body::Length(7));
    }
    check(&std::format!("{:9}7", ""), Body::Unknown);
    check("000000000000017", Body::Length(17));
    check("0", Body::Length(0));
    check("7 \t", Body::Length(7));
    for value in [
        "", " ", "+7", "-7", "0x7", "7,7", "7;", "7.0", "seven", "\u{b7}7",
    ] {
        check(value, Body::Unknown);
    }
}

#[test]
fn a_body_is_one_word() {
    for body in [
        Body::None,
        Body::Unknown,
        Body::Length(0),
        Body::Length(1 << 50),
    ] {
        assert_eq!(Body::from_word(body.to_word()), body);
    }
    assert!(matches!(
        Body::from_word(Body::Length(u64::MAX).to_word()),
        Body::Length(_)
    ));
}

/// Bytes that are line ends often.
fn lines(length: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(b'\r'), 4 => Just(b'\n'), 2 => Just(b'a'), 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..length)
}

/// Letters in upper and lower case.
fn cased(text: &'static str) -> impl Strategy<Value = std::string::String> {
    let flips = proptest::collection::vec(any::<bool>(), text.len());
    flips.prop_map(move |flips| {
        let letters = text.chars().zip(flips);
        letters
            .map(|(letter, flip)| {
                if flip {
                    letter.to_ascii_uppercase()
                } else {
                    letter.to_ascii_lowercase()
                }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_first_empty_line_is_found_among_line_ends(carry: [u8; 4], data in lines(80)) {
        check_end(carry, &data);
        check_end(*b"\r\n\r\n", &data);
    }

    #[test]
    fn names_of_fields_have_no_case(
        before in 0_usize..1990,
        length in cased("content-length"),
        coding in cased("transfer-encoding"),
    ) {
        let check = |field: &str, expected: Framing| {
            let head = std::format!("POST /{:b>before$} HTTP/1.1\r\n{field}: 5\r\n\r\n", "");
            let head = &head.as_bytes()[..head.len().min(PIECE_MAX)];
            if head.ends_with(b"\r\n\r\n") {
                let scratch = scratch(*b"    ", head);
                assert_eq!(framing_field(&scratch, head.len() as u32), expected, "{field}");
            }
        };
        check(&length, Framing::ContentLength);
        check(&coding, Framing::Other);
        check("X-Other", Framing::None);
        check(&std::format!("X{length}"), Framing::None);
    }
}

#[test]
fn bare_line_feeds_leave_the_body_to_the_reader() {
    for (head, expected) in [
        (
            "POST / HTTP/1.1\r\nA: b\n\nContent-Length: 3\r\n\r\n",
            Body::Unknown,
        ),
        (
            "POST / HTTP/1.1\r\nA: b\r\n\nContent-Length: 3\r\n\r\n",
            Body::Unknown,
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nA: b\n\r\n",
            Body::Length(3),
        ),
        ("POST / HTTP/1.1\r\nA: b\r\n\r\n", Body::None),
        // The first that frames decides.
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            Body::Unknown,
        ),
    ] {
        for pad in 0..40 {
            let head = head.replacen('/', &std::format!("/{:x>pad$}", ""), 1);
            let found = request_body(&scratch(*b"    ", head.as_bytes()), head.len() as u32);
            assert_eq!(found, expected, "{head:?}");
        }
    }
}

#[test]
fn a_lone_bare_line_feed_is_seen_at_every_second_place() {
    // Missed it is only a body that is not stepped over: the reader finds its end.
    let mut found = ["/", "/a"].map(|target| {
        let head = std::format!("POST {target} HTTP/1.1\nContent-Length: 3\r\n\r\n");
        request_body(&scratch(*b"    ", head.as_bytes()), head.len() as u32)
    });
    found.sort_by_key(|body| body.to_word());
    assert_eq!(found, [Body::Unknown, Body::None]);
}
