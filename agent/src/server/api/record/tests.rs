//! Bodies without sockets: every field, every wrong value, any bytes.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::session::record::Protocol;

const NOW_US: i64 = 1_795_264_067_311_000;

fn rules() -> Rules {
    Rules {
        sort: Sort::Sessions,
        now: Timestamp::from_microsecond(NOW_US).unwrap(),
        records: 100,
        retain_days: Some(14),
    }
}

fn record() -> Value {
    json!({"protocol": "UDP", "src_ip": "10.0.0.1", "src_port": 0, "dst_ip": "::1", "dst_port": 65535,
        "packets": 0, "bytes": 0})
}

fn with(field: &str, value: Value) -> Value {
    let mut record = record();
    record[field] = value;
    record
}

fn session(value: &Value) -> Result<Value, String> {
    match parse(value.to_string().as_bytes(), Media::Json, &rules()) {
        Ok(parsed) => {
            assert!(parsed.is_single && parsed.batch.len() == 1);
            Ok(serde_json::to_value(parsed.batch.session(0).unwrap()).unwrap())
        }
        Err(Refusal::Values(wrong)) => Err(serde_json::to_string(&wrong).unwrap()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_given_has_a_default() {
    let stored = session(&record()).unwrap();
    assert_eq!(stored["cpu_id"], 0);
    assert_eq!(stored["timestamp"], "2026-11-21T12:27:47.311Z");
    let null = with("timestamp", Value::Null);
    assert_eq!(session(&null).unwrap(), stored);
}

#[test]
fn times() {
    let check = |text: &str, expected: Option<&str>| {
        let stored = session(&with("timestamp", text.into()));
        let time = stored.map(|stored| stored["timestamp"].as_str().unwrap().to_owned());
        assert_eq!(time.ok().as_deref(), expected, "{text}");
    };
    check("2026-11-21T12:00:00Z", Some("2026-11-21T12:00:00Z"));
    check("2026-11-21T12:00:00", Some("2026-11-21T12:00:00Z"));
    check(
        "2026-11-21 12:00:00.1234567",
        Some("2026-11-21T12:00:00.123456Z"),
    );
    check("2026-11-21T12:00:00+02:00", Some("2026-11-21T10:00:00Z"));
    check("2026-11-22T23:59:59Z", Some("2026-11-22T23:59:59Z"));
    check("2026-11-23T00:00:00Z", None);
    check("2026-11-07T00:00:00Z", Some("2026-11-07T00:00:00Z"));
    check("2026-11-06T23:59:59Z", None);
    check("9999-12-31T23:59:59Z", None);
    check("-009999-01-01T00:00:00Z", None);
    check("yesterday", None);
    check("", None);
    check("2026-11-21T25:00:00Z", None);
    check(&"2".repeat(1000), None);
}

#[test]
fn every_wrong_value_is_named() {
    let check = |field: &'static str, value: Value, kind: &str| {
        let said = session(&with(field, value.clone())).unwrap_err();
        let place = format!("[\"body\",\"{field}\"]");
        assert!(said.contains(&place), "{field} {value}: {said}");
        assert!(
            said.contains(&format!("\"type\":\"{kind}\"")),
            "{field} {value}: {said}"
        );
    };
    for field in ["src_port", "dst_port", "packets", "bytes", "cpu_id"] {
        check(field, json!(-1), "greater_than_equal");
        check(field, json!(1.5), "int_type");
        check(field, json!(1e300), "int_type");
        check(field, json!("1"), "int_type");
        check(field, json!(true), "int_type");
        check(field, json!([1]), "int_type");
        check(field, json!(u64::MAX), "less_than_equal");
    }
    check("src_port", json!(65_536), "less_than_equal");
    check("cpu_id", json!(1_u64 << 32), "less_than_equal");
    for field in ["src_ip", "dst_ip"] {
        for text in [
            "",
            "x",
            "10.0.0.256",
            "10.0.0.01",
            "fe80::1%eth0",
            "10.0.0.1:80",
            "10.0.0.1\0",
        ] {
            check(field, json!(text), "ip_any_address");
        }
        check(field, json!(1), "string_type");
    }
    for text in ["", "tcp", "GRE", "TCP "] {
        check("protocol", json!(text), "enum");
    }
    check("protocol", json!(6), "string_type");
    check("session_id", json!("1"), "identifier");
    for field in [
        "protocol", "src_ip", "src_port", "dst_ip", "dst_port", "packets", "bytes",
    ] {
        let mut record = record();
        record.as_object_mut().unwrap().remove(field);
        let said = session(&record).unwrap_err();
        let expected =
            format!(r#"[{{"type":"missing","loc":["body","{field}"],"msg":"Field required"}}]"#);
        assert_eq!(said, expected);
    }
}

#[test]
fn a_body_has_records_of_some_days_only() {
    let mut of_days: Vec<Value> = Vec::new();
    let rules = Rules {
        retain_days: None,
        ..rules()
    };
    for day in 1..=DAYS_MOST + 1 {
        of_days.push(with(
            "timestamp",
            format!("2020-01-{day:02}T00:00:00Z").into(),
        ));
    }
    let body = |count: usize| serde_json::to_vec(&of_days[..count]).unwrap();
    assert!(parse(&body(DAYS_MOST), Media::Json, &rules).is_ok());
    let refused = parse(&body(DAYS_MOST + 1), Media::Json, &rules).unwrap_err();
    assert!(format!("{refused:?}").contains("too_many_days"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for media in [Media::Json, Media::Lines] {
            drop(parse(&bytes, media, &rules()));
        }
    }

    #[test]
    fn a_body_cut_or_changed_anywhere_is_read_or_refused(at in 0_usize..200, byte in any::<u8>()) {
        let body = format!("[{}, {}]", record(), record()).into_bytes();
        let at = at % body.len();
        prop_assert!(parse(&body[..at], Media::Json, &rules()).is_err());
        let mut changed = body;
        changed[at] = byte;
        if let Ok(parsed) = parse(&changed, Media::Json, &rules()) {
            prop_assert!(parsed.batch.len() <= 2);
        }
    }

    #[test]
    fn sound_records_are_taken_as_they_are(
        source in any::<IpAddr>(), port in any::<u16>(), packets in 0..=i64::MAX as u64,
        cpu in any::<u32>(), protocol in proptest::sample::select(Protocol::ALL.to_vec()),
    ) {
        let mut value = record();
        value["protocol"] = protocol.name().into();
        value["src_ip"] = source.to_string().into();
        value["src_port"] = port.into();
        value["packets"] = packets.into();
        value["cpu_id"] = cpu.into();
        let mut expected = value.clone();
        expected["timestamp"] = "2026-11-21T12:27:47.311Z".into();
        prop_assert_eq!(session(&value).unwrap(), expected);
    }
}
