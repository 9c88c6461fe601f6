use proptest::prelude::*;

use super::*;

/// What comes of an answer: it is read to its end, then the connection is closed.
fn read(pieces: &[&[u8]], to_head: bool) -> Result<Whole, Wrong> {
    let mut answer = Answer::default();
    answer.begin(to_head);
    for (at, piece) in pieces.iter().enumerate() {
        if let Some(whole) = answer.take(piece)? {
            let behind = pieces.iter().skip(at + 1).any(|piece| !piece.is_empty());
            return match behind {
                true => Err(Wrong::Framing),
                false => Ok(whole),
            };
        }
    }
    answer.close()
}

/// The whole, every cut in two, and every byte alone: the same must come of each.
fn check(text: &str, to_head: bool, expected: Result<(u16, bool, u64), Wrong>) {
    let bytes = text.as_bytes();
    let expected = expected.map(|(status, is_kept, body)| Whole {
        status,
        is_kept,
        body,
    });
    assert_eq!(read(&[bytes], to_head), expected, "{text:?}");
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(read(&[first, second], to_head), expected, "{text:?}: {cut}");
    }
    let each: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&each, to_head), expected, "{text:?} byte by byte");
}

/// As [`check`], and every part of it without its end is a connection that was closed early (or, where
/// it goes on until the close, an answer with less of a body).
fn check_cut(text: &str, to_head: bool, expected: (u16, bool, u64)) {
    check(text, to_head, Ok(expected));
    let head = text.find("\r\n\r\n").unwrap() + 4;
    for length in 0..text.len() {
        let cut = &text.as_bytes()[..length];
        let found = read(&[cut], to_head);
        let until_close = !text.contains("Content-Length") && !text.contains("chunked");
        match until_close && length >= head {
            true => assert_eq!(found.unwrap().body, (length - head) as u64, "{cut:?}"),
            false => assert_eq!(found, Err(Wrong::Closed), "{:?}", &text[..length]),
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn lengths() {
    check_cut(
        &format!("{OK}Content-Length: 5\r\n\r\nhello"),
        false,
        (200, true, 5),
    );
    check_cut(
        &format!("{OK}Content-Length: 0\r\n\r\n"),
        false,
        (200, true, 0),
    );
    check_cut(
        &format!("{OK}Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab"),
        false,
        (200, true, 2),
    );
    check_cut(
        "HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!",
        false,
        (404, false, 3),
    );
    // A reason may be missing (RFC 9112, section 4).
    check_cut(
        "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
        false,
        (200, true, 1),
    );
}

#[test]
fn chunks() {
    check_cut(
        &format!("{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n"),
        false,
        (200, true, 6),
    );
    check_cut(
        &format!(
            "{OK}transfer-encoding: gzip, Chunked\r\nConnection: Close\r\n\r\n0\r\nA: b\r\n\r\n"
        )
        .replace("Chunked", "chunked"),
        false,
        (200, false, 0),
    );
}

#[test]
fn until_the_close() {
    check_cut(&format!("{OK}\r\nabc"), false, (200, false, 3));
    check_cut(
        &format!("{OK}Transfer-Encoding: gzip\r\n\r\nabc"),
        false,
        (200, false, 3),
    );
    check_cut("HTTP/1.0 200 OK\r\n\r\nabc", false, (200, false, 3));
}

#[test]
fn answers_without_a_body() {
    check(
        &format!("{OK}Content-Length: 5\r\n\r\n"),
        true,
        Ok((200, true, 0)),
    );
    check(
        &format!("{OK}Transfer-Encoding: chunked\r\n\r\n"),
        true,
        Ok((200, true, 0)),
    );
    check(&format!("{OK}\r\n"), true, Ok((200, true, 0)));
    check("HTTP/1.1 204 No\r\n\r\n", false, Ok((204, true, 0)));
    check(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        false,
        Ok((304, true, 0)),
    );
    check(
        &format!("{OK}Content-Length: 1\r\n\r\nx"),
        true,
        Err(Wrong::Framing),
    );
    check("HTTP/1.1 204 No\r\n\r\nx", false, Err(Wrong::Framing));
}

#[test]
fn interim_answers() {
    check_cut(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
        false,
        (200, true, 2),
    );
    check(
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        false,
        Err(Wrong::Framing),
    );
    let endless = "HTTP/1.1 102 Processing\r\n\r\n".repeat(101);
    assert_eq!(read(&[endless.as_bytes()], false), Err(Wrong::Framing));
}

#[test]
fn connections() {
    let of = |version: &str, field: &str, is_kept: bool| {
        let text = format!("HTTP/{version} 200 OK\r\n{field}Content-Length: 1\r\n\r\nx");
        check(&text, false, Ok((200, is_kept, 1)));
    };
    of("1.1", "", true);
    of("1.0", "", false);
    of("1.0", "Connection: Keep-Alive\r\n", true);
    of("1.1", "Connection: keep-alive\r\n", true);
    of("1.1", "Connection: x, close\r\n", false);
}

#[test]
fn what_is_wrong() {
    let framing = |fields: &str| {
        check(&format!("{OK}{fields}\r\nxx"), false, Err(Wrong::Framing));
    };
    framing("Content-Length: 1\r\n");
    framing("Content-Length: -1\r\n");
    framing("Content-Length: +1\r\n");
    framing("Content-Length: x\r\n");
    framing("Content-Length: \r\n");
    framing("Content-Length: 99999999999999999999\r\n");
    framing("Content-Length: 2, 3\r\n");
    framing("Content-Length: 2\r\nContent-Length: 3\r\n");
    framing("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n");
    framing("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n");
    framing("Transfer-Encoding: chunked\r\n");
    let garbage = |text: &str| check(text, false, Err(Wrong::Garbage));
    garbage("\0\0\0\0");
    garbage("HTTP/2.0 200 OK\r\n\r\n");
    garbage("HTTP/1.1 2x0 OK\r\n\r\n");
    garbage("HTTP/1.1 099 Low\r\n\r\n");
    garbage("HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n");
    garbage("SSH-2.0-OpenSSH_9.2p1\r\n");
    check("", false, Err(Wrong::Closed));
    check(
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        false,
        Err(Wrong::Framing),
    );
}

#[test]
fn a_head_has_an_end() {
    let mut answer = Answer::default();
    answer.begin(false);
    answer.take(OK.as_bytes()).unwrap();
    let line = format!("X: {}\r\n", "y".repeat(4000));
    let refused = (0..100).find(|_| answer.take(line.as_bytes()).is_err());
    assert_eq!(refused, Some(16));
    let many = format!("{OK}{}\r\n", "A: b\r\n".repeat(101));
    assert_eq!(read(&[many.as_bytes()], false), Err(Wrong::TooLong));
    // One line without end, byte by byte.
    answer.begin(false);
    answer.take(OK.as_bytes()).unwrap();
    let refused = (0..HEAD_MOST).find(|_| answer.take(b"X").is_err());
    // With this byte it is as long as a head may be, and has no end.
    assert_eq!(refused, Some(HEAD_MOST - OK.len() - 1));
}

#[test]
fn one_reader_reads_many_answers() {
    let mut answer = Answer::default();
    for number in 0..100_u64 {
        answer.begin(false);
        assert!(!answer.has_begun());
        let text = format!(
            "{OK}Content-Length: {number}\r\n\r\n{}",
            "x".repeat(number as usize)
        );
        let (first, second) = text.as_bytes().split_at(number as usize % text.len());
        assert_eq!(answer.take(first), Ok(None));
        let whole = answer.take(second).unwrap().unwrap();
        assert_eq!((whole.status, whole.body), (200, number));
        assert!(answer.has_begun());
        // Nothing was asked.
        assert_eq!(answer.take(b"H"), Err(Wrong::Framing));
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(pieces: Vec<Vec<u8>>, to_head: bool) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let _any = read(&pieces, to_head);
    }

    #[test]
    fn nor_what_is_nearly_http(tail in "(Content-Length|Transfer-Encoding|Connection|: |chunked|close|[0-9a-f]{1,3}|,|\r\n|x){0,30}", cut in 0_usize..200) {
        let text = format!("{OK}{tail}");
        let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
        let whole = read(&[text.as_bytes()], false);
        prop_assert_eq!(read(&[first, second], false), whole);
    }
}
