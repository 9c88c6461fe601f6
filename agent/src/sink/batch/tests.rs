//! What goes in comes out.

use std::net::IpAddr;

use proptest::prelude::*;

use super::samples::{details, exchange, session, time};
use super::*;
use crate::session::record::Protocol;

fn json(record: &impl serde::Serialize) -> String {
    serde_json::to_string(record).unwrap()
}

/// The texts of a record, owned.
#[derive(Clone, Debug)]
struct Made {
    texts: [Option<String>; 8],
    header: Option<String>,
    numbers: [Option<u64>; 4],
    address: IpAddr,
    seconds: i64,
    is_session: bool,
    has_details: bool,
}

fn made() -> impl Strategy<Value = Made> {
    (
        prop::array::uniform8(prop::option::of("\\PC{0,20}")),
        prop::option::of("\\PC{0,20}"),
        prop::array::uniform4(prop::option::of(any::<u64>())),
        any::<IpAddr>(),
        -1_000_000_000..4_000_000_000_i64,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(texts, header, numbers, address, seconds, is_session, has_details)| Made {
                texts,
                header,
                numbers,
                address,
                seconds,
                is_session,
                has_details,
            },
        )
}

/// Pushes the record, and gives it as JSON.
fn push(batch: &mut Batch, made: &Made) -> String {
    let text = |index: usize| made.texts[index].as_deref();
    let small = |index: usize| made.numbers[index].map(|number| number as u16);
    if made.is_session {
        let record = SessionRecord {
            protocol: Protocol::ALL[made.seconds.unsigned_abs() as usize % 3],
            src_ip: made.address,
            dst_port: small(1).unwrap_or_default(),
            packets: made.numbers[0].unwrap_or_default(),
            timestamp: time(made.seconds * 1_000_000 + 1),
            details: made.has_details.then(|| SessionDetails {
                conn_state: text(0).unwrap_or("OTH"),
                history: text(1).unwrap_or_default(),
                ifname: text(2).unwrap_or_default(),
                interim: made.numbers[2].is_some(),
                rtt_us: made.numbers[3],
                reply_cpu_id: small(2).map(u32::from),
                ..details()
            }),
            ..session()
        };
        batch.push_session(&record).unwrap();
        return json(&record);
    }
    let headers = made
        .header
        .as_ref()
        .map(|value| format!("{{\"X\":{}}}", json(value)));
    let record = ExchangeRecord {
        session_id: made.has_details.then(|| Identifier::new(1, 2)),
        ts: time(made.seconds * 1_000_000 + 1),
        dst_ip: made.address,
        method: text(0),
        target: text(1),
        version: text(2).unwrap_or("HTTP/1.0"),
        host: text(3),
        user_agent: text(4),
        referer: text(5),
        content_type: text(6),
        traceparent: text(7),
        headers: headers
            .as_deref()
            .map(|text| serde_json::from_str(text).unwrap()),
        status: small(0),
        interim_status: small(1),
        ttfb_us: made.numbers[0],
        total_us: made.numbers[1],
        request_bytes: made.numbers[2],
        response_bytes: made.numbers[3],
        partial: made.has_details,
        ..exchange()
    };
    batch.push_exchange(&record).unwrap();
    json(&record)
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(rounds in prop::collection::vec(prop::collection::vec(made(), 0..20), 1..3)) {
        let mut batch = Batch::default();
        for round in rounds {
            batch.clear();
            let mut expected = [Vec::new(), Vec::new()];
            for made in &round {
                expected[usize::from(made.is_session)].push(push(&mut batch, made));
            }
            prop_assert_eq!(batch.len(), round.len());
            prop_assert_eq!(batch.is_empty(), round.is_empty());
            let exchanges: Vec<String> = batch.exchanges().map(|record| json(&record)).collect();
            let sessions: Vec<String> = batch.sessions().map(|record| json(&record)).collect();
            prop_assert_eq!([exchanges, sessions], expected);
        }
    }
}

#[test]
fn a_full_batch_takes_nothing_and_is_as_it_was() {
    let mut batch = Batch::default();
    batch.push_session(&session()).unwrap();
    let long = "x".repeat(1 << 28);
    let huge = ExchangeRecord {
        target: Some(&long),
        host: Some(&long),
        referer: Some(&long),
        ..exchange()
    };
    batch.push_exchange(&huge).unwrap();
    let bytes = batch.text_bytes();
    assert_eq!(batch.push_exchange(&huge), Err(BatchFull));
    assert_eq!((batch.len(), batch.text_bytes()), (2, bytes));
    assert_eq!(batch.exchanges().count(), 1);
    batch.clear();
    batch.push_exchange(&exchange()).unwrap();
    assert_eq!(json(&batch.exchange(0)), json(&exchange()));
    assert!(batch.exchange(1).is_none() && batch.session(0).is_none());
}
