use proptest::prelude::*;

use super::super::head::StartLine;
use super::start_line::METHOD_MAX;
use super::{
    Coding, Length, Message, Parsed, begins_with_start_line, head_end, lenient, parse, parse_cut,
    strict,
};

fn request<'a>(method: &'a str, target: &'a str) -> Option<StartLine<'a>> {
    Some(StartLine::Request {
        method: method.as_bytes(),
        target: target.as_bytes(),
    })
}

fn response(status: u16, reason: &str) -> Option<StartLine<'_>> {
    Some(StartLine::Response {
        status,
        reason: reason.as_bytes(),
    })
}

fn whole(bytes: &[u8]) -> Option<Message<'_>> {
    match parse(bytes) {
        Parsed::Whole(message) => Some(message),
        Parsed::More | Parsed::Not => None,
    }
}

/// Checks that the two readers together read the same as the lenient one alone, from the same bytes.
#[track_caller]
fn check_readers(bytes: &[u8]) {
    let (both, lenient) = (parse(bytes), lenient::parse(bytes));
    assert_eq!(both, lenient, "{}", bytes.escape_ascii());
    if let (Parsed::Whole(both), Parsed::Whole(lenient)) = (both, lenient) {
        assert_eq!(both.line.as_ptr_range(), lenient.line.as_ptr_range());
        assert_eq!(
            both.raw_fields.as_ptr_range(),
            lenient.raw_fields.as_ptr_range()
        );
    }
}

/// Checks a start line with both line ends, with and without fields, and its truncations.
#[track_caller]
fn check(line: &str, minor_version: u8, expected: Option<StartLine<'_>>) {
    for end in ["\r\n", "\n"] {
        for fields in ["", "Host: a", ": \u{0}: not a field", "Content-Length: x"] {
            let fields = if fields.is_empty() {
                String::new()
            } else {
                format!("{fields}{end}")
            };
            let head = format!("{line}{end}{fields}{end}");
            let bytes = format!("{head}GET / HTTP/1.1");
            check_readers(bytes.as_bytes());
            let found = whole(bytes.as_bytes());
            assert_eq!(found.map(|message| message.start), expected, "{head:?}");
            assert_eq!(
                begins_with_start_line(head.as_bytes()),
                expected.is_some(),
                "{head:?}"
            );
            let Some(found) = found else { continue };
            assert_eq!(found.minor_version, Some(minor_version));
            assert_eq!(found.line, line.as_bytes());
            assert_eq!(found.raw_fields, fields.as_bytes());
            assert_eq!(found.bytes, head.as_bytes());
            assert_eq!(head_end(bytes.as_bytes(), 0), Some(head.len()));
            for cut in 0..head.len() {
                let cut_head = &head.as_bytes()[..cut];
                check_readers(cut_head);
                assert_eq!(parse(cut_head), Parsed::More, "{head:?} cut at {cut}");
                assert_eq!(head_end(cut_head, 0), None);
                assert_eq!(
                    head_end(bytes.as_bytes(), cut),
                    Some(head.len()),
                    "from {cut}"
                );
            }
        }
    }
}

