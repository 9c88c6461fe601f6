//! What it costs to send session records to an HTTP API: CPU time of the sink's thread a record (JSON,
//! gzip, HTTP), records a second, bytes on the wire; and what it costs to spool them.
//!
//! `cargo bench -p tapline --bench api [-- RECORDS]`. The back end is a thread that reads bodies and
//! answers 204; it shares the host's CPUs.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "it is a program that prints")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tapline::session::identifier::Identifier;
use tapline::session::record::{Protocol, SessionDetails, SessionRecord};
use tapline::sink::api::{ApiHandle, ApiSettings, ApiSink, Mode, Target};
use tapline::sink::fan_out::FanOut;
use tapline::sink::spool::SpoolSettings;

fn main() {
    let arguments = std::env::args().skip(1);
    let count = arguments
        .filter_map(|argument| argument.parse().ok())
        .next();
    let count: u64 = count.unwrap_or(1_000_000);
    let (address, received) = back_end();
    let url = format!("http://{address}/api");
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let base = ApiSettings::new(Target::new(&url, None, None).unwrap());
    let arrays = |gzip| ApiSettings {
        gzip,
        ..base.clone()
    };
    let single = ApiSettings {
        mode: Mode::Single,
        connections: 32,
        ..base.clone()
    };
    let down = Target::new(&format!("http://{nobody}/api"), None, None).unwrap();
    let spooled = ApiSettings {
        target: down,
        ..base.clone()
    };
    println!("records {count}");
    measure("arrays of 500, gzip", arrays(true), count, &received);
    measure("arrays of 500, plain", arrays(false), count, &received);
    measure(
        "single objects, 32 connections",
        single,
        count / 10,
        &received,
    );
    measure("spooled, gzip", spooled, count, &received);
}

fn measure(what: &str, settings: ApiSettings, count: u64, received: &AtomicU64) {
    let folder = tempfile::tempdir().unwrap();
    let sink = ApiSink::start(ApiSettings {
        spool: SpoolSettings {
            directory: folder.path().to_owned(),
            bytes: 4 << 30,
        },
        ..settings
    })
    .unwrap();
    let handle = sink.handle();
    let mut records = FanOut::new(vec![Box::new(sink)]);
    received.store(0, Relaxed);
    let begun = Instant::now();
    for number in 0..count {
        records.push_session(&session(number));
        if number % 4096 == 0 {
            wait_until(&handle, |queued| queued < 60_000);
        }
    }
    records.flush();
    wait_until(&handle, |queued| queued == 0);
    let counts = handle.counts();
    // What waited for its turn on disk is sent before the time is taken.
    while handle.counts().stored > 0 && handle.counts().stored < count {
        thread::sleep(Duration::from_millis(1));
    }
    let elapsed = begun.elapsed();
    let cpu = cpu_of("tapline-api").unwrap();
    let on_disk: u64 = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    let bytes = received.load(Relaxed).max(on_disk);
    println!(
        "{what}: {:.2} µs of CPU a record, {:.0} records/s, {:.0} bytes a record, {} spooled on the way",
        cpu.as_secs_f64() * 1e6 / count as f64,
        count as f64 / elapsed.as_secs_f64(),
        bytes as f64 / count as f64,
        counts.spooled
    );
    let counts = records.close()[0].1;
    assert_eq!(counts.stored + counts.spooled, count, "{counts:?}");
}

fn wait_until(handle: &ApiHandle, is_so: impl Fn(u64) -> bool) {
    while !is_so(handle.counts().queued) {
        thread::sleep(Duration::from_micros(200));
    }
}

/// CPU time of the thread of this name.
fn cpu_of(name: &str) -> Option<Duration> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let task = tasks.flatten().map(|task| task.path()).find(|path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    })?;
    let times = fs::read_to_string(task.join("schedstat")).ok()?;
    Some(Duration::from_nanos(times.split(' ').next()?.parse().ok()?))
}

/// Sessions of a busy server: many clients, one port.
fn session(number: u64) -> SessionRecord<'static> {
    // Scattered, as they are on the wire, and the same every time.
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [a, b, c, d, e, ..] = scattered.to_be_bytes();
    let start = 1_795_264_067_311_000 + number as i64 * 13;
    let time = |microseconds| Timestamp::from_microsecond(microseconds).unwrap();
    let packets = 8 + u64::from(a % 32);
    SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: [10, b, c, d].into(),
        src_port: 32_768 + (u16::from(e) << 6),
        dst_ip: [192, 0, 2, 10].into(),
        dst_port: 80,
        packets,
        bytes: packets * 640 + u64::from(b),
        cpu_id: u32::from(a % 8),
        timestamp: time(start),
        details: Some(SessionDetails {
            session_id: Identifier::new(0x1234_5678_9abc_def0, number),
            revision: 1,
            interim: false,
            ended_at: time(start + i64::from(c) * 977),
            duration_us: u64::from(c) * 977,
            packets_out: packets / 2,
            packets_in: packets - packets / 2,
            bytes_out: 600 + u64::from(d),
            bytes_in: packets * 640 - 600,
            orig_bytes: 200 + u64::from(d),
            resp_bytes: packets * 580,
            missed_bytes: 0,
            reply_cpu_id: Some(u32::from(b % 8)),
            conn_state: "SF",
            history: "ShADadFf",
            retransmits: u64::from(a == 0),
            rtt_us: Some(80 + u64::from(e)),
            http_requests: 1,
            http_errors: 0,
            ifname: "eth0",
        }),
    }
}

/// Where requests are read and answered, with the bytes of the bodies.
fn back_end() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let received = Arc::<AtomicU64>::default();
    let bytes = Arc::clone(&received);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let bytes = Arc::clone(&bytes);
            thread::spawn(move || drop(answer(stream.unwrap(), &bytes)));
        }
    });
    (address, received)
}

fn answer(mut stream: TcpStream, received: &AtomicU64) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..])?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        // One request after the other: none is sent before the answer.
        let Some(end) = memchr::memmem::find(&buffer[..filled], b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        if filled < end + 4 + length {
            continue;
        }
        received.fetch_add(length as u64, Relaxed);
        filled = 0;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
