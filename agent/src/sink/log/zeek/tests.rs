//! Golden lines, and any exchange.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::http::exchange::record::ExchangeRecord;
use crate::session::identifier::Identifier;
use crate::session::record::{Protocol, SessionRecord};
use crate::sink::log::samples::{any_exchange, exchange, session};
use crate::sink::log::text::decode;

fn http(record: &ExchangeRecord<'_>, depth: Option<u64>) -> String {
    let mut line = Vec::new();
    write_exchange(record, depth, &mut line);
    String::from_utf8(line).unwrap()
}

fn conn(record: &SessionRecord<'_>) -> String {
    let mut line = Vec::new();
    write_session(record, &mut line);
    String::from_utf8(line).unwrap()
}

/// The value of a column of `http.log`.
fn column<'a>(line: &'a str, name: &str) -> &'a str {
    let index = exchange::COLUMNS
        .iter()
        .position(|(column, _)| *column == name);
    line.trim_end_matches('\n')
        .split('\t')
        .nth(index.unwrap())
        .unwrap()
}

#[test]
fn headers_as_zeek_writes_them() {
    let now: Zoned = "2019-09-01T14:16:51+09:00[+09:00]".parse().unwrap();
    let check = |connections, path: &str, fields: &str, types: &str| {
        let expected = format!(
            "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n#open\t2019-09-01-14-16-51\n#fields\t{}\n#types\t{}\n",
            fields.replace(' ', "\t"),
            types.replace(' ', "\t")
        );
        assert_eq!(
            String::from_utf8(header(connections, &now)).unwrap(),
            expected
        );
    };
    check(
        false,
        "http",
        "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri referrer version user_agent origin request_body_len response_body_len status_code status_msg info_code info_msg tags username password proxied orig_fuids orig_filenames orig_mime_types resp_fuids resp_filenames resp_mime_types",
        "time string addr port addr port count string string string string string string string count count count string count string set[enum] string string set[string] vector[string] vector[string] vector[string] vector[string] vector[string] vector[string]",
    );
    check(
        true,
        "conn",
        "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents ip_proto",
        "time string addr port addr port enum string interval count count string bool bool count string count count count count set[string] count",
    );
    assert_eq!(footer(&now), b"#close\t2019-09-01-14-16-51\n");
}

#[test]
fn golden_lines_of_exchanges() {
    let mut record = exchange();
    assert_eq!(
        http(&record, Some(1)),
        "1567315011.002000\tC10vsxMqcZEdDp\t223.39.188.71\t50905\t10.140.0.2\t80\t1\tGET\tcloud.example.com\t/a?b=c\t-\t1.1\tMozilla/5.0 (Windows NT 10.0)\t-\t-\t-\t302\t-\t-\t-\t(empty)\t-\t-\t-\t-\t-\t-\t-\t-\t-\n"
            .replace("C10vsxMqcZEdDp", &uid(Identifier::new(0xab, 3)))
    );
    let headers = RawValue::from_string(
        r#"{"origin":"http:\/\/o","X-Forwarded-For":"1.1.1.1, 2.2.2.2","Via":"a","X-Request-Id":"7"}"#
            .to_owned(),
    )
    .unwrap();
    record.headers = Some(&headers);
    record.session_id = None;
    record.src_ip = "2001:db8::7".parse().unwrap();
    record.host = Some("[::1]:80");
    record.target = Some(r"/\x09\a\x5cx");
    record.referer = Some("-");
    record.user_agent = Some("");
    record.interim_status = Some(103);
    record.status = None;
    assert_eq!(
        http(&record, None),
        "1567315011.002000\t-\t2001:db8::7\t50905\t10.140.0.2\t80\t-\tGET\t[::1]\t/\\x09\\x5ca\\x5cx\t\\x2d\t1.1\t(empty)\thttp://o\t-\t-\t-\t-\t103\t-\t(empty)\t-\t-\tX-FORWARDED-FOR -> 1.1.1.1\\x2c 2.2.2.2,VIA -> a\t-\t-\t-\t-\t-\t-\n"
    );
    record.user_agent = Some("(empty)");
    record.ts = jiff::Timestamp::from_microsecond(-1).unwrap();
    let line = http(&record, None);
    assert_eq!(column(&line, "user_agent"), "\\x28empty)");
    assert_eq!(column(&line, "ts"), "-0.000001");
}