#[test]
fn request_lines() {
    check("GET / HTTP/1.1", 1, request("GET", "/"));
    check("GET / HTTP/1.0", 0, request("GET", "/"));
    check("G / HTTP/1.9", 9, request("G", "/"));
    check("OPTIONS * HTTP/1.1", 1, request("OPTIONS", "*"));
    check(
        "CONNECT example.com:443 HTTP/1.1",
        1,
        request("CONNECT", "example.com:443"),
    );
    check(
        "GET http://example.com/a?b=c HTTP/1.1",
        1,
        request("GET", "http://example.com/a?b=c"),
    );
    check("M-SEARCH * HTTP/1.1", 1, request("M-SEARCH", "*"));
    check(
        "!#$%&'*+-.^_`|~09 /x HTTP/1.1",
        1,
        request("!#$%&'*+-.^_`|~09", "/x"),
    );
    check(
        "get /\u{e4}\u{1} HTTP/1.1",
        1,
        request("get", "/\u{e4}\u{1}"),
    );
    check("HTTP / HTTP/1.1", 1, request("HTTP", "/"));
    // White space as a tolerant server takes it.
    check("GET  /  HTTP/1.1", 1, request("GET", "/"));
    check("GET\t/\tHTTP/1.1 ", 1, request("GET", "/"));
    check("GET /a b HTTP/1.1", 1, request("GET", "/a b"));
    check(
        "GET http://a/b c HTTP/1.1",
        1,
        request("GET", "http://a/b c"),
    );
    // Not HTTP/1.
    check("GET /", 0, None);
    check("GET / ", 0, None);
    check("GET / HTTP/0.9", 0, None);
    check("GET / HTTP/2.0", 0, None);
    check("PRI * HTTP/2.0", 0, None);
    check("GET / HTTP/1.10", 0, None);
    check("GET / HTTP/1.", 0, None);
    check("GET / HTTP/1.x", 0, None);
    check("GET / http/1.1", 0, None);
    check("GET / HTTP/1.1x", 0, None);
    check("OPTIONS rtsp://a/b RTSP/1.0", 0, None);
    check("INVITE sip:a@b SIP/2.0", 0, None);
    check("GET HTTP/1.1", 0, None);
    check("GET/ HTTP/1.1", 0, None);
    check(" GET / HTTP/1.1", 0, None);
    check("G@T / HTTP/1.1", 0, None);
    check("This sentence ends in HTTP/1.1", 0, None);
    check("GET /a\rb HTTP/1.1", 0, None);
    check("", 0, None);
    check(
        &format!("{} / HTTP/1.1", "M".repeat(METHOD_MAX + 1)),
        0,
        None,
    );
    let longest = "M".repeat(METHOD_MAX);
    check(&format!("{longest} / HTTP/1.1"), 1, request(&longest, "/"));
}

#[test]
fn status_lines() {
    check("HTTP/1.1 200 OK", 1, response(200, "OK"));
    check("HTTP/1.0 404 Not Found", 0, response(404, "Not Found"));
    check("HTTP/1.1 200 ", 1, response(200, ""));
    check("HTTP/1.1 200", 1, response(200, ""));
    check("HTTP/1.1 999 \u{e4}\u{1}", 1, response(999, "\u{e4}\u{1}"));
    check("HTTP/1.1  301\tMoved ", 1, response(301, "Moved"));
    check("HTTP/1.1 20", 0, None);
    check("HTTP/1.1 2000", 0, None);
    check("HTTP/1.1 099 x", 0, None);
    check("HTTP/1.1 2x0 x", 0, None);
    check("HTTP/1.1 200OK", 0, None);
    check("HTTP/1.1 200 O\rK", 0, None);
    check("HTTP/1.1", 0, None);
    check("HTTP/1.1 ", 0, None);
    check("HTTP/1.10 200 OK", 0, None);
    check("HTTP/2.0 200 OK", 0, None);
    check("HTTP/2 200", 0, None);
    check("HTTP/ 200 OK", 0, None);
    check("http/1.1 200 OK", 0, None);
    check("ICY 200 OK", 0, None);
    check("RTSP/1.0 200 OK", 0, None);
}

#[test]
fn what_cannot_become_a_start_line_is_refused_at_once() {
    for bytes in [
        "\u{16}\u{3}\u{1}",
        " GET",
        "GET\n",
        "HTTP/2",
        "HTTP/1.x",
        "HTTP/1.11",
        "HTTP/1.1 x",
        "a:b",
    ] {
        assert_eq!(parse(bytes.as_bytes()), Parsed::Not, "{bytes:?}");
    }
    for bytes in [
        "",
        "H",
        "HTTP",
        "HTTP/1.",
        "HTTP/1.1 2",
        "G",
        "GET",
        "GET ",
        "GET anything",
    ] {
        assert_eq!(parse(bytes.as_bytes()), Parsed::More, "{bytes:?}");
    }
}

