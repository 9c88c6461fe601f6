//! What cannot be sent waits on disk.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::faults::nobody;
use super::server::Asked;
use super::*;

#[test]
fn while_nobody_listens_records_wait_on_disk_and_are_sent_when_somebody_does() {
    let folder = tempfile::tempdir().unwrap();
    let address = nobody();
    let url = format!("http://{address}/api");
    // Over one connection, so that what is sent first arrives first.
    let (mut records, handle) = start(ApiSettings {
        connections: 1,
        ..settings(&url, folder.path())
    });
    push(&mut records, 0..3000);
    wait_until(&handle, |counts| counts.spooled == 3000);
    assert_eq!(segments(folder.path()), 1);
    push(&mut records, 3000..5000);
    wait_until(&handle, |counts| {
        counts.spooled == 5000 && counts.stored == 0
    });
    let back_end = BackEnd::start_at(address, Arc::default(), None, |_| Act::Store);
    wait_until(&handle, |counts| counts.stored == 5000);
    push(&mut records, 5000..5100);
    wait_until(&handle, |counts| counts.stored == 5100);
    let counts = close(records);
    assert_eq!((counts.accepted, counts.spooled), (5100, 0));
    assert_eq!(back_end.count(), 5100);
    assert_eq!(back_end.stored.lock().unwrap().all.len(), 5100);
    assert_eq!(segments(folder.path()), 0);
    // The oldest were sent first.
    let asked = back_end.asked();
    let first = |asked: &Asked| asked.body.as_ref().unwrap()[0]["packets"].as_u64().unwrap();
    let order: Vec<u64> = asked.iter().map(first).collect();
    assert_eq!(order.last(), Some(&5000), "{order:?}");
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn what_was_spooled_is_sent_after_a_restart_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let address = nobody();
    let url = format!("http://{address}/api");
    let begun = Instant::now();
    for run in 0..3 {
        let (mut records, _) = start(settings(&url, folder.path()));
        push(&mut records, run * 1000..run * 1000 + 1000);
        let counts = close(records);
        assert_eq!((counts.stored, counts.lost_in_all()), (0, 0));
        // What was found at the start is in the account.
        assert_eq!(counts.spooled, (run + 1) * 1000);
        assert_eq!(counts.accepted, (run + 1) * 1000);
    }
    // A target that does not answer does not hold up the end.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let back_end = BackEnd::start_at(address, Arc::default(), None, |_| Act::Store);
    let (records, handle) = start(settings(&url, folder.path()));
    wait_until(&handle, |counts| counts.stored == 3000);
    let counts = close(records);
    assert_eq!(
        (counts.accepted, counts.stored, counts.spooled),
        (3000, 3000, 0)
    );
    assert_eq!(back_end.stored.lock().unwrap().all.len(), 3000);
    assert_eq!(back_end.count(), 3000);
    assert_eq!(segments(folder.path()), 0);
}

#[test]
fn a_slow_target_does_not_keep_records_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let go = Arc::<AtomicBool>::default();
    let gone = Arc::clone(&go);
    let back_end = BackEnd::start(move |_| {
        while !gone.load(SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        Act::Store
    });
    let (mut records, handle) = start(ApiSettings {
        connections: 1,
        timeout: Duration::from_secs(30),
        ..settings(&back_end.url(), folder.path())
    });
    push(&mut records, 0..2000);
    // Also those that are being sent.
    wait_until(&handle, |counts| counts.spooled == 2000);
    go.store(true, SeqCst);
    wait_until(&handle, |counts| counts.stored == 2000);
    close(records);
    assert_eq!(back_end.stored.lock().unwrap().all.len(), 2000);
    assert_eq!(segments(folder.path()), 0);
}

