//! Against a real back end over real sockets: what arrives, and what becomes of what does not.

mod faults;
mod refused;
mod server;
mod spooled;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::session::identifier::Identifier;
use crate::session::record::{SessionDetails, SessionRecord};
use crate::sink::batch::samples::{details, exchange, session};
use crate::sink::fan_out::FanOut;
use crate::sink::spool::SpoolSettings;
use server::{Act, BackEnd};

fn settings(url: &str, folder: &Path) -> ApiSettings {
    ApiSettings {
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(5),
        spool: SpoolSettings {
            directory: folder.to_owned(),
            bytes: 64 << 20,
        },
        ..ApiSettings::new(Target::new(url, None, None).unwrap())
    }
}

fn start(settings: ApiSettings) -> (FanOut, ApiHandle) {
    let sink = ApiSink::start(settings).unwrap();
    let handle = sink.handle();
    (FanOut::new(vec![Box::new(sink)]), handle)
}

fn numbered(number: u64) -> SessionRecord<'static> {
    SessionRecord {
        details: Some(SessionDetails {
            session_id: Identifier::new(9, number),
            ..details()
        }),
        packets: number,
        ..session()
    }
}

fn push(records: &mut FanOut, numbers: std::ops::Range<u64>) {
    for number in numbers {
        records.push_session(&numbered(number));
    }
    records.flush();
}

#[track_caller]
fn closes(counts: &Counts) {
    assert_eq!(
        counts.accepted,
        counts.stored + counts.spooled + counts.queued + counts.lost_in_all(),
        "{counts:?}"
    );
}

/// The account is looked at all the while.
#[track_caller]
fn wait_until(handle: &ApiHandle, what: impl Fn(&Counts) -> bool) {
    let begun = Instant::now();
    loop {
        let counts = handle.counts();
        closes(&counts);
        if what(&counts) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{counts:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
fn close(records: FanOut) -> Counts {
    let [(name, counts)] = records.close()[..] else {
        panic!("one sink");
    };
    assert_eq!(name, "api");
    closes(&counts);
    assert_eq!(counts.queued, 0, "{counts:?}");
    counts
}

/// Segments in the folder.
fn segments(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_str().unwrap().ends_with(".seg"))
        .count()
}

#[test]
fn arrays_arrive_whole_over_few_connections() {
    let folder = tempfile::tempdir().unwrap();
    let back_end = BackEnd::start(|_| Act::Store);
    let token = folder.path().join("token");
    std::fs::write(&token, "c2VjcmV0\n").unwrap();
    for gzip in [true, false] {
        let spool = folder.path().join("spool");
        let target = Target::new(&format!("{}/", back_end.url()), Some(&token), None).unwrap();
        let (mut records, handle) = start(ApiSettings {
            gzip,
            target,
            ..settings(&back_end.url(), &spool)
        });
        push(&mut records, 0..1234);
        records.push_exchange(&exchange());
        push(&mut records, 1234..1235);
        wait_until(&handle, |counts| counts.stored == 1235);
        let counts = close(records);
        assert_eq!(
            (counts.accepted, counts.stored, counts.spooled),
            (1235, 1235, 0)
        );
        assert_eq!(back_end.count(), 1235);
        let stored = back_end.stored.lock().unwrap();
        for (number, record) in (0..).zip(stored.by_id.values()) {
            let expected: Value = serde_json::to_value(numbered(number)).unwrap();
            assert_eq!(*record, expected);
        }
        for asked in &stored.asked {
            assert_eq!(asked.path, "/api/logs");
            assert!(asked.records() <= 500);
            assert_eq!(asked.fields["content-type"], "application/json");
            assert_eq!(asked.fields["authorization"], "Bearer c2VjcmV0");
            assert_eq!(asked.fields["host"], back_end.address.to_string());
        }
        let last = stored.asked.last().unwrap();
        assert_eq!(last.fields.contains_key("content-encoding"), gzip);
        assert_eq!(segments(&spool), 0);
    }
    assert!(
        back_end
            .connections
            .load(std::sync::atomic::Ordering::SeqCst)
            <= 8
    );
}

#[test]
fn single_objects_have_the_fields_that_all_know_and_are_final() {
    let folder = tempfile::tempdir().unwrap();
    let back_end = BackEnd::start(|_| Act::Store);
    let (mut records, _) = start(ApiSettings {
        mode: Mode::Single,
        ..settings(&back_end.url(), folder.path())
    });
    push(&mut records, 0..50);
    for revision in 1..4 {
        records.push_session(&SessionRecord {
            details: Some(SessionDetails {
                revision,
                interim: revision < 3,
                ..details()
            }),
            ..session()
        });
    }
    let counts = close(records);
    assert_eq!((counts.accepted, counts.stored), (51, 51));
    let stored = back_end.stored.lock().unwrap();
    assert_eq!(stored.asked.len(), 51);
    for record in &stored.all {
        let names: Vec<&str> = record
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names.len(), 9, "{names:?}");
        assert_eq!(record["timestamp"], "2026-11-21T12:27:47.311Z");
    }
}

#[test]
fn exchanges_go_to_a_path_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let back_end = BackEnd::start(|_| Act::Store);
    let (mut records, _) = start(ApiSettings {
        exchanges: true,
        ..settings(&back_end.url(), folder.path())
    });
    records.push_exchange(&exchange());
    records.push_session(&session());
    let counts = close(records);
    assert_eq!((counts.accepted, counts.stored), (2, 2));
    let mut paths: Vec<String> = back_end
        .asked()
        .into_iter()
        .map(|asked| asked.path)
        .collect();
    paths.sort();
    assert_eq!(paths, ["/api/exchanges", "/api/logs"]);
    let stored = back_end.stored.lock().unwrap();
    let whole = serde_json::to_value(exchange()).unwrap();
    assert!(stored.all.contains(&whole));
}

#[test]
fn a_record_does_not_wait_longer_than_the_interval() {
    let folder = tempfile::tempdir().unwrap();
    let back_end = BackEnd::start(|_| Act::Store);
    let (mut records, handle) = start(settings(&back_end.url(), folder.path()));
    let begun = Instant::now();
    push(&mut records, 0..1);
    wait_until(&handle, |counts| counts.stored == 1);
    assert!(begun.elapsed() < Duration::from_secs(5));
    close(records);
}
