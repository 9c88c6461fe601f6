//! What one log line costs. `cargo bench -p tapline --bench lines`.

use std::{hint::black_box, net::SocketAddr, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use tapline::{
    http::head::{Fields, Head, Kind, StartLine},
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
        minor_version: 1,
        fields: Fields {
            host: Some(b"cloud.example.com"),
            user_agent: Some(b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"),
            referer: Some(b"http://cloud.example.com/index.html"),
            ..Fields::default()
        },
        raw_fields: FIELDS,
        partial: false,
    }
}

fn lines(criterion: &mut Criterion) {
    let clean = request();
    let mut hostile = request();
    hostile.fields.user_agent = Some(b"Mozilla/5.0 \"\x1b[2J\" k\xc3\xb6ln \xff\xfe \\x41 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36");
    let mut ipv6 = request();
    ipv6.source = "[2001:db8:85a3::8a2e:370:7334]:50905"
        .parse()
        .expect("an address");
    ipv6.destination = "[2001:db8::2]:80".parse().expect("an address");

    let mut group = criterion.benchmark_group("line");
    group.throughput(Throughput::Elements(1));
    group.measurement_time(Duration::from_secs(3));
    for (name, head) in [("clean", &clean), ("hostile", &hostile), ("ipv6", &ipv6)] {
        let mut out = Vec::with_capacity(1 << 17);
        let mut classic = Classic::new(TimeZone::system(), "-");
        let mut json = Json::new(&LogSettings::default().headers);
        let mut time_ns = head.time_ns;
        group.bench_function(format!("classic/{name}"), |bencher| {
            bencher.iter(|| {
                if out.len() > 1 << 16 {
                    out.clear();
                }
                time_ns += 10_000;
                classic.append(
                    &Head {
                        time_ns,
                        ..*black_box(head)
                    },
                    &mut out,
                );
            });
        });
        group.bench_function(format!("json/{name}"), |bencher| {
            bencher.iter(|| {
                if out.len() > 1 << 16 {
                    out.clear();
                }
                time_ns += 10_000;
                json.append(
                    &Head {
                        time_ns,
                        ..*black_box(head)
                    },
                    &mut out,
                );
            });
        });
    }
    group.finish();
}

/// The whole way: line, queue, writer thread, file.
fn sink(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = LogSink::start(LogSettings {
        output: Output::Directory(folder.path().to_owned()),
        on_full: OnFull::Block,
        ..LogSettings::default()
    })
    .expect("a sink");
    let head = request();
    let mut group = criterion.benchmark_group("sink");
    group.throughput(Throughput::Elements(1));
    group.measurement_time(Duration::from_secs(3));
    group.bench_function("classic", |bencher| {
        bencher.iter(|| sink.write(black_box(&head)));
    });
    group.finish();
    let counts = sink.close().counts;
    assert_eq!(counts.stored, counts.accepted, "lines were lost");
}

criterion_group!(benches, lines, sink);
criterion_main!(benches);
