//! Any line: taken or refused, never more.

use proptest::prelude::*;

use super::*;

proptest! {
    /// Whatever comes: no panic, and it is taken or refused.
    #[test]
    fn any_line_of_any_format(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::all() {
            drop(Reader::new(format, TimeZone::UTC).parse(&line).map(said));
        }
        drop(Detector::of(&line, &TimeZone::UTC).parse(&line, said));
    }

    /// Lines that look right, with a few bytes changed.
    #[test]
    fn any_line_that_was_damaged(
        which in 0_usize..8,
        changes in proptest::collection::vec((0_usize..300, any::<u8>()), 0..6),
        cut in 0_usize..400,
    ) {
        let lines = [
            r#"192.0.2.7 - a [22/Nov/2026:03:29:04 +0000] "GET /\"q\" HTTP/1.1" 200 5 "http://r/\\x" "a \xe4" 5"#,
            r#"h:80 192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET / HTTP/1.1" 200 5 "-" "x" 42 "a" "b" 12ms"#,
            r#"{"ts":"2026-11-01T00:00:00.5Z","src_ip":"192.0.2.7","method":"GET","target":"/\u00e4\ud83d\ude00","status":200,"request":{"headers":{"User-Agent":["x"]}}}"#,
            "2019-09-01 14:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET /a HTTP/1.1 h Mozilla",
            "2019-09-01 14:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Found 0 text/html",
            "2025-07-04T13:52:10Z POST /api/order/cancel 404 74ms",
            r#"2026-11-01T00:00:00.943958Z elb 192.0.2.7:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://h:80/a HTTP/1.1" "c" - -"#,
            "1793491200.123    250 192.0.2.7 TCP_MISS/200 4512 GET http://h/a - HIER/10.0.0.1 text/html",
        ];
        let mut line = lines[which].as_bytes().to_vec();
        for (place, byte) in changes {
            if let Some(place) = line.get_mut(place) {
                *place = byte;
            }
        }
        line.truncate(cut);
        for format in Format::all() {
            drop(Reader::new(format, TimeZone::UTC).parse(&line).map(said));
        }
        drop(Detector::of(&line, &TimeZone::UTC).parse(&line, said));
        for text in [r#"%h %^[%d:%t %^] "%r" %s %b "%R" "%u""#, "%x %h %U %s %L"] {
            let pattern = Pattern::new(text, Some("%d/%b/%Y"), Some("%T")).unwrap();
            drop(Reader::of_pattern(pattern, TimeZone::UTC).parse(&line).map(said));
        }
    }
}