#[test]
fn white_space_before_the_colon_is_left_out_in_responses_alone() {
    let message = whole(b"GET / HTTP/1.1\r\nHost : evil\r\nHost: good\r\n\r\n").unwrap();
    assert_eq!(message.fields.host, Some(b"good".as_slice()));
    let message = whole(b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n").unwrap();
    assert_eq!(message.framing.length, Length::Bytes(5));
}

#[test]
fn reads_fields_leniently() {
    let head = b"POST / HTTP/1.1\r\nHOST:a.example\r\nUser-Agent: \t spaced out \t\r\n\
        no field at all\r\nReferer:\r\nReferer: second\r\n folded: line\r\n: nameless\r\n\
        content-type: text/plain; a=b\r\ntraceparent: 00-1-2-3\r\nContent-Length: 7\r\n\
        Content-Length: 8\r\nX\0\xff: y\r\nTransfer-Encoding: gzip , chunked\r\n\r\n";
    let message = whole(head).unwrap();
    let fields = message.fields;
    assert_eq!(fields.host, Some(b"a.example".as_slice()));
    assert_eq!(fields.user_agent, Some(b"spaced out".as_slice()));
    assert_eq!(fields.referer, Some(b"".as_slice()));
    assert_eq!(fields.content_type, Some(b"text/plain; a=b".as_slice()));
    assert_eq!(fields.traceparent, Some(b"00-1-2-3".as_slice()));
    assert_eq!(fields.content_length, Some(b"7".as_slice()));
    assert_eq!(message.framing.length, Length::Bad);
    assert_eq!(message.framing.coding, Coding::Chunked);
}

#[test]
fn cut_heads() {
    #[track_caller]
    fn check(bytes: &str, expected: Option<StartLine<'_>>) {
        assert_eq!(
            parse_cut(bytes.as_bytes()).map(|message| message.start),
            expected,
            "{bytes:?}"
        );
    }
    for (bytes, target) in [
        ("GET /", "/"),
        ("GET /very-lo", "/very-lo"),
        ("GET /x ", "/x"),
        ("GET /x HT", "/x"),
        ("GET /x HTTP/1.", "/x"),
        ("GET /x HTTP/1.1", "/x"),
        ("GET /x HTTP/1.1\r", "/x"),
        ("GET /x HTTP/1.1\r\n", "/x"),
        ("GET /x HTTP/1.1\r\nHo", "/x"),
        ("GET ht", "ht"),
        ("GET HTTP://a/", "HTTP://a/"),
        ("GET x HTTP/", "x"),
    ] {
        check(bytes, request("GET", target));
    }
    check("CONNECT a:44", request("CONNECT", "a:44"));
    check("OPTIONS *", request("OPTIONS", "*"));
    check("PROPFIND /a", request("PROPFIND", "/a"));
    check("BREW /pot HTTP/", request("BREW", "/pot"));
    check("PRI /pot HTTP/", request("PRI", "/pot"));
    check("PRI * HTTP/1", request("PRI", "*"));
    for bytes in [
        "",
        "G",
        "GET",
        "GET ",
        "GET /x RTSP",
        "GET /x HTTP/2",
        "GET /x\n",
        "HTTP/1.1 20",
        "HTT",
        // What other protocols begin with.
        "a b",
        "get key1",
        "GET key1",
        "HELLO world",
        "EHLO mail.example.com",
        "USER bob",
        "BREW /pot HT",
        "OPTIONS rtsp://x/",
        "CONNECT /",
        "GET *",
        "PRI * HTTP/",
    ] {
        check(bytes, None);
    }
    check("HTTP/1.1 200", response(200, ""));
    check("HTTP/1.1 404 Not F", response(404, "Not F"));
    for (bytes, version) in [
        ("GET /x HTTP/1.", None),
        ("GET /x HTTP/1.1", Some(1)),
        ("HTTP/1.0 200", Some(0)),
    ] {
        let cut = parse_cut(bytes.as_bytes()).unwrap();
        assert_eq!(cut.minor_version, version, "{bytes}");
    }

    let cut = parse_cut(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 12").unwrap();
    assert_eq!(cut.fields.host, Some(b"a".as_slice()));
    assert_eq!(cut.fields.content_length, None, "perhaps it was 123");
    let cut = parse_cut(b"GET / HTTP/1.1\r\nContent-Length: 12\r\nUser-Agent: cur").unwrap();
    assert_eq!(cut.fields.user_agent, Some(b"cur".as_slice()));
    assert_eq!(cut.framing.length, Length::Bytes(12));
}

#[test]
fn the_strict_reader_takes_ordinary_heads_and_leaves_odd_ones() {
    /// What the strict reader says of `head`: whole, cut, or nothing.
    #[track_caller]
    fn check(head: &str, expected: Option<bool>) {
        let found = strict::parse(head.as_bytes());
        assert_eq!(
            found.map(|found| matches!(found, Parsed::Whole(_))),
            expected,
            "{head:?}"
        );
        check_readers(head.as_bytes());
    }
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\nAccept:\r\n\r\n",
        "GET / HTTP/1.0\n\n",
        "GET   /\u{e4}   HTTP/1.1\nHost:a\r\n\nbody",
        "PROPFIND http://a/ HTTP/1.1\r\nX: \u{e4} \t\r\n\r\n",
        "HTTP/1.1 200 OK\r\nServer : a\r\n\r\n",
        "HTTP/1.1   200   \tall is \u{e4}  \r\n\r\n",
        "HTTP/1.0 404\r\n\r\n",
    ] {
        check(head, Some(true));
    }
    for head in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r",
        "HTTP/1.1 200 OK\r\nServer: a\r\n\r",
        "HTTP/1.1 200\n",
    ] {
        check(head, Some(false));
    }
    for head in [
        "",
        "GET / HTTP/1.1",
        "HTTP/1.1 200 O",
        "\r\nGET / HTTP/1.1\r\n\r\n",
        "\nHTTP/1.1 200 OK\r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET\t/ HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \u{1}\r\n\r\n",
        "GET / HTTP/1.1\r\nno field\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 099 x\r\n",
    ] {
        check(head, None);
    }
    let long = "M".repeat(METHOD_MAX + 1);
    check(&format!("{long} / HTTP/1.1\r\n\r\n"), None);
    check(&format!("{long} / HTTP/1.1\r\n"), None);
    for (count, expected) in [(100, Some(true)), (101, None)] {
        let fields = "a: b\r\n".repeat(count - 1);
        check(
            &format!("GET / HTTP/1.1\r\n{fields}Host: last\r\n\r\n"),
            expected,
        );
    }
}

