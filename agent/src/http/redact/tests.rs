//! What is redacted and what is left, for hand-made and for generated heads.

use proptest::prelude::*;

use super::*;

fn settings() -> RedactSettings {
    RedactSettings::default()
}

fn texts<'a>(line: &'a [u8], method: &'a [u8], target: &'a [u8]) -> Texts<'a> {
    Texts {
        line,
        start: StartLine::Request { method, target },
        fields: Fields::default(),
        raw_fields: b"",
        partial: false,
    }
}

/// What becomes of a target, which the line must agree with.
fn target_of(settings: &RedactSettings, method: &str, target: &str, partial: bool) -> String {
    let version = if partial { "" } else { " HTTP/1.1" };
    let line = format!("{method} {target}{version}");
    let mut redactor = Redactor::new(settings, &[]);
    let texts = Texts {
        partial,
        ..texts(line.as_bytes(), method.as_bytes(), target.as_bytes())
    };
    let redacted = redactor.texts(texts);
    let StartLine::Request { target, .. } = redacted.start else {
        panic!("a request stays one");
    };
    let target = String::from_utf8(target.to_vec()).unwrap();
    let line = String::from_utf8(redacted.line.to_vec()).unwrap();
    assert_eq!(line, format!("{method} {target}{version}"));
    target
}

fn check(target: &str, expected: &str) {
    assert_eq!(target_of(&settings(), "GET", target, false), expected);
    // Twice is as once, and off is off.
    assert_eq!(target_of(&settings(), "GET", expected, false), expected);
    let off = RedactSettings {
        enabled: false,
        ..settings()
    };
    assert_eq!(target_of(&off, "GET", target, false), target);
}

#[test]
fn values_of_secret_keys() {
    check("/", "/");
    check("/?", "/?");
    check("/?a=1&b=2", "/?a=1&b=2");
    check("/?token=abc", "/?token=REDACTED");
    check("/?TOKEN=abc&a=1", "/?TOKEN=REDACTED&a=1");
    check("/?a=1&sig=x%26y&b=2", "/?a=1&sig=REDACTED&b=2");
    check("/?token=a&token=b", "/?token=REDACTED&token=REDACTED");
    check("/?token&a", "/?token&a");
    check("/?token=&a", "/?token=&a");
    check("/?=token", "/?=token");
    check("/?%74oken=abc", "/?%74oken=REDACTED");
    check("/?token%3Dabc&a=1", "/?token%3DREDACTED&a=1");
    check(
        "/?token[]=a&token[0]=b",
        "/?token[]=REDACTED&token[0]=REDACTED",
    );
    check("/?user[password]=a", "/?user[password]=REDACTED");
    check("/?token=a=b==&c=d", "/?token=REDACTED&c=d");
    check("/?token=abc?def", "/?token=REDACTED");
    check("/?a=b?token=x", "/?a=b?token=REDACTED");
    check("/?token=x#top", "/?token=REDACTED#top");
    check("/#access_token=x&a=b", "/#access_token=REDACTED&a=b");
    // A semicolon divides where a key follows.
    check("/?a=1;token=x;b=2", "/?a=1;token=REDACTED;b=2");
    check("/?token=x;y", "/?token=REDACTED");
    check("/?token=x;y;b=2", "/?token=REDACTED;b=2");
    check("/?token=x;y&b=2", "/?token=REDACTED&b=2");
    // The path.
    check("/token=abc", "/token=abc");
    check("/a;jsessionid=1;token=2", "/a;jsessionid=1;token=2");
    check("/%3Ftoken%3Da", "/%3Ftoken%3Da");
    check("//u:p@h/", "//u:p@h/");
    check("/@me", "/@me");
}

#[test]
fn addresses_within_addresses() {
    check(
        "/?to=https%3A%2F%2Fh%2F%3Ftoken%3Dabc%26y%3D1&z=2",
        "/?to=https%3A%2F%2Fh%2F%3Ftoken%3DREDACTED%26y%3D1&z=2",
    );
    check(
        "/?to=%253Ftoken%253Dabc%2526y%253D1%26z%3D2",
        "/?to=%253Ftoken%253DREDACTED%2526y%253D1%26z%3D2",
    );
    // A deeper ampersand belongs to the value.
    check("/?token=a%26b%3Dc", "/?token=REDACTED");
    check("/?token=a%23b%3Bc%3D", "/?token=REDACTED");
    // What is no encoding is text.
    check("/?a=%&token=%zz", "/?a=%&token=REDACTED");
    check("/?a=%25&token=%", "/?a=%25&token=REDACTED");
}

