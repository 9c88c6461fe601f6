//! The sink of the HTTP API against the program's own back end, `tapline serve`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tapline::session::identifier::Identifier;
use tapline::session::record::{Protocol, SessionDetails, SessionRecord};
use tapline::sink::api::{ApiSettings, ApiSink, Target};
use tapline::sink::fan_out::FanOut;
use tapline::sink::spool::SpoolSettings;
use tapline::store::{Order, SessionFilter, Store};

struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The back end, and its address.
fn serve(folder: &Path) -> (Serve, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_tapline"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder)
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It ends with the test, whatever happens.
    let mut serve = Serve(child);
    let lines = BufReader::new(serve.0.stderr.take().unwrap()).lines();
    for line in lines {
        let line = line.unwrap();
        if let Some((_, behind)) = line.split_once("http://") {
            let end =
                behind.find(|letter: char| !(letter.is_ascii_digit() || ".:".contains(letter)));
            let address = behind[..end.unwrap_or(behind.len())].to_owned();
            return (serve, address);
        }
    }
    panic!("it does not say where it listens");
}

fn session(number: u64, revision: u32, start: i64) -> SessionRecord<'static> {
    let time = Timestamp::from_microsecond(start + number as i64).unwrap();
    SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: "192.0.2.1".parse().unwrap(),
        src_port: 1,
        dst_ip: "2001:db8::2".parse().unwrap(),
        dst_port: 80,
        packets: u64::from(revision),
        bytes: 100,
        cpu_id: 0,
        timestamp: time,
        details: Some(SessionDetails {
            session_id: Identifier::new(1, number),
            revision,
            interim: revision == 1,
            ended_at: time,
            duration_us: 0,
            packets_out: u64::from(revision),
            packets_in: 0,
            bytes_out: 100,
            bytes_in: 0,
            orig_bytes: 0,
            resp_bytes: 0,
            missed_bytes: 0,
            reply_cpu_id: None,
            conn_state: "S0",
            history: "S",
            retransmits: 0,
            rtt_us: None,
            http_requests: 0,
            http_errors: 0,
            ifname: "eth0",
        }),
    }
}

#[test]
fn what_is_sent_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, spool) = (folder.path().join("data"), folder.path().join("spool"));
    let (_serve, address) = serve(&data);
    let start = Timestamp::now().as_microsecond() - 1_000_000;
    // The same again, as after an answer that was lost, and later revisions.
    for (revision, count) in [(1, 3000), (1, 3000), (2, 1000)] {
        let target = Target::new(&format!("http://{address}/api"), None, None).unwrap();
        let sink = ApiSink::start(ApiSettings {
            spool: SpoolSettings {
                directory: spool.clone(),
                bytes: 64 << 20,
            },
            ..ApiSettings::new(target)
        })
        .unwrap();
        let handle = sink.handle();
        let mut records = FanOut::new(vec![Box::new(sink)]);
        for number in 0..count {
            records.push_session(&session(number, revision, start));
        }
        records.flush();
        let begun = Instant::now();
        while handle.counts().stored < count {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{:?}",
                handle.counts()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let counts = records.close()[0].1;
        assert_eq!((counts.accepted, counts.stored), (count, count));
    }
    let store = Store::open(&data).unwrap();
    let rows = store.sessions(&SessionFilter::default(), Order::Oldest, None, 1 << 20);
    let rows = rows.unwrap();
    assert_eq!(rows.len(), 3000);
}