/// A start line, right or nearly right.
fn start_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[A-Z]{1,9} /[!-~]{0,40} HTTP/1\\.[01]",
        "(GET|POST|[!-~]{1,9}|M{254,258})[ \t\x0b\r]{1,3}[/a:]{0,3}[ -~äö\x00-\x20\x7f]{0,9}[ \t]{1,2}HTTP/[12]\\.[0-9][ \t\x0c]?",
        "HTTP/1\\.[01] [1-9][0-9]{2} [ -~]{0,20}",
        "HTTP/1\\.[0-9][ \t\x0c]{0,2}[0-9]{2,4}[ \t\r]{0,2}[ -~äö\x00-\x20\x7f]{0,9}",
    ]
    .prop_map(String::into_bytes)
}

/// A field line, right or odd, without its line end.
fn field_line() -> impl Strategy<Value = Vec<u8>> {
    let name = "(Host|host|Referer|User-Agent|Content-Type|traceparent|Content-Length|Transfer-Encoding|[a-zA-Z-]{1,40})";
    prop_oneof![
        8 => (name, "[ \t]{0,2}[!-~]{0,70}[ \t]{0,2}").prop_map(|(name, value)| format!("{name}:{value}").into_bytes()),
        4 => (name, "[ \t]{0,1}([0-9]{1,3}|chunked|gzip)(, ?([0-9]{1,3}|chunked))?").prop_map(|(name, value)| format!("{name}:{value}").into_bytes()),
        1 => (name, "[ \t]{1,2}", "[ -~]{0,9}").prop_map(|(name, space, value)| format!("{name}{space}:{value}").into_bytes()),
        1 => (name, proptest::collection::vec(any::<u8>(), 0..70)).prop_map(|(name, value)| [name.as_bytes(), b":", &value].concat()),
        1 => "[ \t]{1,2}[ -~]{0,9}".prop_map(String::into_bytes),
        1 => "[ -~]{0,9}".prop_map(String::into_bytes),
    ]
}

