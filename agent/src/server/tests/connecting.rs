//! Connections: what is no request, what comes in pieces, who waits too long and who gives way.

use super::*;

#[test]
fn requests_that_are_too_large_or_no_requests_are_refused() {
    let running = Running::start(1, &["eth0"]);
    let check = |request: String, status: &str| {
        let answer = running.exchange(request.as_bytes());
        assert_eq!(split(&answer).0, status);
    };
    let long = "x".repeat(2 * HEAD_BYTES);
    let too_large = "HTTP/1.1 431 Request Header Fields Too Large";
    let unended =
        running.exchange_exactly(format!("GET /metrics HTTP/1.1\r\nX: {long}").as_bytes());
    assert_eq!(split(&unended).0, too_large);
    let fields = "A: b\r\n".repeat(200);
    check(format!("GET /metrics HTTP/1.1\r\n{fields}\r\n"), too_large);
    check("\0\r\n\r\n".to_owned(), "HTTP/1.1 400 Bad Request");
    // Bodies are not read, however long they say they are.
    let endless = "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    check(endless.to_owned(), "HTTP/1.1 200 OK");
}

#[test]
fn a_request_split_anywhere_is_answered_and_a_cut_one_is_not() {
    let running = Running::start(1, &["eth0"]);
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for at in 1..request.len() {
        let mut stream = running.connect();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&request[..at]).unwrap();
        thread::sleep(Duration::from_millis(2));
        stream.write_all(&request[at..]).unwrap();
        let answer = rest_of(&mut stream);
        assert_eq!(split(&answer).0, "HTTP/1.1 200 OK", "split at {at}");

        let mut stream = running.connect();
        stream.write_all(&request[..at]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = rest_of(&mut stream);
        assert!(!answer.contains(" 200 "), "cut at {at}: {answer}");
    }
}

#[test]
fn silent_connections_shut_nobody_out_and_end() {
    let running = Running::start(1, &["eth0"]);
    let Patience {
        connections, first, ..
    } = Patience::default();
    let mut silent: Vec<TcpStream> = (0..connections)
        .map(|number| {
            let mut stream = running.connect();
            // Half of them have begun a request.
            if number % 2 == 0 {
                stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
            }
            stream
        })
        .collect();
    let begun = Instant::now();
    for _ in 0..10 {
        let answer = running.exchange(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(split(&answer).0, "HTTP/1.1 200 OK");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    // All are closed before long, without a word.
    for stream in &mut silent {
        assert_eq!(rest_of(stream), "");
    }
    assert!(begun.elapsed() < 2 * first, "{:?}", begun.elapsed());
    assert!(begun.elapsed() > first / 2, "{:?}", begun.elapsed());
}

#[test]
fn idle_connections_give_way_and_busy_ones_do_not() {
    let running = Running::start(1, &["eth0"]);
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let ask = |stream: &mut TcpStream| -> bool {
        let mut block = [0; 4096];
        stream.write_all(request).is_ok()
            && stream
                .read(&mut block)
                .is_ok_and(|length| block[..length].starts_with(b"HTTP/1.1 200 OK\r\n"))
    };
    let mut busy = running.connect();
    assert!(ask(&mut busy));
    let mut idle: Vec<TcpStream> = (0..Patience::default().connections)
        .map(|_| {
            let mut stream = running.connect();
            assert!(ask(&mut stream));
            // It has asked last each time, so there is always one that has waited longer.
            assert!(ask(&mut busy));
            stream
        })
        .collect();
    let closed = idle.iter_mut().filter_map(|stream| {
        stream.set_nonblocking(true).unwrap();
        stream.read(&mut [0; 1]).is_ok().then_some(())
    });
    assert_eq!(closed.count(), 1);
    assert!(ask(&mut busy));
}
