use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::mpsc;

use super::config::config_from_yaml;
use super::*;
use crate::generate::http::arrivals::Arrivals;
use crate::generate::http::load::{self, LoadPlan, LoadReport};
use crate::generate::http::requests::{Prepared, Request, Requests};
use crate::generate::http::tally::Fault;

/// A target while `action` runs, and what it did.
fn with_target(config: &str, action: impl FnOnce(SocketAddr)) -> TargetReport {
    let config = config_from_yaml(Path::new("f"), config.as_bytes()).unwrap();
    let target = Target::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let stop = Stop::default();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let serving = scope.spawn(|| target.serve(&config, 2, Seed(1), None, &stop).unwrap());
        action(target.address());
        stop.tell();
        tell.send(serving.join().unwrap()).unwrap();
    });
    told.recv().unwrap()
}

fn plan(address: SocketAddr, targets: &[&str], count: u64) -> LoadPlan {
    let prepared: Vec<Prepared> = targets
        .iter()
        .map(|target| {
            let request = Request {
                method: "GET".to_owned(),
                target: (*target).to_owned(),
                ..Request::default()
            };
            Prepared::new(&request, "h", false).unwrap()
        })
        .collect();
    LoadPlan {
        address,
        requests: Requests::Cycle(prepared.into()),
        arrivals: Arrivals::Closed,
        connections: 5,
        threads: 1,
        count: Some(count),
        duration: None,
        timeout: Duration::from_millis(300),
        requests_per_connection: None,
        seed: Seed(1),
        keeps_stamps: false,
    }
}

fn run(plan: &LoadPlan) -> LoadReport {
    load::run(plan, &Stop::default(), |_| {}).unwrap()
}

#[test]
fn what_it_answers_is_what_load_reads() {
    let report = with_target("", |address| {
        let targets = [
            "/", "/chunked", "/close", "/empty", "/large", "/mixed", "/else",
        ];
        let tally = run(&LoadPlan {
            timeout: Duration::from_secs(10),
            ..plan(address, &targets, 700)
        })
        .tally;
        assert_eq!(
            (tally.answered, tally.failed()),
            (700, 0),
            "{:?}",
            tally.faults
        );
        assert_eq!(tally.statuses[204], 100);
        let mixed: u64 = [302, 404, 500]
            .map(|status| tally.statuses[status])
            .iter()
            .sum();
        assert!((1..40).contains(&mixed), "{mixed}");
        let fixed = 100 * (128 + (16 << 10) + 1024 + (1 << 20) + 1024);
        assert!((fixed + 10_000..fixed + 500_000).contains(&tally.bodies));
        assert!(
            tally.connections >= 100,
            "one an answer that ends with its connection"
        );
    });
    assert_eq!((report.requests, report.answers), (700, 700));
    assert_eq!((report.faults, report.refused), (0, 0));
}

#[test]
fn every_misdeed_is_told_apart() {
    let report = with_target("", |address| {
        for (path, fault) in [
            ("/fault/hang", Fault::Timeout),
            ("/fault/reset", Fault::Reset),
            ("/fault/garbage", Fault::Garbage),
            ("/fault/close", Fault::ClosedEarly),
            ("/fault/cut", Fault::ClosedEarly),
            ("/fault/framing", Fault::Framing),
        ] {
            let tally = run(&plan(address, &[path, "/"], 20)).tally;
            assert_eq!(
                tally.faults[fault as usize], 10,
                "{path} {:?}",
                tally.faults
            );
            assert_eq!((tally.answered, tally.failed()), (10, 10));
        }
    });
    assert_eq!((report.requests, report.faults), (120, 60));
}

#[test]
fn connections_are_worn_and_shut_out() {
    let config = "limits: {requests: 4, connections: 3}";
    let report = with_target(config, |address| {
        let tally = run(&LoadPlan {
            connections: 1,
            ..plan(address, &["/"], 20)
        })
        .tally;
        assert_eq!((tally.answered, tally.connections), (20, 5));
        let kept: Vec<TcpStream> = (0..3)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        thread::sleep(Duration::from_millis(50));
        let mut shut_out = TcpStream::connect(address).unwrap();
        let mut byte = [0];
        shut_out
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        assert!(shut_out.read(&mut byte).is_err(), "a reset");
        drop(kept);
    });
    assert_eq!(report.shut_out, 1);
}

/// Sends bytes and gives all that comes back.
fn talk(address: SocketAddr, bytes: &[u8], ends: bool) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    if ends {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn hostile_clients_are_bounded() {
    let config = "limits: {head: 200, body: 10, idle: 300ms}\npaths: [{prefix: /, size: 3}]";
    let report = with_target(config, |address| {
        let check = |text: &str, starts: &str| {
            let answer = talk(address, text.as_bytes(), false);
            assert!(answer.starts_with(starts), "{text:.40}: {answer:?}");
        };
        check("\x16\x03\x01\x00\r\n\r\n", "HTTP/1.1 400 ");
        check(&format!("GET /{}", "x".repeat(100_000)), "HTTP/1.1 431 ");
        check(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nabcdefghijk",
            "HTTP/1.1 413 ",
        );
        check(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
        );
        // A head that does not go on, and one that never begins: both end.
        check("GET / HT", "");
        check("", "");
        // Requests one behind the other, the last from a client that says no more.
        let three = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(3);
        let answer = talk(address, three.as_bytes(), true);
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    });
    assert_eq!(report.refused, 3);
    assert_eq!(report.timed_out, 1, "between requests nothing is late");
}

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    with_target("", |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = [0; 25];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"abc").unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.starts_with("HTTP/1.1 200 OK"), "{rest}");
    });
}

#[test]
fn delays_are_kept() {
    with_target("paths: [{path: /, delay: 50ms}]", |address| {
        let tally = run(&plan(address, &["/"], 40)).tally;
        assert_eq!(tally.answered, 40);
        let (least, median) = (tally.service.min(), tally.service.value_at_quantile(0.5));
        assert!(least >= 50_000_000, "{least}");
        assert!(median < 100_000_000, "{median}");
    });
}
