//! What goes wrong costs nothing that is not counted, and what passes is gone on from.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::server::Asked;
use super::*;

/// An address that nobody listens on.
pub(super) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

pub(super) fn raw(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A back end that misbehaves for the first requests: everything arrives nevertheless, once.
#[track_caller]
pub(super) fn passes(
    mut misbehave: impl FnMut(&Asked) -> Option<Act> + Send + 'static,
) -> Vec<Asked> {
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
