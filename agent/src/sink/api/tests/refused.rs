//! What the target does not take: the record at fault is found.

use std::sync::Mutex;

use super::faults::nobody;
use super::server::Stored;
use super::*;

#[test]
fn a_record_at_fault_is_found_counted_and_costs_no_other() {
    for status in [422, 400] {
        let folder = tempfile::tempdir().unwrap();
        let bad = |record: &Value| record["packets"].as_u64().unwrap() % 400 == 77;
        let back_end = BackEnd::start(move |asked| {
            let records = asked.body.as_ref().unwrap().as_array().unwrap();
            match records.iter().any(bad) {
                true => Act::Status(status, r#"{"detail": "packets"}"#, ""),
                false => Act::Store,
            }
        });
        let (mut records, handle) = start(settings(&back_end.url(), folder.path()));
        push(&mut records, 0..1000);
        wait_until(&handle, |counts| counts.stored == 997);
        let counts = close(records);
        assert_eq!(counts.lost(LossReason::Refused), 3);
        assert_eq!(counts.lost_in_all(), 3);
        assert_eq!(back_end.count(), 997);
        assert!(back_end.asked().len() < 70, "{}", back_end.asked().len());
    }
}

#[test]
fn a_record_that_breaks_the_target_is_found_and_holds_up_no_other() {
    // The first of the first body, the last, and one in between.
    for bad in [0, 30, 59] {
        let folder = tempfile::tempdir().unwrap();
        let back_end = BackEnd::start(move |asked| {
            let records = asked.body.as_ref().unwrap().as_array().unwrap();
            match records.iter().any(|record| record["packets"] == bad) {
                true => Act::Status(500, "Internal Server Error", ""),
                false => Act::Store,
            }
        });
        let (mut records, handle) = start(ApiSettings {
            batch: 20,
            connections: 1,
            ..settings(&back_end.url(), folder.path())
        });
        push(&mut records, 0..60);
        wait_until(&handle, |counts| counts.stored + counts.lost_in_all() == 60);
        let counts = close(records);
        assert_eq!((counts.stored, counts.lost(LossReason::Refused)), (59, 1));
        assert_eq!(back_end.stored.lock().unwrap().all.len(), 59);
    }
}

#[test]
fn a_body_that_is_too_large_is_sent_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let back_end = BackEnd::start(|asked| {
        let records = asked.body.as_ref().unwrap().as_array().unwrap();
        let is_long = records.iter().any(|record| record["packets"] == 5);
        match records.len() > 60 || is_long {
            true => Act::Status(413, "", "Connection: close\r\n"),
            false => Act::Store,
        }
    });
    let (mut records, handle) = start(settings(&back_end.url(), folder.path()));
    push(&mut records, 0..500);
    wait_until(&handle, |counts| counts.stored == 499);
    let counts = close(records);
    assert_eq!(counts.lost(LossReason::TooLarge), 1);
    assert_eq!(back_end.stored.lock().unwrap().all.len(), 499);
}

#[test]
fn an_end_in_the_middle_of_parts_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let stored = Arc::<Mutex<Stored>>::default();
    let address = nobody();
    let url = format!("http://{address}/api");
    // Refuses until records are few, stores the first part, and then is silent.
    let back_end = BackEnd::start_at(address, Arc::clone(&stored), None, |asked| {
        match asked.records() {
            500 => Act::Status(422, "", ""),
            _ if asked.number == 1 => Act::Store,
            _ => Act::After(Duration::from_secs(3600), Box::new(Act::HangUp)),
        }
    });
    let (mut records, handle) = start(ApiSettings {
        timeout: Duration::from_secs(1),
        ..settings(&url, folder.path())
    });
    push(&mut records, 0..500);
    wait_until(&handle, |counts| {
        counts.stored == 250 && counts.spooled == 250
    });
    let counts = close(records);
    assert_eq!((counts.stored, counts.spooled), (250, 250));
    drop(back_end);
    let back_end = BackEnd::start_at(address, Arc::clone(&stored), None, |_| Act::Store);
    let (records, handle) = start(settings(&url, folder.path()));
    wait_until(&handle, |counts| {
        counts.stored == 250 && counts.spooled == 0
    });
    let counts = close(records);
    assert_eq!(counts.accepted, 250);
    assert_eq!(back_end.count(), 500);
    assert_eq!(stored.lock().unwrap().all.len(), 500);
}
