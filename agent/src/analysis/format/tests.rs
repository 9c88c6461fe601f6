//! Lines of every format, as servers write them.

mod any;

use jiff::tz::TimeZone;

use super::detect::Detector;
use super::*;

/// What a line says, in one text: time, client, method, target, status, bytes, microseconds, then host,
/// referrer and user agent.
fn said(parsed: Parsed<'_>) -> String {
    let show = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let number =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    match parsed {
        Parsed::Nothing => "nothing".to_owned(),
        Parsed::Head(head) => format!(
            "{:?} {} {} > {} {} {} {} {} {} | {} | {}",
            head.kind,
            head.time_us,
            show(head.client),
            show(head.server),
            show(head.method),
            show(head.target),
            number(head.status.map(u64::from)),
            number(head.bytes),
            number(head.latency_us),
            show(head.host),
            show(head.user_agent),
        ),
        Parsed::Entry(entry) => {
            let mut text = format!(
                "{} {} {} {} {} {} {} | {} | {} | {}",
                entry
                    .time_us
                    .map_or_else(|| "-".to_owned(), |time| time.to_string()),
                show(entry.client),
                show(entry.method),
                show(entry.target),
                number(entry.status.map(u64::from)),
                number(entry.bytes),
                number(entry.latency_us),
                show(entry.host),
                show(entry.referrer),
                show(entry.user_agent),
            );
            if entry.unanswered {
                text += " unanswered";
            }
            if let Some(event) = entry.event {
                text += &format!(
                    " event {} {} {} {} {}={} {}",
                    show(event.level),
                    show(event.source),
                    show(event.service),
                    show(event.code),
                    show(event.mark.0),
                    show(event.mark.1),
                    show(event.message),
                );
            }
            text
        }
    }
}

fn one(reader: &mut Reader, line: &str) -> String {
    match reader.parse(line.as_bytes()) {
        Ok(parsed) => said(parsed),
        Err(reason) => format!("! {reason}"),
    }
}

/// The line in its format, and told from itself alone.
fn check(format: &str, line: &str, expected: &str) {
    let format: Format = format.parse().unwrap();
    let zone = TimeZone::fixed(jiff::tz::offset(9));
    assert_eq!(
        one(&mut Reader::new(format, zone), line),
        expected,
        "{line}"
    );
}

/// The same, and the format is told from the line.
fn told(format: &str, line: &str, expected: &str) {
    check(format, line, expected);
    let zone = TimeZone::fixed(jiff::tz::offset(9));
    let mut detector = Detector::of(line.as_bytes(), &zone);
    assert_eq!(detector.format(), format.parse().unwrap(), "{line}");
    assert_eq!(detector.parse(line.as_bytes(), said).unwrap(), expected);
}

#[test]
fn combined_lines_of_servers() {
    // nginx.
    told(
        "COMBINED",
        r#"127.0.0.1 - - [22/Nov/2026:03:29:04 +0000] "GET /a%20b?x=%22y HTTP/1.1" 404 153 "-" "curl/8.5.0""#,
        "1795318144000000 127.0.0.1 GET /a%20b?x=%22y 404 153 - |  |  | curl/8.5.0",
    );
    told(
        "COMBINED",
        r#"::1 - alice [22/Nov/2026:03:29:04 +0900] "\x16\x03\x01\x02\x00" 400 157 "-" "-""#,
        "1795285744000000 ::1  \u{16}\u{3}\u{1}\u{2}\0 400 157 - |  |  | ",
    );
    told(
        "COMBINED",
        r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "" 400 0 "-" "-""#,
        "1795318144000000 192.0.2.7   400 0 - |  |  | ",
    );
    // Apache, with a user who calls himself strange and an agent with quotes.
    told(
        "COMBINED",
        r#"192.0.2.7 - a [b] c [22/Nov/2026:03:29:04 +0000] "GET /\"q\" HTTP/1.1" 200 - "http://r/\\x" "a \"b\" \\ \xe4\n""#,
        "1795318144000000 192.0.2.7 GET /\"q\" 200 0 - |  | http://r/\\x | a \"b\" \\ \u{fffd}\n",
    );
    told(
        "COMBINED",
        r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "-" 408 - "-" "-""#,
        "1795318144000000 192.0.2.7   408 0 - |  |  | ",
    );
    // Tapline's own: a request that nobody answered.
    told(
        "COMBINED",
        r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET /a b HTTP/1.1" - - "-" "-""#,
        "1795318144000000 192.0.2.7 GET /a b - 0 - |  |  |  unanswered",
    );
    told(
        "COMMON",
        r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "HEAD / HTTP/1.0" 200 2326"#,
        "1795318144000000 192.0.2.7 HEAD / 200 2326 - |  |  | ",
    );
    told(
        "VCOMBINED",
        r#"example.com:443 192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET / HTTP/2.0" 200 5 "-" "x""#,
        "1795318144000000 192.0.2.7 GET / 200 5 - | example.com |  | x",
    );
    told(
        "VCOMMON",
        r#"example.com 192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET / HTTP/2.0" 200 5"#,
        "1795318144000000 192.0.2.7 GET / 200 5 - | example.com |  | ",
    );
    told(
        "TRAEFIKCLF",
        r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET /x HTTP/1.1" 200 19 "-" "curl/8" 42 "web@docker" "http://10.0.0.2:80" 12ms"#,
        "1795318144000000 192.0.2.7 GET /x 200 19 12000 |  |  | curl/8",
    );
}

