//! What one log line costs, in CPU time of the thread, so that a busy machine tells the same as an
//! idle one. `cargo bench -p tapline --bench lines`.

use std::{hint::black_box, net::SocketAddr, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use tapline::{
    http::{
        head::{Fields, Head, Kind, StartLine},
        redact::{RedactSettings, Redactor, Texts},
    },
    sink::log::{LogSettings, LogSink, OnFull, Output, classic::Classic, json::Json},
};

/// A request as a browser sends it.
const FIELDS: &[u8] = b"Host: cloud.example.com\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml\r\nX-Forwarded-For: 203.0.113.9\r\nReferer: http://cloud.example.com/index.html\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\nX-Request-Id: 8f14e45fceea167a5a36dedd4bea2543\r\n\r\n";

fn request() -> Head<'static> {
    Head {
        time_ns: 1_567_315_011_002_000_000,
        kind: Kind::ClientQuery,
        local: true,
        source: SocketAddr::from(([223, 39, 188, 71], 50905)),
        destination: SocketAddr::from(([10, 140, 0, 2], 80)),
        cpu: 1,
        interface: "eth0",
        vlan: [0, 0],
        line: b"GET /computeMetadata/v1/instance?recursive=true HTTP/1.1",
        start: StartLine::Request {
            method: b"GET",
            target: b"/computeMetadata/v1/instance?recursive=true",
        },
        minor_version: Some(1),
        fields: Fields {
            host: Some(b"cloud.example.com"),
            user_agent: Some(b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"),
            referer: Some(b"http://cloud.example.com/index.html"),
            ..Fields::default()
        },
        raw_fields: FIELDS,
        session_id: None,
        exchange_id: None,
        latency_us: None,
        partial: false,
    }
}

/// CPU time that this thread has used.
fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a value of the type that the call fills in.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// CPU time of `count` calls, a line each at its own time.
fn measure(count: u64, head: &Head<'_>, mut line: impl FnMut(&Head<'_>)) -> Duration {
    let start = thread_time();
    let mut time_ns = head.time_ns;
    for _ in 0..count {
        time_ns += 10_000;
        line(black_box(&Head { time_ns, ..*head }));
    }
    thread_time() - start
}

fn parse(endpoint: &str) -> SocketAddr {
    endpoint
        .parse()
        .unwrap_or_else(|_| panic!("{endpoint} is not an endpoint"))
}

fn lines(criterion: &mut Criterion) {
    let clean = request();
    let mut hostile = request();
    hostile.fields.user_agent = Some(b"Mozilla/5.0 \"\x1b[2J\" k\xc3\xb6ln \xff\xfe \\x41 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36");
    let mut ipv6 = request();
    ipv6.source = parse("[2001:db8:85a3::8a2e:370:7334]:50905");
    ipv6.destination = parse("[2001:db8::2]:80");

    let mut group = criterion.benchmark_group("line");
    group.throughput(Throughput::Elements(1));
    for (name, head) in [("clean", &clean), ("hostile", &hostile), ("ipv6", &ipv6)] {
        let mut out = Vec::with_capacity(1 << 17);
        let mut classic = Classic::new(TimeZone::system(), "-");
        let mut json = Json::new(&LogSettings::default().headers);
        group.bench_function(format!("classic/{name}"), |bencher| {
            bencher.iter_custom(|count| {
                measure(count, head, |head| {
                    if out.len() > 1 << 16 {
                        out.clear();
                    }
                    classic.append(head, &mut out);
                })
            });
        });
        group.bench_function(format!("json/{name}"), |bencher| {
            bencher.iter_custom(|count| {
                measure(count, head, |head| {
                    if out.len() > 1 << 16 {
                        out.clear();
                    }
                    json.append(head, &mut out);
                })
            });
        });
    }
    group.finish();
}

/// What it costs to look for secrets in a head, and to take them out.
fn redact(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("redact");
    group.throughput(Throughput::Elements(1));
    let head = |line: &'static [u8]| {
        // Method and version are as long in each.
        let target = &line[4..line.len() - 9];
        let start = StartLine::Request {
            method: b"GET",
            target,
        };
        let (fields, raw_fields) = (Fields::default(), &b""[..]);
        Head {
            line,
            start,
            fields,
            raw_fields,
            ..request()
        }
    };
    let cases = [
        (
            "path",
            head(b"GET /computeMetadata/v1/instance/attributes HTTP/1.1"),
        ),
        (
            "five keys",
            head(b"GET /search?q=rust+books&page=2&sort=price&lang=en&limit=50 HTTP/1.1"),
        ),
        (
            "one secret",
            head(
                b"GET /search?q=rust+books&page=2&token=8f14e45fceea167a&lang=en&limit=50 HTTP/1.1",
            ),
        ),
        ("whole head", request()),
    ];
    let off = RedactSettings {
        enabled: false,
        ..RedactSettings::default()
    };
    for (state, settings) in [("off", off), ("on", RedactSettings::default())] {
        for (name, head) in &cases {
            let mut redactor = Redactor::new(&settings, &LogSettings::default().headers);
            group.bench_function(format!("{name}/{state}"), |bencher| {
                bencher.iter_custom(|count| {
                    measure(count, head, |head| {
                        let texts = Texts {
                            line: head.line,
                            start: head.start,
                            fields: head.fields,
                            raw_fields: head.raw_fields,
                            partial: head.partial,
                        };
                        black_box(redactor.texts(texts));
                    })
                });
            });
        }
    }
    group.finish();
}

/// What the hot thread pays: line and queue. The writer thread works beside it.
fn sink(criterion: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir() else {
        panic!("no temporary folder can be made");
    };
    let started = LogSink::start(LogSettings {
        output: Output::Directory(folder.path().to_owned()),
        on_full: OnFull::Block,
        ..LogSettings::default()
    });
    let Ok(mut sink) = started else {
        panic!("the sink cannot be started");
    };
    let head = request();
    let mut group = criterion.benchmark_group("sink");
    group.throughput(Throughput::Elements(1));
    // Each second writes some hundred megabytes.
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    group.bench_function("classic", |bencher| {
        bencher.iter_custom(|count| measure(count, &head, |head| sink.write(head)));
    });
    group.finish();
    let counts = sink.close().counts;
    assert_eq!(counts.stored, counts.accepted, "lines were lost");
}

criterion_group!(benches, lines, redact, sink);
criterion_main!(benches);
