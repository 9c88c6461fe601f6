//! The hot thread allocates nothing for a record, once the batches have grown.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    error::Error,
    sync::Arc,
};

use jiff::Timestamp;
use tapline::{
    http::exchange::record::{ExchangeRecord, Outcome, Role},
    session::{
        identifier::Identifier,
        record::{Protocol, SessionRecord},
    },
    sink::{RecordSink, batch::Batch, counts::Counts, fan_out::FanOut},
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

/// Holds the batch before the last, as a sink with a queue does.
#[derive(Default)]
struct Behind {
    held: [Option<Arc<Batch>>; 2],
    round: usize,
}

impl RecordSink for Behind {
    fn name(&self) -> &'static str {
        "behind"
    }

    fn offer(&mut self, batch: &Arc<Batch>) {
        self.round += 1;
        self.held[self.round % 2] = Some(Arc::clone(batch));
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn close(self: Box<Self>) -> Counts {
        Counts::default()
    }
}

#[test]
fn nothing_is_allocated_for_a_record() -> Result<(), Box<dyn Error>> {
    let ts = Timestamp::from_second(1_795_264_067)?;
    let exchange = ExchangeRecord {
        exchange_id: Identifier::new(1, 2),
        session_id: Some(Identifier::new(1, 3)),
        ts,
        role: Role::Server,
        outcome: Outcome::Complete,
        src_ip: "192.0.2.1".parse()?,
        src_port: 1,
        dst_ip: "2001:db8::1".parse()?,
        dst_port: 80,
        method: Some("GET"),
        target: Some("/api/items?page=2"),
        version: "HTTP/1.1",
        host: Some("shop.example.com"),
        user_agent: Some("Mozilla/5.0"),
        referer: Some("http://shop.example.com/"),
        status: Some(200),
        content_type: Some("text/html"),
        ttfb_us: Some(1),
        total_us: Some(2),
        request_bytes: Some(3),
        response_bytes: Some(4),
        interim_status: None,
        traceparent: None,
        headers: None,
        partial: false,
        cpu_id: 0,
        reply_cpu_id: None,
    };
    let session = SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: exchange.src_ip,
        src_port: 1,
        dst_ip: exchange.dst_ip,
        dst_port: 80,
        packets: 1,
        bytes: 2,
        cpu_id: 0,
        timestamp: ts,
        details: None,
    };
    let mut fan_out = FanOut::new(vec![Box::<Behind>::default(), Box::<Behind>::default()]);
    let round = |fan_out: &mut FanOut| {
        for _ in 0..10_000 {
            fan_out.push_exchange(&exchange);
            fan_out.push_session(&session);
        }
        fan_out.flush();
    };
    for _ in 0..4 {
        round(&mut fan_out);
    }
    let before = ALLOCATIONS.get();
    assert!(before > 0, "allocations are not counted");
    for _ in 0..4 {
        round(&mut fan_out);
    }
    assert_eq!(ALLOCATIONS.get(), before);
    Ok(())
}