#[test]
fn golden_lines_of_sessions() {
    let mut record = session();
    let uid = uid(Identifier::new(0xab, 3));
    assert_eq!(
        conn(&record),
        format!(
            "1567315011.001000\t{uid}\t223.39.188.71\t50905\t10.140.0.2\t80\ttcp\thttp\t0.003000\t211\t154\tSF\t-\t-\t0\tShADadFf\t6\t531\t4\t374\t-\t6\n"
        )
    );
    record.protocol = Protocol::Icmp;
    record.src_ip = "fe80::1".parse().unwrap();
    record.packets = 1;
    if let Some(details) = &mut record.details {
        details.http_requests = 0;
        details.history = "";
        details.conn_state = "OTH";
    }
    assert_eq!(
        conn(&record),
        format!(
            "1567315011.001000\t{uid}\tfe80::1\t50905\t10.140.0.2\t80\ticmp\t-\t-\t211\t154\tOTH\t-\t-\t0\t-\t6\t531\t4\t374\t-\t58\n"
        )
    );
    record.details = None;
    record.protocol = Protocol::Udp;
    let line = conn(&record);
    assert_eq!(
        line.trim_end().split('\t').count(),
        connection::COLUMNS.len()
    );
    assert!(
        line.ends_with("\tudp\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t17\n"),
        "{line}"
    );
}

/// The identifier as Zeek's.
fn uid(identifier: Identifier) -> String {
    let mut text = Vec::new();
    value::append_uid(Some(identifier), &mut text);
    String::from_utf8(text).unwrap().trim_start().to_owned()
}

#[test]
fn identifiers() {
    assert_eq!(uid(Identifier::new(0, 0)), "C0");
    assert_eq!(uid(Identifier::new(0, 61)), "CZ");
    assert_eq!(uid(Identifier::new(0, 62)), "C10");
    // 2^128 - 1, by another program.
    assert_eq!(
        uid(Identifier::new(u64::MAX, u64::MAX)),
        "C7N42dgm5tFLK9N8MT7fHC7"
    );
}

proptest! {
    #[test]
    fn identifiers_can_be_read_back(run: u64, number: u64) {
        let text = uid(Identifier::new(run, number));
        let mut found = 0_u128;
        for digit in text[1..].bytes() {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'z' => digit - b'a' + 10,
                b'A'..=b'Z' => digit - b'A' + 36,
                _ => panic!("no digit"),
            };
            found = found * 62 + u128::from(value);
        }
        prop_assert_eq!(Identifier::from_bytes(found.to_be_bytes()), Identifier::new(run, number));
    }

    #[test]
    fn any_exchange_has_all_columns_and_its_bytes(owned in any_exchange(), depth: Option<u64>) {
        let record = owned.record();
        let line = http(&record, depth);
        let text = line.strip_suffix('\n').unwrap();
        prop_assert_eq!(text.split('\t').count(), exchange::COLUMNS.len());
        prop_assert!(!text.contains(|letter: char| letter.is_control() && letter != '\t'));
        for (name, value) in [
            ("method", record.method),
            ("uri", record.target),
            ("referrer", record.referer),
            ("user_agent", record.user_agent),
        ] {
            let found = column(text, name);
            match value {
                None => prop_assert_eq!(found, "-"),
                Some("") => prop_assert_eq!(found, "(empty)"),
                Some(value) => prop_assert_eq!(decode(found.as_bytes()), decode(value.as_bytes())),
            }
        }
        let proxied = column(text, "proxied");
        let expected = if record.headers.is_some() { 2 } else { 1 };
        prop_assert_eq!(proxied.split(',').count(), expected);
    }

    #[test]
    fn any_session_has_all_columns(packets: [u64; 8], time: i64) {
        let mut record = session();
        record.packets = packets[0];
        record.timestamp = jiff::Timestamp::from_nanosecond(time.into()).unwrap();
        if let Some(details) = &mut record.details {
            details.duration_us = packets[1];
            details.orig_bytes = packets[2];
            details.missed_bytes = packets[3];
        }
        let line = conn(&record);
        prop_assert_eq!(line.matches('\t').count() + 1, connection::COLUMNS.len());
        prop_assert_eq!(line.matches('\n').count(), 1);
    }
}