/// A head with the line ends that are found in practice, and some that are not.
fn head() -> impl Strategy<Value = Vec<u8>> {
    let line_end =
        prop_oneof![8 => Just("\r\n"), 4 => Just("\n"), 1 => Just("\r\r\n"), 1 => Just("\r")];
    let fields = prop_oneof![
        9 => proptest::collection::vec((field_line(), line_end.clone()), 0..8),
        1 => proptest::collection::vec((Just(b"a:b".to_vec()), Just("\n")), 98..103),
    ];
    (start_line(), line_end.clone(), fields, line_end).prop_map(|(line, end, fields, last)| {
        let mut head = [&line, end.as_bytes()].concat();
        for (field, end) in fields {
            head.extend_from_slice(&field);
            head.extend_from_slice(end.as_bytes());
        }
        head.extend_from_slice(last.as_bytes());
        head.extend_from_slice(b"GET ");
        head
    })
}

proptest! {
    /// Heads of all sorts, also cut and with one byte changed: `httparse` changes no result.
    #[test]
    fn both_readers_are_the_lenient_one(
        head in head(),
        cut in any::<prop::sample::Index>(),
        (place, byte) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        check_readers(&head);
        check_readers(&head[..cut.index(head.len())]);
        let mut changed = head.clone();
        changed[place.index(head.len())] = byte;
        check_readers(&changed);
    }

    /// What a strict parser takes, this one takes too, and reads the same in it.
    #[test]
    fn agrees_with_a_strict_parser(
        line in "(GET|POST|[A-Z]{1,9}) [!-~]{1,20} HTTP/1\\.[01]|HTTP/1\\.[01] [1-9][0-9]{2} [ -~]{0,9}",
        fields in proptest::collection::vec(("(Host|host|Referer|[a-zA-Z-]{1,9})", "[ \t]{0,2}[!-~]([ -~]{0,9}[!-~])?[ \t]?"), 0..6),
    ) {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
        let head = format!("{line}\r\n{fields}\r\n");
        let mut room = [httparse::EMPTY_HEADER; 8];
        let (strict_line, strict_fields): (_, Vec<httparse::Header<'_>>) = if line.starts_with("HTTP/") {
            let mut strict = httparse::Response::new(&mut room);
            prop_assume!(strict.parse(head.as_bytes()).is_ok_and(|status| status.is_complete()));
            (response(strict.code.unwrap(), strict.reason.unwrap().trim()), strict.headers.to_vec())
        } else {
            let mut strict = httparse::Request::new(&mut room);
            prop_assume!(strict.parse(head.as_bytes()).is_ok_and(|status| status.is_complete()));
            (request(strict.method.unwrap(), strict.path.unwrap()), strict.headers.to_vec())
        };
        let Parsed::Whole(found) = lenient::parse(head.as_bytes()) else {
            return Err(TestCaseError::fail("not whole"));
        };
        prop_assert_eq!(Some(found.start), strict_line);
        let first = |name: &str| {
            strict_fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
        };
        prop_assert_eq!(found.fields.host, first("host"));
        prop_assert_eq!(found.fields.referer, first("referer"));
    }

    /// Any bytes: no panic, and what is whole does not depend on what follows it.
    #[test]
    fn takes_any_bytes(bytes in proptest::collection::vec(prop_oneof![
        Just(b'\n'), Just(b'\r'), Just(b' '), Just(b':'), Just(b'/'), any::<u8>(),
    ], 0..80), prefix in prop_oneof![Just(""), Just("GET / HTTP/1.1\r\n"), Just("HTTP/1.1 2")]) {
        let bytes = [prefix.as_bytes(), &bytes].concat();
        check_readers(&bytes);
        prop_assert!(parse_cut(&bytes).is_none_or(|message| message.bytes == bytes));
        if let Parsed::Whole(message) = parse(&bytes) {
            prop_assert_eq!(head_end(&bytes, 0), Some(message.bytes.len()));
            prop_assert_eq!(parse(message.bytes), parse(&bytes));
        }
    }
}