#[test]
fn durations_only_where_they_are_declared() {
    let line =
        r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET /x HTTP/1.1" 200 19 "-" "x" 0.250"#;
    let without = "1795318144000000 192.0.2.7 GET /x 200 19 - |  |  | x";
    told("COMBINED", line, without);
    check(
        "combined_seconds",
        line,
        &without.replace("19 -", "19 250000"),
    );
    check(
        "combined_time",
        line,
        "! its duration in microseconds is not one",
    );
    check(
        "combined_time",
        &line.replace("0.250", "72882"),
        &without.replace("19 -", "19 72882"),
    );
    check("combinedio", &line.replace("0.250", "300 500"), without);
    assert!(detect::has_undeclared_number(
        Format::Combined,
        line.as_bytes()
    ));
}

#[test]
fn lines_that_are_cut_or_broken() {
    let line = r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET /x HTTP/1.1" 200 19 "-" "x""#;
    let mut reader = Reader::new(Format::Combined, TimeZone::UTC);
    for end in 0..line.len() {
        let cut = one(&mut reader, &line[..end]);
        assert!(cut.starts_with('!') || cut == "nothing", "{cut}");
    }
    check(
        "COMBINED",
        &line.replace("22/Nov", "99/Nov"),
        "! its time is not one",
    );
    check(
        "COMBINED",
        &line.replace(" 200 ", " 20x "),
        "! its status is not one",
    );
    check(
        "COMBINED",
        &line.replace(" 19 ", " 19k "),
        "! its size is not one",
    );
    check(
        "COMBINED",
        &line.replace(" 19 ", " 99999999999999999999 "),
        "! its size is not one",
    );
    check("COMBINED", "hello", "! it ends before its time");
}

#[test]
fn w3c_lines() {
    let mut reader = Reader::new(Format::W3c, TimeZone::UTC);
    let line = "2026-11-01 00:00:01 192.0.2.80 GET /search q=watch 443 - 9.23.184.109 Opera/9.80+(X11) https://example.com/ 500 440 568";
    assert_eq!(one(&mut reader, line), "! no #Fields line stands before it");
    assert_eq!(one(&mut reader, "#Version: 1.0"), "nothing");
    let fields = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status time-taken sc-bytes";
    assert_eq!(one(&mut reader, fields), "nothing");
    let expected = "1793491201000000 9.23.184.109 GET /search?q=watch 500 568 440000 |  | https://example.com/ | Opera/9.80 (X11)";
    assert_eq!(one(&mut reader, line), expected);
    assert_eq!(
        one(&mut reader, "2026-11-01 00:00:01"),
        "! it ends before its last columns"
    );
    assert_eq!(
        one(&mut reader, &format!("{line} x")),
        "! its number of columns is not one"
    );
    // Columns change in the middle, the date comes from the header.
    assert_eq!(one(&mut reader, "#Date: 1970-01-02 00:00:00"), "nothing");
    assert_eq!(
        one(&mut reader, "#Fields: time c-ip cs-uri-stem sc-status"),
        "nothing"
    );
    assert_eq!(
        one(&mut reader, "00:00:01 1.2.3.4 /x 204"),
        "86401000000 1.2.3.4  /x 204 - - |  |  | "
    );
    let sample = format!("{fields}\n{line}\n");
    assert_eq!(
        Detector::of(sample.as_bytes(), &TimeZone::UTC).format(),
        Format::W3c
    );
}

