//! What one head costs, in CPU time of the thread, so that a busy machine tells the same as an idle
//! one: taken apart alone, and as a record on its whole way through the engine.
//! `cargo bench -p tapline --bench heads`.

use std::{hint::black_box, time::Duration};

use agent_common::record::{FIRST_POSITION, RecordHeader, VERSION, flag};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tapline::http::{
    engine::{Engine, FoundHead, Limits, Output},
    message::{Parsed, parse},
};

/// A request of 200 bytes.
const REQUEST: &[u8] = b"GET /images/logo.png?size=large HTTP/1.1\r\nHost: cloud.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0\r\nAccept: image/webp,*/*\r\nReferer: http://cloud.example.com/abcd\r\nDNT: 1\r\n\r\n";

/// A response of 200 bytes.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 01 Sep 2019 05:16:51 GMT\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 0\r\nConnection: keep-alive\r\nETag: \"5d6b5f43-264b00\"\r\nVary: Cookie\r\n\r\n";

/// A request that a strict parser refuses at its last field, so that it is read twice.
const ODD: &[u8] = b"GET /images/logo.png?size=large HTTP/1.1\r\nHost: cloud.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0\r\nAccept: image/webp,*/*\r\nReferer: http://cloud.example.com/abcd\r\nDNT=1 \r\n\r\n";

/// Adds up what it is given, so that nothing of it can be left out.
struct Sum(usize);

impl Output for Sum {
    fn head(&mut self, head: &FoundHead<'_>) {
        self.0 += black_box(head).line.len();
    }

    fn release(&mut self, _: u32, _: u32, _: u32, _: bool) {}
}

fn parses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, head) in [("request", REQUEST), ("response", RESPONSE), ("odd", ODD)] {
        assert_eq!(head.len(), 200, "{name}");
        assert!(
            matches!(parse(head), Parsed::Whole(message) if message.bytes.len() == head.len()),
            "{name}"
        );
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|count| {
                measure(count, || {
                    black_box(parse(black_box(head)));
                })
            });
        });
    }
    group.finish();
}

/// A connection that stays open: a request, its response, the next request. One element is one head.
fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(2));
    group.bench_function("exchange", |bencher| {
        bencher.iter_custom(|count| {
            let mut engine = Engine::new(Limits::default());
            let mut sum = Sum(0);
            let mut headers = [(0, REQUEST), (1, RESPONSE)].map(|(side, head)| RecordHeader {
                position: FIRST_POSITION,
                captured: head.len() as u32,
                side,
                flags: flag::START | flag::HEAD_END,
                version: VERSION,
                ..RecordHeader::default()
            });
            let taken = measure(count, || {
                for (header, head) in headers.iter_mut().zip([REQUEST, RESPONSE]) {
                    header.direction_record += 1;
                    header.segment_end = header.position + head.len() as u64;
                    engine.record(header, black_box(head), &mut sum);
                    header.position = header.segment_end;
                    header.time_ns += 1000;
                }
            });
            let counts = engine.counts();
            assert_eq!((counts.heads, counts.whole), (2 * count, 2 * count));
            taken
        });
    });
    group.finish();
}

/// CPU time of this thread for `count` calls of `work`.
fn measure(count: u64, mut work: impl FnMut()) -> Duration {
    let before = thread_time();
    for _ in 0..count {
        work();
    }
    thread_time() - before
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

criterion_group!(benches, parses, records);
criterion_main!(benches);
