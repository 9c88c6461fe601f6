//! The hot thread allocates nothing for a line, whatever stands in it, nor to take secrets out.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    error::Error,
    net::SocketAddr,
};

use jiff::Timestamp;
use tapline::{
    http::{
        exchange::record::{ExchangeRecord, Outcome, Role},
        head::{Fields, Head, Kind, StartLine},
        redact::{RedactSettings, Redactor, Texts},
    },
    session::identifier::Identifier,
    sink::log::{Format, LogSettings, LogSink, OnFull, Output},
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory that is
// allocated, since the cell needs neither a constructor nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the promises of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn exchange() -> Result<ExchangeRecord<'static>, Box<dyn Error>> {
    Ok(ExchangeRecord {
        exchange_id: Identifier::new(1, 1),
        session_id: None,
        ts: Timestamp::UNIX_EPOCH,
        role: Role::Server,
        outcome: Outcome::Complete,
        src_ip: "2001:db8::2".parse()?,
        src_port: 50_905,
        dst_ip: "2001:db8::1".parse()?,
        dst_port: 80,
        method: Some("GET"),
        target: Some(r"/\x01?a=b&token=REDACTED"),
        version: "HTTP/1.1",
        host: Some("h:80"),
        user_agent: Some("Mozilla/5.0 (Windows NT 10.0)"),
        referer: Some("\"\\"),
        status: Some(200),
        content_type: Some("text/html; charset=UTF-8"),
        ttfb_us: Some(1),
        total_us: Some(2),
        request_bytes: Some(3),
        response_bytes: Some(4),
        interim_status: None,
        traceparent: None,
        headers: None,
        partial: false,
        cpu_id: 0,
        reply_cpu_id: Some(1),
    })
}

fn check(format: Format) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut sink = LogSink::start(LogSettings {
        output: Output::Directory(folder.path().to_owned()),
        format,
        split: true,
        queue_batches: 4,
        on_full: OnFull::Block,
        ..LogSettings::default()
    })?;
    let mut head = Head {
        time_ns: 1_567_315_011_002_000_000,
        kind: Kind::ClientQuery,
        local: true,
        source: SocketAddr::from(([223, 39, 188, 71], 50905)),
        destination: "[2001:db8::1]:80".parse()?,
        cpu: 1,
        interface: "eth0",
        vlan: [1, 2],
        line: b"GET /\x01?a=b&token=c HTTP/1.1",
        start: StartLine::Request {
            method: b"GET",
            target: b"/\x01?a=b&token=c",
        },
        minor_version: Some(1),
        fields: Fields {
            host: Some(b"\xff \xc2\x85 \\x41 \""),
            user_agent: Some(b"Mozilla/5.0 (Windows NT 10.0)"),
            ..Fields::default()
        },
        raw_fields: b"X-Request-Id: 1\r\nForwarded: a\r\n b\r\nForwarded: \"c\"\r\n\r\n",
        session_id: None,
        exchange_id: None,
        latency_us: None,
        partial: true,
    };
    let headers = LogSettings::default().headers;
    let mut redactor = Redactor::new(&RedactSettings::default(), &headers);
    let mut record = exchange()?;
    let mut write = |lines: u32| {
        for number in 0..lines {
            head.kind = Kind::ALL[number as usize % 4];
            head.time_ns += 100_000_000;
            let texts = redactor.texts(Texts {
                line: head.line,
                start: head.start,
                fields: head.fields,
                raw_fields: head.raw_fields,
                partial: head.partial,
            });
            sink.write(&Head {
                line: texts.line,
                start: texts.start,
                ..head
            });
            record.ts = Timestamp::from_nanosecond(head.time_ns.into()).unwrap_or_default();
            record.session_id = Some(Identifier::new(1, (number / 3).into()));
            sink.write_exchange(&record);
            if number % 100 == 0 {
                sink.flush();
            }
        }
    };
    // A batch is made, and the queue sets itself up, when first there is need: how soon depends on the
    // disk. Once warm there is nothing more, so one of these stretches must be free of allocations;
    // one allocation a line, or a batch, would show in each.
    let mut written = 0;
    let mut stretches = Vec::new();
    while stretches.len() < 10 && stretches.last() != Some(&0) {
        let before = ALLOCATIONS.get();
        write(20_000);
        written += 20_000;
        stretches.push(ALLOCATIONS.get() - before);
    }
    assert_eq!(stretches.last(), Some(&0), "{format:?}: {stretches:?}");
    let counts = sink.close().counts;
    assert_eq!((counts.accepted, counts.stored), (written, written));
    Ok(())
}

#[test]
fn no_allocation_a_line() -> Result<(), Box<dyn Error>> {
    check(Format::Classic)?;
    for format in [Format::Combined, Format::Ecs, Format::Zeek] {
        check(format)?;
    }
    check(Format::Json)
}