#[test]
fn cloudfront_lines() {
    let mut reader = Reader::new(Format::CloudFront, TimeZone::UTC);
    let fields = "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query x-edge-result-type x-host-header time-taken";
    assert_eq!(one(&mut reader, fields), "nothing");
    let line = "2026-11-01\t00:00:01\tFRA2\t392\t192.0.2.100\tGET\td111.cloudfront.net\t/index.html\t200\t-\tMozilla/5.0%20(X11)\t-\tHit\twww.example.com\t0.001";
    assert_eq!(
        one(&mut reader, line),
        "1793491201000000 192.0.2.100 GET /index.html 200 392 1000 | www.example.com |  | Mozilla/5.0%20(X11)"
    );
    let sample = format!("#Version: 1.0\n{fields}\n{line}\n{line}\n");
    assert_eq!(
        Detector::of(sample.as_bytes(), &TimeZone::UTC).format(),
        Format::CloudFront
    );
}

#[test]
fn json_lines() {
    // Tapline's exchanges, then what `gen access` writes.
    told(
        "json",
        r#"{"exchange_id":"1","ts":"2026-11-01T00:00:00.5Z","outcome":"complete","src_ip":"192.0.2.7","src_port":1,"dst_ip":"192.0.2.1","dst_port":80,"method":"GET","target":"/a?b=c","host":"h","user_agent":"a \"b\"","status":200,"ttfb_us":150,"total_us":900,"response_bytes":77}"#,
        "1793491200500000 192.0.2.7 GET /a?b=c 200 77 150 | h |  | a \"b\"",
    );
    told(
        "json",
        r#"{"ts":"2026-11-01T00:00:00Z","outcome":"unanswered","src_ip":"192.0.2.7","method":"GET","target":"/"}"#,
        "1793491200000000 192.0.2.7 GET / - - - |  |  |  unanswered",
    );
    told(
        "json",
        r#"{"ts":"2026-11-01T00:00:00.500Z","src_ip":"32.124.234.22","user":"joanne_id","method":"GET","target":"/about","version":"HTTP/1.1","host":"example.com","status":200,"response_bytes":1440,"total_us":72882,"referer":"https://example.com/","user_agent":"x"}"#,
        "1793491200500000 32.124.234.22 GET /about 200 1440 72882 | example.com | https://example.com/ | x",
    );
    // A head.
    told(
        "json",
        r#"{"ts":"2026-11-01T00:00:00Z","kind":"CR","src_ip":"10.0.0.1","src_port":80,"dst_ip":"192.0.2.7","dst_port":5,"version":"HTTP/1.1","content_length":0,"status":302,"latency_us":99}"#,
        "ClientResponse 1793491200000000 192.0.2.7#5 > 10.0.0.1#80   302 0 99 |  | ",
    );
    // gen events.
    told(
        "json",
        r#"{"timestamp":"2026-11-22T03:29:15.053719+00:00","level":"CRITICAL","source":"web-server","service":"nginx","message":"Service x is not responding","status_code":503,"error_code":"ERR_SERVICE_UNAVAILABLE","metadata":{"affected_service":"x","outage_type":"complete"},"_labels":{"is_anomaly":true}}"#,
        "1795318155053719    503 - - |  |  |  event CRITICAL web-server nginx ERR_SERVICE_UNAVAILABLE outage_type=complete Service x is not responding",
    );
    // Caddy.
    told(
        "json",
        r#"{"level":"info","ts":1793491200.25,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7","client_ip":"192.0.2.8","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/x?y","headers":{"User-Agent":["curl/8"],"Referer":["http://r/"]}},"duration":0.000929675,"size":10900,"status":200}"#,
        "1793491200250000 192.0.2.8 GET /x?y 200 10900 929 | localhost | http://r/ | curl/8",
    );
    // ECS, nested and with dots.
    told(
        "json",
        r#"{"@timestamp":"2026-11-01T00:00:00Z","http":{"request":{"method":"GET","referrer":"r"},"response":{"status_code":404,"body":{"bytes":5}}},"url":{"path":"/a","query":"b=c","domain":"h"},"source":{"ip":"192.0.2.7"},"user_agent":{"original":"x"},"event":{"duration":1500000}}"#,
        "1793491200000000 192.0.2.7 GET /a?b=c 404 5 1500 | h | r | x",
    );
    told(
        "json",
        r#"{"@timestamp":"2026-11-01T00:00:00Z","http.request.method":"GET","http.response.status_code":404,"url.original":"/a?b","source.ip":"192.0.2.7"}"#,
        "1793491200000000 192.0.2.7 GET /a?b 404 - - |  |  | ",
    );
    // nginx with a format of its own.
    told(
        "json",
        r#"{"time_iso8601":"2026-11-01T00:00:00+00:00","remote_addr":"192.0.2.7","request":"GET /x HTTP/1.1","status":"200","body_bytes_sent":"12","request_time":"0.005","http_user_agent":"x","http_referer":"-"}"#,
        "1793491200000000 192.0.2.7 GET /x 200 12 5000 |  |  | x",
    );
    // A duration without a unit is none; a time without a zone is of the local one.
    told(
        "json",
        r#"{"time":"1970-01-01T09:00:01","ip":"192.0.2.7","path":"/x","status":200,"duration":5,"latency":7}"#,
        "1000000 192.0.2.7  /x 200 - - |  |  | ",
    );
    check("json", "{}", "! its names of fields is not one");
    check("json", r#"{"a":1"#, "! its JSON is not one");
    check("json", "[]", "! its JSON is not one");
    check(
        "json",
        r#"{"status":"abc","path":"/"}"#,
        "! its status is not one",
    );
}

#[test]
fn lines_of_proxies() {
    told(
        "AWSELB",
        r#"2026-11-01T00:00:00.943958Z my-elb 192.0.2.7:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/a?b HTTP/1.1" "curl/7.38.0" - -"#,
        "1793491200943958 192.0.2.7 GET /a?b 200 29 1178 | www.example.com |  | curl/7.38.0",
    );
    let application = r#"https 2026-11-01T00:00:00.186641Z app/lb/50dc 2001:db8::1:2817 10.0.0.1:80 0.086 0.048 0.037 503 200 0 57 "GET https://www.example.com:443 HTTP/1.1" "curl/7.46.0" ECDHE TLSv1.2 arn:aws"#;
    let expected =
        "1793491200186641 2001:db8::1 GET / 503 57 171000 | www.example.com |  | curl/7.46.0";
    check("AWSALB", application, expected);
    told("AWSELB", application, expected);
    check(
        "AWSELB",
        &application.replace("0.048", "-1"),
        &expected.replace("171000", "-"),
    );
    told(
        "SQUID",
        "1793491200.123    250 192.0.2.7 TCP_MISS/200 4512 GET http://example.com/a?b - HIER_DIRECT/10.0.0.1 text/html",
        "1793491200123000 192.0.2.7 GET /a?b 200 4512 250000 | example.com |  | ",
    );
}

#[test]
fn own_lines() {
    told(
        "simple",
        "2025-07-04T13:52:10Z POST /api/order/cancel 404 74ms",
        "1751637130000000  POST /api/order/cancel 404 - 74000 |  |  | ",
    );
    check(
        "simple",
        "2025-07-04T13:52:10Z POST /x 404 74",
        "! its duration is not one",
    );
    told(
        "classic",
        "2019-09-01 14:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET /a b HTTP/1.1 cloud.example.com Mozilla/5.0 (X11)",
        "ClientQuery 1567315011002000 223.39.188.71#50905 > 10.140.0.2#80 GET /a b - - - | cloud.example.com | Mozilla/5.0 (X11)",
    );
    told(
        "classic",
        "2019-09-01 14:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Moved For Now 154 text/html; charset=UTF-8",
        "ClientResponse 1567315011003000 223.39.188.71#50905 > 10.140.0.2#80   302 154 - |  | ",
    );
    // Values that are not there: a dash, or nothing.
    check(
        "classic",
        "2019-09-01 14:16:51.002 ::1#5 ::1#80 SQ GET / HTTP/1.0 - -",
        "ServerQuery 1567315011002000 ::1#5 > ::1#80 GET / - - - |  | ",
    );
    check(
        "classic",
        "2019-09-01 14:16:51.002 ::1#5 ::1#80 CQ GET / HTTP/1.0  x y",
        "ClientQuery 1567315011002000 ::1#5 > ::1#80 GET / - - - |  | x y",
    );
    // What the line writes as \xNN comes back.
    check(
        "classic",
        r"2019-09-01 14:16:51.002 ::1#5 ::1#80 CQ GET /\x22\x5cx41 HTTP/1.0 h a\x09b",
        "ClientQuery 1567315011002000 ::1#5 > ::1#80 GET /\"\\x41 - - - | h | a\tb",
    );
}

#[test]
fn format_strings() {
    let check = |text: &str, date: &str, time: &str, line: &str, expected: &str| {
        let pattern = Pattern::new(text, Some(date), Some(time)).unwrap();
        let mut reader = Reader::of_pattern(pattern, TimeZone::UTC);
        assert_eq!(one(&mut reader, line), expected, "{line}");
    };
    check(
        r#"%h %^[%d:%t %^] "%r" %s %b "%R" "%u" %D"#,
        "%d/%b/%Y",
        "%H:%M:%S",
        r#"192.0.2.7 - - [01/Nov/2026:00:00:01 +0000] "GET /a HTTP/1.1" 200 5 "-" "a \"b\"" 72882"#,
        "1793491201000000 192.0.2.7 GET /a 200 5 72882 |  |  | a \"b\"",
    );
    check(
        "%x|%h|%m|%U|%q|%s|%b|%T|%v",
        "%Y-%m-%dT%H:%M:%S%z",
        "",
        "2026-11-01T00:00:01+01:00|::1|GET|/a|b=c|404|-|1.5|h",
        "1793487601000000 ::1 GET /a?b=c 404 0 1500000 | h |  | ",
    );
    check(
        "%x %~%h %U %s %L",
        "%s",
        "",
        "1793491201.5    ::1 /a 200 7",
        "1793491201500000 ::1  /a 200 - 7000 |  |  | ",
    );
    check(
        "%h %U %s %n",
        "",
        "",
        "::1 /a 200 7000",
        "- ::1  /a 200 - 7 |  |  | ",
    );
    check("%h %U %s", "", "", "::1 /a", "! its layout is not one");
    for (text, expected) in [
        ("%h %Q", PatternError::Letter('Q')),
        ("%h%s", PatternError::NoSeparator),
        ("%h", PatternError::NoFields),
        ("%d %s", PatternError::NoFormat('d', "date-format")),
        ("%t %s", PatternError::NoFormat('t', "time-format")),
        ("%s %", PatternError::Letter(' ')),
    ] {
        assert_eq!(
            Pattern::new(text, None, None).unwrap_err(),
            expected,
            "{text}"
        );
    }
    assert_eq!(
        Pattern::new("%d %s", Some("%Q"), None).unwrap_err(),
        PatternError::TimeLetter('Q')
    );
    let mut reader = Reader::of_pattern(Pattern::named("AWSS3").unwrap(), TimeZone::UTC);
    assert_eq!(
        one(
            &mut reader,
            r#"79a5 bucket [01/Nov/2026:00:00:01 +0000] 192.0.2.3 arn 3E57 REST.GET.VERSIONING - "GET /bucket?v HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" -"#
        ),
        "1793491201000000 192.0.2.3 GET /bucket?v 200 113 7000 | bucket |  | S3Console/0.4"
    );
    let mut reader = Reader::of_pattern(Pattern::named("CLOUDSTORAGE").unwrap(), TimeZone::UTC);
    assert_eq!(
        one(
            &mut reader,
            r#""1793491201000000","192.0.2.3","1","","GET","/o","200","0","42","1500","h","","agent","id","op","b","o""#
        ),
        "1793491201000000 192.0.2.3 GET /o 200 42 1500 |  |  | agent"
    );
}

#[test]
fn lines_of_several_formats() {
    let combined = r#"192.0.2.7 - - [22/Nov/2026:03:29:04 +0000] "GET /x HTTP/1.1" 200 19 "-" "x""#;
    let simple = "2025-07-04T13:52:10Z POST /x 404 74ms";
    let sample = format!("{combined}\n{combined}\n{simple}\n");
    let mut detector = Detector::of(sample.as_bytes(), &TimeZone::UTC);
    for line in [combined, simple, combined, combined] {
        assert!(detector.parse(line.as_bytes(), said).is_ok());
    }
    assert!(detector.parse(b"nonsense", said).is_err());
    let counts: Vec<_> = detector.counts().collect();
    assert_eq!(counts, [(Format::Combined, 3), (Format::Simple, 1)]);
}