#[test]
fn user_information() {
    check("http://u:p@h/", "http://REDACTED@h/");
    check("HTTP://u@h:1/?a=b", "HTTP://REDACTED@h:1/?a=b");
    check("http://a@b@h", "http://REDACTED@h");
    check("http://@h/", "http://@h/");
    check("http://h/@x", "http://h/@x");
    check("http://h?a=x@y", "http://h?a=x@y");
    check("http://u:p@h?token=1", "http://REDACTED@h?token=REDACTED");
    check("u:p@h:443", "REDACTED@h:443");
    check("h:443", "h:443");
    check("*", "*");
    let cut = |target: &str| target_of(&settings(), "CONNECT", target, true);
    // Where the line is cut, the host may be the beginning of something else.
    assert_eq!(cut("http://user:pa"), "http://REDACTED");
    assert_eq!(cut("user:pa"), "REDACTED");
    assert_eq!(cut("http://h/user:pa"), "http://h/user:pa");
    assert_eq!(cut("/a:b"), "/a:b");
    assert_eq!(cut("/?token=a"), "/?token=REDACTED");
    assert_eq!(cut("/?tok"), "/?tok");
}

#[test]
fn what_is_chosen() {
    let own = RedactSettings {
        keys: vec!["ticket".to_owned()],
        ..settings()
    };
    let target = "/p?a=1&Ticket=2&token=3#f";
    let expected = "/p?a=1&Ticket=REDACTED&token=REDACTED#f";
    assert_eq!(target_of(&own, "GET", target, false), expected);
    let drop = RedactSettings {
        query: Query::Drop,
        ..settings()
    };
    assert_eq!(target_of(&drop, "GET", target, false), "/p");
    assert_eq!(target_of(&drop, "GET", "/p", false), "/p");
    assert_eq!(target_of(&drop, "GET", "/p#token=1", false), "/p");
    let target = "http://u@h?a";
    assert_eq!(target_of(&drop, "GET", target, false), "http://REDACTED@h");
}

#[test]
fn fields() {
    let mut redactor = Redactor::new(&settings(), &[]);
    let mut head = texts(b"GET / HTTP/1.1", b"GET", b"/");
    head.fields.referer = Some(b"https://u:p@h/?a=1&pwd=2");
    head.fields.host = Some(b"u:p@h:80");
    head.fields.user_agent = Some(b"?token=x u:p@h");
    let redacted = redactor.texts(head);
    let expected = Fields {
        referer: Some(b"https://REDACTED@h/?a=1&pwd=REDACTED"),
        host: Some(b"REDACTED@h:80"),
        ..head.fields
    };
    assert_eq!(
        redacted,
        Texts {
            fields: expected,
            ..head
        }
    );
    let mut check = |referer: &'static str, expected: &str| {
        head.fields.referer = Some(referer.as_bytes());
        let found = redactor.texts(head).fields.referer;
        assert_eq!(found, Some(expected.as_bytes()), "{referer}");
    };
    check("//u:p@h/x", "//REDACTED@h/x");
    check("/x?sid=1", "/x?sid=REDACTED");
    check("?sid=1", "?sid=REDACTED");
    check("", "");
    check("about:blank", "about:blank");
}

#[test]
fn a_response_has_no_target() {
    let mut redactor = Redactor::new(&settings(), &[]);
    let head = Texts {
        start: StartLine::Response {
            status: 200,
            reason: b"?token=x",
        },
        ..texts(b"HTTP/1.1 200 ?token=x", b"", b"")
    };
    assert_eq!(redactor.texts(head), head);
}

#[test]
fn a_line_that_is_not_made_of_its_parts_gives_nothing_away() {
    let mut redactor = Redactor::new(&settings(), &[]);
    let head = texts(b"other", b"GET", b"/?token=abc");
    let redacted = redactor.texts(head);
    let expected = texts(b"GET /?token=REDACTED", b"GET", b"/?token=REDACTED");
    assert_eq!(redacted, expected);
}

fn check_raw(asked: &[&str], partial: bool, raw: &str, expected: &str) {
    let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
    let mut redactor = Redactor::new(&settings(), &asked);
    for raw in [raw, expected] {
        let head = Texts {
            raw_fields: raw.as_bytes(),
            partial,
            ..texts(b"GET / HTTP/1.1", b"GET", b"/")
        };
        let found = redactor.texts(head).raw_fields;
        assert_eq!(String::from_utf8_lossy(found), expected);
    }
}

#[test]
fn fields_that_are_asked_for() {
    let raw = "Authorization: Basic abc\r\nCookie: a=b\r\n c=d\r\nX: /?token=1&a\r\nhost: h\r\n";
    check_raw(&[], false, raw, raw);
    check_raw(&["host"], false, raw, raw);
    check_raw(
        &["authorization", "COOKIE", "x"],
        false,
        raw,
        "Authorization: REDACTED\r\nCookie: REDACTED\r\nX: /?token=REDACTED&a\r\nhost: h\r\n",
    );
    check_raw(
        &["x", "link"],
        false,
        "X : a\r\n /?token=a\r\n\tb\r\nlink: <http://u:p@h/>, <//v@w>\r\nLink:\r\n",
        "X : a\r\n /?token=REDACTED\r\nlink: <http://REDACTED@h/>, <//REDACTED@w>\r\nLink:\r\n",
    );
    check_raw(&["cookie"], true, "Cookie: a", "Cookie: REDACTED");
    check_raw(&["cookie"], true, "Cookie", "Cookie");
    check_raw(&["x"], true, "X: http://u:p", "X: http://REDACTED");
    check_raw(&["x"], true, "X: http://h\r\n", "X: http://h\r\n");
    check_raw(
        &["cookie"],
        false,
        "Cookie:a\nCookie:  b  \n\n",
        "Cookie:REDACTED\nCookie:  REDACTED  \n\n",
    );
}

