//! What goes wrong costs nothing that is not counted, and what passes is gone on from.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::server::{Asked, Stored};
use super::*;

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn raw(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A back end that misbehaves for the first requests: everything arrives nevertheless, once.
#[track_caller]
fn passes(mut misbehave: impl FnMut(&Asked) -> Option<Act> + Send + 'static) -> Vec<Asked> {
    let folder = tempfile::tempdir().unwrap();
    let back_end = BackEnd::start(move |asked| misbehave(asked).unwrap_or(Act::Store));
    let (mut records, handle) = start(ApiSettings {
        connections: 2,
        timeout: Duration::from_millis(700),
        ..settings(&back_end.url(), folder.path())
    });
    push(&mut records, 0..700);
    wait_until(&handle, |counts| counts.stored == 700);
    let counts = close(records);
    assert_eq!((counts.accepted, counts.stored), (700, 700));
    assert_eq!(back_end.count(), 700);
    assert_eq!(segments(folder.path()), 0);
    back_end.asked()
}

#[test]
fn answers_that_may_pass_are_tried_again() {
    for status in [500, 503, 408, 429, 404, 301, 401] {
        let asked =
            passes(move |asked| (asked.number < 3).then_some(Act::Status(status, "no", "")));
        assert!(asked.len() >= 5, "{status}: {}", asked.len());
    }
}

#[test]
fn retry_after_is_honoured() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&times);
    passes(move |asked| {
        taken.lock().unwrap().push(Instant::now());
        (asked.number < 1).then_some(Act::Status(429, "", "Retry-After: 2\r\n"))
    });
    let times = times.lock().unwrap();
    // Another may have been under way already.
    let last = *times.last().unwrap();
    assert!(last - times[0] >= Duration::from_secs(2), "{times:?}");
}

#[test]
fn answers_that_make_no_sense_are_failures() {
    for nonsense in [
        "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n<html>Log in to the hotel</html>",
        "HTTP/1.1 200 OK\r\n\r\n<html>",
        "HTTP/1.1 201 Created\r\nContent-Length: 12\r\n\r\n{\"count\": 3}",
        // Half an answer, also one without a length.
        "HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{\"count\": 500,",
        "HTTP/1.1 201 Created\r\n\r\n{\"count\": 500, \"ids\": [1, 2",
        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cou",
        "HTTP/1.1 201 Cre",
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "\0\0\0\0",
        "",
    ] {
        let asked = passes(move |asked| (asked.number < 2).then(|| Act::Raw(raw(nonsense))));
        assert!(asked.len() >= 4, "{nonsense:?}: {}", asked.len());
    }
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(5 << 20));
    passes(move |asked| (asked.number < 1).then(|| Act::Raw(raw(&endless))));
    let head = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(1 << 20));
    passes(move |asked| (asked.number < 1).then(|| Act::Raw(raw(&head))));
}

#[test]
fn a_target_that_hangs_up_or_is_slow_is_tried_again() {
    passes(|asked| (asked.number < 3).then_some(Act::HangUp));
    // Longer than is waited.
    let slow = |act| Act::After(Duration::from_millis(1500), Box::new(act));
    passes(move |asked| (asked.number < 2).then(|| slow(Act::Store)));
    // A body that comes by drops.
    passes(|asked| {
        let head = raw("HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{");
        let drip = Act::After(Duration::from_millis(600), Box::new(Act::Raw(head)));
        (asked.number < 1).then_some(drip)
    });
}

#[test]
fn a_batch_whose_answer_was_lost_is_sent_again_and_stored_once() {
    for lost in [
        "",
        "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 201 C",
    ] {
        let asked = passes(move |asked| (asked.number < 2).then(|| Act::StoreBut(raw(lost))));
        let sent: usize = asked.iter().map(Asked::records).sum();
        assert!(sent > 700, "{sent}");
    }
}

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

#[test]
fn a_full_queue_never_holds_up_whoever_offers() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}/api", nobody());
    let sink = ApiSink::start(ApiSettings {
        queue_batches: 1,
        ..settings(&url, folder.path())
    });
    let handle = sink.as_ref().unwrap().handle();
    let mut records = FanOut::new(vec![Box::new(sink.unwrap())]);
    let mut longest = Duration::ZERO;
    for part in 0..200 {
        for number in 0..500 {
            records.push_session(&numbered(part * 500 + number));
        }
        let begun = Instant::now();
        records.flush();
        longest = longest.max(begun.elapsed());
        closes(&handle.counts());
    }
    let counts = close(records);
    assert_eq!(counts.accepted, 100_000);
    assert!(counts.lost(LossReason::QueueFull) > 0, "{counts:?}");
    assert_eq!(
        counts.spooled + counts.lost(LossReason::QueueFull),
        100_000,
        "{counts:?}"
    );
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[test]
fn a_token_that_was_changed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "old").unwrap();
    let back_end = BackEnd::start(|asked| match asked.fields["authorization"].as_str() {
        "Bearer new" => Act::Store,
        _ => Act::Status(401, "", ""),
    });
    let (mut records, handle) = start(ApiSettings {
        target: Target::new(&back_end.url(), Some(&token), None).unwrap(),
        ..settings(&back_end.url(), &folder.path().join("spool"))
    });
    push(&mut records, 0..10);
    wait_until(&handle, |counts| counts.spooled == 10);
    std::fs::write(&token, "new").unwrap();
    wait_until(&handle, |counts| counts.stored == 10);
    close(records);
}

fn tls_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

#[test]
fn tls_is_spoken_with_whom_is_trusted_alone() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_file(tls_file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file("server.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let back_end = BackEnd::start_at(anywhere, Arc::default(), Some(Arc::new(config)), |_| {
        Act::Store
    });
    let port = back_end.address.port();
    let ca = tls_file("ca.pem");
    let with = |url: &str, ca: Option<&Path>, spool: &str| ApiSettings {
        target: Target::new(url, None, ca).unwrap(),
        ..settings(url, &folder.path().join(spool))
    };

    let (mut records, handle) = start(with(
        &format!("https://localhost:{port}/api"),
        Some(&ca),
        "name",
    ));
    push(&mut records, 0..600);
    wait_until(&handle, |counts| counts.stored == 600);
    close(records);
    let (mut records, handle) = start(with(
        &format!("https://127.0.0.1:{port}/api"),
        Some(&ca),
        "address",
    ));
    push(&mut records, 600..700);
    wait_until(&handle, |counts| counts.stored == 700 - 600);
    close(records);
    assert_eq!(back_end.count(), 700);

    // Trusted by nobody, under another name, and without TLS: nothing is sent.
    let others = [
        (format!("https://127.0.0.2:{port}/api"), Some(ca.as_path())),
        (
            format!("https://localhost:{port}/api"),
            Some(tls_file("server.pem"))
                .as_deref()
                .map(|_| Path::new("/etc/ssl/certs/ca-certificates.crt"))
                .filter(|path| path.exists()),
        ),
        (format!("http://localhost:{port}/api"), None),
    ];
    for (number, (url, ca)) in others.into_iter().enumerate() {
        if ca.is_none() && url.starts_with("https") {
            continue;
        }
        let (mut records, handle) = start(with(&url, ca, &number.to_string()));
        push(&mut records, 0..10);
        wait_until(&handle, |counts| counts.spooled == 10);
        thread::sleep(Duration::from_millis(300));
        assert_eq!(close(records).spooled, 10, "{url}");
    }
    assert_eq!(back_end.stored.lock().unwrap().all.len(), 700);
}
