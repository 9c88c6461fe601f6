//! Both searches, at every place, against the plainest way to find the same.

extern crate std;

use std::vec::Vec;

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