#[test]
fn the_end_of_a_cut_referer_may_be_user_information() {
    let raw = b"Host: h\r\nReferer: http://user:pa";
    let mut redactor = Redactor::new(&settings(), &[]);
    let mut head = Texts {
        raw_fields: raw,
        partial: true,
        ..texts(b"GET / HTTP/1.1", b"GET", b"/")
    };
    head.fields.referer = raw.strip_prefix(b"Host: h\r\nReferer: ");
    let found = redactor.texts(head).fields.referer;
    assert_eq!(found, Some(&b"http://REDACTED"[..]));
}

/// A secret key in one of its spellings, and how deep its `=` is encoded.
fn secret_key() -> impl Strategy<Value = (String, usize)> {
    let name = prop::sample::select(vec![
        "token",
        "TOKEN",
        "%74oken",
        "token[]",
        "token[7]",
        "pwd",
        "X-Amz-Signature",
        "a[sid]",
        "accessToken",
        "%2573ig",
    ]);
    let equals = prop::sample::select(vec![("=", 0), ("%3D", 1), ("%253d", 2)]);
    (name, equals).prop_map(|(name, (equals, level))| (format!("{name}{equals}"), level))
}

/// A value that cannot stand anywhere else, with all that may stand in one whose `=` is that deep.
fn secret_value(level: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("sEcReT"),
        Just("="),
        Just("?"),
        Just("@"),
        Just("/"),
        Just(";"),
        Just("%"),
        Just("%25"),
        Just(if level == 0 { "%26" } else { "%25252526" }),
        Just(if level == 0 { "%23x" } else { "%25252523x" }),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| {
        // Behind a `;` no `=`: that would be a key.
        let text = pieces.concat();
        let (head, tail) = text.split_once(';').unwrap_or((&text, ""));
        format!("sEcReT{head};{}sEcReT", tail.replace('=', ""))
    })
}

fn any_target() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z%&;=?#/@:\\[\\]0-9]{0,12}",
        secret_key().prop_flat_map(|(key, level)| {
            (
                prop::sample::select(vec!["&", ";", "?", "#", "%26", "%3F"]),
                secret_value(level),
            )
                .prop_map(move |(before, value)| format!("{before}{key}{value}&"))
        }),
        Just("http://".to_owned()),
    ];
    (
        "/|/p\\?|https?://h/\\?|\\?",
        prop::collection::vec(piece, 0..8),
    )
        .prop_map(|(begin, pieces)| {
            // Behind the first sign of a query all pieces are parts of it.
            format!("{begin}?{}", pieces.concat())
        })
}

proptest! {
    #[test]
    fn no_secret_is_left(target in any_target()) {
        let found = target_of(&settings(), "GET", &target, false);
        prop_assert!(!found.contains("sEcReT"), "{} in {}", found, target);
        prop_assert_eq!(target_of(&settings(), "GET", &found, false), found);
    }

    #[test]
    fn no_user_information_is_left(
        user in "[a-z:@%=&;]{0,9}",
        host in "[a-z.]{1,9}(:80)?",
        rest in "|[/?][a-z/@?=&]{0,9}",
        absolute: bool,
    ) {
        let scheme = if absolute { "http://" } else { "" };
        let target = format!("{scheme}sEcReT{user}@{host}{rest}");
        let found = target_of(&settings(), "GET", &target, false);
        prop_assert_eq!(&found, &format!("{scheme}REDACTED@{host}{rest}"));
    }

    #[test]
    fn any_bytes(
        target in prop::collection::vec(any::<u8>(), 0..60),
        field in prop::option::of("[ -~]{0,40}"),
        raw in "(X|Cookie|x):? ?[ -~\r\n]{0,40}",
        partial: bool,
        drop: bool,
    ) {
        // No target begins with a blank: its line would be none that is made of its parts.
        prop_assume!(!matches!(target.first(), Some(b' ' | b'\t' | 0x0b | 0x0c)));
        let query = if drop { Query::Drop } else { Query::Keep };
        let choice = RedactSettings { query, ..settings() };
        let names = ["x".to_owned(), "cookie".to_owned()];
        let line = [b"GET ", &target[..], b" HTTP/1.1"].concat();
        let mut head = texts(&line, b"GET", &target);
        head.fields.referer = field.as_deref().map(str::as_bytes);
        head.fields.host = head.fields.referer;
        head.raw_fields = raw.as_bytes();
        head.partial = partial;
        let (mut first, mut second) = (Redactor::new(&choice, &names), Redactor::new(&choice, &names));
        let once = first.texts(head);
        let twice = second.texts(once);
        prop_assert_eq!(once, twice);
        let off = RedactSettings { enabled: false, ..choice };
        let mut none = Redactor::new(&off, &names);
        prop_assert_eq!(none.texts(head), head);
    }
}
