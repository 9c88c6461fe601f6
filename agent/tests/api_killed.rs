//! A process that sends to an API that is down is killed (SIGKILL) in the middle of it: at most the last
//! second is missing, and what it had spooled is sent by the next, once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/killed.rs"]
mod killed;
#[path = "support/records.rs"]
mod records;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use jiff::Timestamp;
use killed::run_and_kill;
use records::session;
use tapline::sink::api::{ApiSettings, ApiSink, Target};
use tapline::sink::fan_out::FanOut;
use tapline::sink::spool::SpoolSettings;

const FOLDER: &str = "API_KILLED_FOLDER";
const URL: &str = "API_KILLED_URL";

fn settings(folder: &Path, url: &str) -> ApiSettings {
    ApiSettings {
        spool: SpoolSettings {
            directory: folder.to_owned(),
            bytes: 1 << 30,
        },
        // Batches are small here: a disk that takes its time is to cost nothing.
        queue_batches: 10_000,
        ..ApiSettings::new(Target::new(url, None, None).unwrap())
    }
}

/// The process that is killed: pushes records, and says how far it is. Nothing unless the other test
/// starts it.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let url = std::env::var(URL).unwrap();
    let sink = ApiSink::start(settings(Path::new(&folder), &url)).unwrap();
    let mut fan_out = FanOut::new(vec![Box::new(sink)]);
    for number in 0.. {
        let time = Timestamp::from_microsecond(1_795_264_067_311_000 + number as i64).unwrap();
        fan_out.push_session(&session(number, time));
        if number % 100 == 0 {
            fan_out.flush();
            println!("pushed {number}");
            std::io::stdout().flush().unwrap();
            // Slowly enough that a busy machine, too, spools as fast as this pushes.
            thread::sleep(Duration::from_millis(10));
        }
    }
}

type Numbers = Arc<Mutex<Vec<u64>>>;

/// A back end that takes everything; the numbers of the records that came.
fn back_end(address: SocketAddr) -> Numbers {
    let listener = TcpListener::bind(address).unwrap();
    let numbers = Numbers::default();
    let taken = Arc::clone(&numbers);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let taken = Arc::clone(&taken);
            thread::spawn(move || drop(take(stream.unwrap(), &taken)));
        }
    });
    numbers
}

fn take(stream: TcpStream, numbers: &Mutex<Vec<u64>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut text = String::new();
        GzDecoder::new(&body[..]).read_to_string(&mut text)?;
        let records: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let answer = format!("{{\"count\": {}}}", records.len());
        let packets = records
            .iter()
            .map(|record| record["packets"].as_u64().unwrap());
        numbers.lock().unwrap().extend(packets);
        write!(
            writer,
            "HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
    }
}

#[test]
fn after_a_kill_the_spool_is_sent_and_at_most_a_second_is_missing() {
    for milliseconds in [1300, 1730, 2190] {
        let folder = tempfile::tempdir().unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let url = format!("http://{address}/api");
        let after = Duration::from_millis(milliseconds);
        let variables = [(FOLDER, folder.path().as_os_str()), (URL, url.as_ref())];
        let (before, all) = run_and_kill(&variables, after);
        assert!(before > 0 && before < all);

        let numbers = back_end(address);
        let sink = ApiSink::start(settings(folder.path(), &url)).unwrap();
        let handle = sink.handle();
        let begun = Instant::now();
        // Something was spooled, and all of it goes.
        while handle.counts().stored <= before || handle.counts().spooled > 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{:?} of {before}",
                handle.counts()
            );
            thread::sleep(Duration::from_millis(10));
        }
        let counts = FanOut::new(vec![Box::new(sink)]).close()[0].1;
        assert_eq!((counts.accepted, counts.lost_in_all()), (counts.stored, 0));
        let numbers = numbers.lock().unwrap();
        let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
        assert_eq!(distinct.len(), numbers.len(), "some came twice");
        let missing: Vec<u64> = (0..=before)
            .filter(|number| !distinct.contains(number))
            .collect();
        let first = &missing[..missing.len().min(20)];
        assert!(
            missing.is_empty(),
            "{} of {before} are missing: {first:?} …",
            missing.len()
        );
        assert!(distinct.last() <= Some(&(all + 100)));
    }
}
