//! Neither a request of `gen http` nor an answer of its target allocates anything.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tapline::generate::access::config::AccessConfig;
use tapline::generate::http::arrivals::Arrivals;
use tapline::generate::http::load::{self, LoadPlan};
use tapline::generate::http::requests::{Prepared, Request, Requests, Users, UsersSettings};
use tapline::generate::http::target::Target;
use tapline::generate::http::target::config::TargetConfig;
use tapline::generate::seed::Seed;
use tapline::generate::stop::Stop;

/// Of all threads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory that is
// allocated.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the promises of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocations of a run of so many requests.
fn allocations(plan: &LoadPlan, count: u64) -> u64 {
    let plan = LoadPlan {
        count: Some(count),
        ..plan.clone()
    };
    let before = ALLOCATIONS.load(Relaxed);
    let report = load::run(&plan, &Stop::default(), |_| {}).unwrap();
    assert_eq!(report.tally.answered, count);
    ALLOCATIONS.load(Relaxed) - before
}

#[test]
fn more_requests_need_no_more_memory() {
    let target = Target::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let stop = Stop::default();
    thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let config = TargetConfig::default();
            target.serve(&config, 1, Seed(1), None, &stop).unwrap();
        });
        let request = Request {
            method: "GET".to_owned(),
            target: "/chunked".to_owned(),
            ..Request::default()
        };
        let prepared = Prepared::new(&request, "h", true).unwrap();
        let plan = LoadPlan {
            address: target.address(),
            requests: Requests::Cycle([prepared].into()),
            arrivals: Arrivals::Closed,
            connections: 8,
            threads: 1,
            count: None,
            duration: None,
            timeout: Duration::from_secs(20),
            requests_per_connection: None,
            seed: Seed(1),
            keeps_stamps: false,
        };
        let users = Users::new(&UsersSettings {
            config: &AccessConfig::default(),
            seed: Seed(1),
            rate: None,
            start: jiff::Timestamp::UNIX_EPOCH,
            host: "h",
            fields: &[],
            is_stamped: false,
        });
        let of_users = LoadPlan {
            requests: Requests::Users(users.unwrap().into()),
            ..plan
        };
        for plan in [plan, of_users] {
            // The first run grows what the target keeps for connections.
            allocations(&plan, 2000);
            let (few, many) = (allocations(&plan, 1000), allocations(&plan, 11_000));
            // Users come and go in lists that grow; a few for ten thousand requests.
            assert!(many < few + 100, "{few} for 1000, {many} for 11000");
        }
        stop.tell();
        serving.join().unwrap();
    });
}