#[test]
fn what_was_spooled_in_one_mode_is_sent_in_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let address = nobody();
    let url = format!("http://{address}/api");
    let with = |mode| ApiSettings {
        mode,
        ..settings(&url, folder.path())
    };
    let (mut records, _) = start(with(Mode::Array));
    push(&mut records, 0..99);
    records.push_session(&SessionRecord {
        details: Some(SessionDetails {
            interim: true,
            ..details()
        }),
        ..session()
    });
    assert_eq!(close(records).spooled, 100);
    let (mut records, _) = start(with(Mode::Single));
    push(&mut records, 100..110);
    let before = close(records);
    // The interim one is not for such a back end; that is found out when it is looked at.
    assert_eq!(before.spooled + before.lost(LossReason::Refused), 110);
    let back_end = BackEnd::start_at(address, Arc::default(), None, |asked| match asked.body {
        Some(Value::Object(_)) => Act::Store,
        _ => Act::Status(422, "", ""),
    });
    let (records, handle) = start(with(Mode::Single));
    wait_until(&handle, |counts| counts.stored == 109);
    let counts = close(records);
    let lost = before.lost(LossReason::Refused) + counts.lost(LossReason::Refused);
    assert_eq!(lost, 1);
    let stored = back_end.stored.lock().unwrap();
    assert_eq!(stored.all.len(), 109);
    assert!(
        stored
            .all
            .iter()
            .all(|record| record.as_object().unwrap().len() == 9)
    );
    drop(stored);
    drop(back_end);

    let (mut records, _) = start(with(Mode::Single));
    push(&mut records, 0..10);
    assert_eq!(close(records).spooled, 10);
    let back_end = BackEnd::start_at(address, Arc::default(), None, |asked| match asked.body {
        Some(Value::Array(_)) => Act::Store,
        _ => Act::Status(422, "", ""),
    });
    let (records, handle) = start(with(Mode::Array));
    wait_until(&handle, |counts| counts.stored == 10);
    close(records);
    assert_eq!(back_end.stored.lock().unwrap().all.len(), 10);
}

#[test]
fn a_spool_that_is_full_gives_up_the_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let address = nobody();
    let url = format!("http://{address}/api");
    let small = ApiSettings {
        gzip: false,
        spool: SpoolSettings {
            directory: folder.path().to_owned(),
            bytes: 4 << 20,
        },
        ..settings(&url, folder.path())
    };
    let (mut records, handle) = start(small.clone());
    for part in 0..20 {
        push(&mut records, part * 1000..part * 1000 + 1000);
        thread::sleep(Duration::from_millis(20));
    }
    wait_until(&handle, |counts| {
        counts.lost(LossReason::SpoolFull) > 0 && counts.queued == 0
    });
    let counts = close(records);
    assert_eq!(counts.accepted, 20_000);
    assert_eq!(
        counts.spooled + counts.lost(LossReason::SpoolFull),
        20_000,
        "{counts:?}"
    );
    assert!(counts.spooled > 4000, "{counts:?}");
    let back_end = BackEnd::start_at(address, Arc::default(), None, |_| Act::Store);
    let (records, handle) = start(small);
    wait_until(&handle, |now| now.stored == counts.spooled);
    close(records);
    assert_eq!(back_end.count() as u64, counts.spooled);
}

/// A small file system in memory; None where it cannot be mounted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(bytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={bytes}"),
                "tapline-test",
            ])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
        drop(unmounted);
    }
}

#[test]
fn a_full_disk_is_counted_and_gone_on_from() {
    let Some(disk) = SmallDisk::mount(1 << 20) else {
        eprintln!("skipped: a_full_disk_is_counted_and_gone_on_from needs root, to mount a tmpfs");
        return;
    };
    let address = nobody();
    let url = format!("http://{address}/api");
    let spool = disk.0.path().join("spool");
    let (mut records, handle) = start(ApiSettings {
        gzip: false,
        ..settings(&url, &spool)
    });
    // More than the disk and memory hold: about 500 bytes a record.
    let mut pushed = 0;
    while handle.counts().lost(LossReason::NoSpace) == 0 {
        push(&mut records, pushed..pushed + 2000);
        pushed += 2000;
        assert!(pushed < 400_000, "{:?}", handle.counts());
        wait_until(&handle, |counts| counts.queued < 60_000);
        thread::sleep(Duration::from_millis(10));
    }
    wait_until(&handle, |counts| {
        counts.spooled > 1000 && counts.queued > 10_000
    });
    let back_end = BackEnd::start_at(address, Arc::default(), None, |_| Act::Store);
    wait_until(&handle, |counts| counts.queued + counts.spooled == 0);
    push(&mut records, pushed..pushed + 10);
    pushed += 10;
    let counts = close(records);
    assert_eq!(counts.accepted, pushed);
    assert_eq!(
        counts.stored + counts.lost(LossReason::NoSpace),
        pushed,
        "{counts:?}"
    );
    assert_eq!(back_end.count() as u64, counts.stored);
    assert_eq!(segments(&spool), 0);
}
