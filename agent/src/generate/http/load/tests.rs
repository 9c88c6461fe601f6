use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::generate::http::requests::{Prepared, Request};
use crate::generate::http::tally::{Ending, Fault};

/// A server that does with each connection what it is told; it goes on until the test ends.
fn server(talk: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || talk(stream));
        }
    });
    address
}

/// Reads a head; `None`: the other side is gone.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if &head[before..] == "\r\n" {
            return Some(head);
        }
    }
}

/// Answers everything, with the number of the request as its body.
fn echo(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(head) = head(&mut reader) {
        let target = head.split(' ').nth(1).unwrap();
        let number = target.split('=').nth(1).unwrap_or_default();
        let length = number.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{number}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn plan(address: SocketAddr) -> LoadPlan {
    let request = Request {
        method: "GET".to_owned(),
        target: "/".to_owned(),
        ..Request::default()
    };
    let prepared = Prepared::new(&request, "h", true).unwrap();
    LoadPlan {
        address,
        requests: Requests::Cycle([prepared].into()),
        arrivals: Arrivals::Closed,
        connections: 4,
        threads: 1,
        count: Some(200),
        duration: None,
        timeout: Duration::from_secs(5),
        requests_per_connection: None,
        seed: Seed(1),
        keeps_stamps: true,
    }
}

fn run_plan(plan: &LoadPlan) -> LoadReport {
    let report = run(plan, &Stop::default(), |_| {}).unwrap();
    let tally = &report.tally;
    assert_eq!(
        tally.started,
        tally.answered + tally.failed() + tally.unfinished
    );
    assert_eq!(tally.statuses.iter().sum::<u64>(), tally.answered);
    assert_eq!(tally.service.len() + tally.failures.len(), tally.started);
    report
}

#[test]
fn every_request_is_answered_once() {
    let address = server(echo);
    for (threads, connections) in [(1, 1), (1, 7), (2, 5), (9, 3)] {
        let plan = LoadPlan {
            threads,
            connections,
            ..plan(address)
        };
        let report = run_plan(&plan);
        let tally = &report.tally;
        assert_eq!((tally.started, tally.answered), (200, 200));
        assert_eq!(tally.statuses[200], 200);
        assert_eq!(tally.connections, u64::from(connections));
        assert_eq!(tally.most_connections, u64::from(connections));
        assert_eq!(report.threads, threads.min(connections));
        let digits: u64 = (0..200_u64)
            .map(|number| number.to_string().len() as u64)
            .sum();
        assert_eq!(tally.bodies, digits);
        let numbers: Vec<u64> = tally.stamped.iter().map(|one| one.number).collect();
        assert_eq!(numbers, (0..200).collect::<Vec<u64>>());
        for one in &tally.stamped {
            assert!(one.sent <= one.ended && one.local.is_some());
            assert!(matches!(one.ending, Ending::Answered(whole) if whole.status == 200));
        }
    }
}

#[test]
fn a_connection_is_worn_after_so_many_requests() {
    let plan = LoadPlan {
        requests_per_connection: Some(10),
        connections: 1,
        ..plan(server(echo))
    };
    let tally = run_plan(&plan).tally;
    assert_eq!((tally.connections, tally.most_connections), (20, 1));
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let address = server(echo);
    for arrivals in [Arrivals::Even(1000.0), Arrivals::Poisson(1000.0)] {
        let plan = LoadPlan {
            arrivals,
            count: None,
            duration: Some(Duration::from_millis(500)),
            connections: 100,
            threads: 2,
            ..plan(address)
        };
        let report = run_plan(&plan);
        let tally = &report.tally;
        let expected = match arrivals {
            Arrivals::Even(_) => 500..=500,
            _ => 400..=600,
        };
        assert!(
            expected.contains(&(tally.started + tally.dropped)),
            "{} {}",
            tally.started,
            tally.dropped
        );
        assert_eq!(tally.answered, tally.started);
        assert_eq!(tally.response.len(), tally.answered);
        assert_eq!(tally.lateness.len(), tally.started);
        assert!(report.starting >= Duration::from_millis(480), "{report:?}");
    }
}

#[test]
fn failures_are_told_apart() {
    let check = |talk: fn(TcpStream), fault: Fault| {
        let plan = LoadPlan {
            count: Some(40),
            timeout: Duration::from_millis(200),
            ..plan(server(talk))
        };
        let tally = run_plan(&plan).tally;
        assert_eq!(
            tally.faults[fault as usize], 40,
            "{fault:?} {:?}",
            tally.faults
        );
        assert_eq!((tally.started, tally.answered), (40, 0));
    };
    check(
        |stream| {
            head(&mut BufReader::new(&stream));
        },
        Fault::ClosedEarly,
    );
    check(
        |mut stream| {
            head(&mut BufReader::new(stream.try_clone().unwrap()));
            let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        },
        Fault::ClosedEarly,
    );
    check(
        |mut stream| {
            head(&mut BufReader::new(stream.try_clone().unwrap()));
            let _sent = stream.write_all(b"\x16\x03\x01\r\n\r\n");
        },
        Fault::Garbage,
    );
    check(
        |mut stream| {
            head(&mut BufReader::new(stream.try_clone().unwrap()));
            let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nxx");
        },
        Fault::Framing,
    );
    check(
        |mut stream| {
            let mut bytes = Vec::new();
            let _hangs = stream.read_to_end(&mut bytes);
        },
        Fault::Timeout,
    );
    // Closed with bytes that were not read: a reset.
    check(
        |stream| {
            let mut one = [0];
            let _read = (&stream).read(&mut one);
        },
        Fault::Reset,
    );
}

/// The other side closes connections that are idle, in any order.
#[test]
fn idle_connections_may_be_closed() {
    let address = server(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some(head) = head(&mut reader) else {
            return;
        };
        let number: u64 = head.split(['=', ' ']).nth(2).unwrap().parse().unwrap();
        let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        thread::sleep(Duration::from_millis(5 + number * 7 % 40));
    });
    let plan = LoadPlan {
        arrivals: Arrivals::Even(100.0),
        count: Some(40),
        requests_per_connection: Some(2),
        connections: 100,
        ..plan(address)
    };
    let tally = run_plan(&plan).tally;
    assert_eq!(tally.started, 40);
    assert!(tally.most_connections <= tally.connections);
}

/// Reads what comes, and never answers.
fn hang(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    let _hangs = stream.read_to_end(&mut bytes);
}

#[test]
fn what_hangs_is_in_the_times_of_both_loops() {
    let address = server(hang);
    let timeout = Duration::from_millis(200);
    for arrivals in [Arrivals::Closed, Arrivals::Even(100.0)] {
        let plan = LoadPlan {
            arrivals,
            count: Some(20),
            connections: 20,
            timeout,
            ..plan(address)
        };
        let tally = run_plan(&plan).tally;
        let times = match arrivals {
            Arrivals::Closed => &tally.service,
            _ => &tally.response,
        };
        assert_eq!((times.len(), tally.failed()), (20, 20));
        assert!(times.min() >= 199_000_000, "{}", times.min());
    }
}

#[test]
fn a_run_with_an_end_does_not_wait_for_what_hangs() {
    let address = server(hang);
    for arrivals in [Arrivals::Closed, Arrivals::Even(100.0)] {
        let plan = LoadPlan {
            arrivals,
            count: None,
            duration: Some(Duration::from_millis(300)),
            timeout: Duration::from_secs(60),
            connections: 50,
            ..plan(address)
        };
        let begun = Instant::now();
        let report = run_plan(&plan);
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert!(report.time < Duration::from_secs(20), "{:?}", report.time);
        let tally = &report.tally;
        assert_eq!(tally.unfinished, tally.started);
        let times = match arrivals {
            Arrivals::Closed => &tally.service,
            _ => &tally.response,
        };
        assert!(times.min() >= 900_000_000, "as long as was waited");
    }
}

#[test]
fn nobody_there_is_asked_less_and_less() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let closed = LoadPlan {
        count: None,
        duration: Some(Duration::from_millis(600)),
        ..plan(address)
    };
    let tally = run_plan(&closed).tally;
    assert_eq!(tally.faults[Fault::Refused as usize], tally.started);
    assert!((33..60).contains(&tally.started), "{}", tally.started);
    // That it is refused at once is no time of an answer.
    assert_eq!((tally.connections, tally.service.len()), (0, 0));
    let open = LoadPlan {
        arrivals: Arrivals::Even(5000.0),
        ..closed
    };
    let tally = run_plan(&open).tally;
    assert!((33..60).contains(&tally.started), "{}", tally.started);
    assert_eq!(tally.started + tally.dropped, 3000);
}

#[test]
fn it_stops_when_told() {
    let stop = Stop::default();
    let plan = LoadPlan {
        count: None,
        ..plan(server(echo))
    };
    let begun = Instant::now();
    let mut ticks = 0;
    let report = run(&plan, &stop, |live| {
        ticks += 1;
        if live.answered.load(Relaxed) > 100 {
            stop.tell();
        }
    });
    assert!(ticks > 0 && begun.elapsed() < Duration::from_secs(20));
    assert!(report.unwrap().tally.answered > 100);
}
