//! `tapline gen http`, the program: against nginx, against its own target, against targets that refuse,
//! reset, hang, answer garbage and close early; what it says, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/output.rs"]
mod output;
mod served;
mod servers;
mod users;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::output::output;
use self::servers::{Nginx, recorder};

fn tapline(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command
        .arg("gen")
        .args(line.split_whitespace())
        .env_clear()
        .stdin(Stdio::null());
    command
}

/// Runs load, and gives how it ended and its account.
fn load(line: &str) -> (i32, Value) {
    let (code, stdout, stderr) = output(&mut tapline(&format!("http --json {line}")));
    let account = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{line}: {stderr}"));
    (code, account)
}

/// A program that ends with the test, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }
}

/// The target, and where it is.
fn target(line: &str) -> (Running, String) {
    let child = tapline(&format!("http --serve 127.0.0.1:0 {line}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut said = String::new();
    BufReader::new(running.0.stderr.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    let (_, behind) = said.split_once("http://").unwrap();
    let (address, _) = behind.split_once(';').unwrap();
    (running, format!("http://{address}"))
}

#[test]
fn nginx_is_asked_and_answers() {
    let Some(nginx) = Nginx::start() else {
        return;
    };
    let url = &nginx.url;
    let (code, account) = load(&format!("{url}/small -n 2000 -c 8 -t 2"));
    assert_eq!((code, &account["statuses"]["200"]), (0, &2000.into()));
    assert_eq!(account["bytes_of_bodies"], 2000 * 6);
    assert_eq!(account["connections_opened"], 8);
    let (code, account) = load(&format!(
        "{url}/chunked --header Accept-Encoding:gzip -n 50"
    ));
    assert_eq!((code, &account["statuses"]["200"]), (0, &50.into()));
    assert!(
        account["bytes_of_bodies"].as_u64().unwrap() < 50 * 300_000,
        "compressed"
    );
    let (code, account) = load(&format!("{url}/large --method HEAD -n 50"));
    assert_eq!((code, &account["bytes_of_bodies"]), (0, &0.into()));
    let (code, account) = load(&format!("{url}/upload --method POST --body a=b -n 50"));
    assert_eq!((code, &account["statuses"]["204"]), (0, &50.into()));
    let (code, account) = load(&format!("{url}/moved -n 50"));
    assert_eq!(
        (code, &account["statuses"]["302"]),
        (0, &50.into()),
        "never followed"
    );
    let (code, account) = load(&format!("{url}/none -n 50 --requests-per-connection 1"));
    assert_eq!((code, &account["statuses"]["404"]), (0, &50.into()));
    assert_eq!(account["connections_opened"], 50);
    // HTTP/1.0 until the close, by a field that nginx obeys.
    let (code, account) = load(&format!("{url}/large --header Connection:close -n 20"));
    assert_eq!(
        (code, &account["bytes_of_bodies"]),
        (0, &(20 * 300_000).into())
    );
    // nginx counts what it served.
    let served = nginx.requests();
    let (_met_or_not, account) = load(&format!(
        "{url}/small --rate 500 --duration 1s --arrivals poisson --seed 3"
    ));
    assert_eq!(account["failed"], 0, "{account}");
    assert_eq!(
        nginx.requests() - served,
        account["started"].as_u64().unwrap() + 1
    );
}

#[test]
fn a_rate_is_kept_within_one_in_a_hundred() {
    let (_target, url) = target("-t 1");
    let (code, account) = load(&format!("{url}/ --rate 2000 --duration 2s"));
    assert_eq!(code, 0, "{account}");
    let number = |key: &str| account[key].as_f64().unwrap();
    assert_eq!(number("started") + number("dropped"), 4000.0);
    assert!(
        (number("started_rate") / 2000.0 - 1.0).abs() < 0.01,
        "{account}"
    );
    assert_eq!(account["rate_met"], true);
    for key in ["from_send", "from_intended_start", "start_lateness"] {
        assert_eq!(account[key]["count"], account["started"], "{key}");
    }
    let at = |key: &str, part: &str| account[key][part].as_f64().unwrap();
    assert!(at("from_intended_start", "p50") >= at("from_send", "p50"));
    // Whoever has both CPUs for itself is on time; here others build at the same time.
    assert!(at("start_lateness", "p50") < 5000.0, "{account}");
}

#[test]
fn what_goes_wrong_is_counted_by_kind() {
    let (_target, url) = target("");
    for (path, kind) in [
        ("hang", "timeout"),
        ("reset", "reset"),
        ("garbage", "garbage"),
        ("close", "closed_early"),
        ("cut", "closed_early"),
        ("framing", "framing"),
    ] {
        let (code, account) = load(&format!("{url}/fault/{path} -n 20 -c 4 --timeout 200ms -q"));
        assert_eq!(
            (code, &account["errors"][kind]),
            (5, &20.into()),
            "{path}: {account}"
        );
        assert_eq!(account["answered"], 0);
    }
    // So is what is still unanswered when the time is over, and with it a threshold on errors.
    for (how, expected) in [("", 5), ("--fail-if errors>0", 99)] {
        let (code, account) = load(&format!(
            "{url}/fault/hang --duration 300ms -c 2 --timeout 1m {how}"
        ));
        assert_eq!(code, expected, "{account}");
        assert_eq!(account["unfinished"], 2, "{account}");
    }
}

#[test]
fn nobody_there_is_not_hammered() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let begun = Instant::now();
    for how in ["-c 64", "--rate 20000"] {
        let (code, stdout, stderr) = output(&mut tapline(&format!(
            "http http://{closed} {how} --duration 1s --json -q"
        )));
        assert_eq!(code, 4, "{stderr}");
        assert_eq!(stderr, format!("tapline: {closed} could not be reached\n"));
        let account: Value = serde_json::from_str(&stdout).unwrap();
        let number = |value: &Value| value.as_u64().unwrap();
        // Those that were due at once behind a pause of this machine had no failure before them.
        let most = 150 + number(&account["late"]).min(2000);
        let refused = number(&account["errors"]["refused"]);
        assert!((33..most).contains(&refused), "{account}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_target_that_comes_back_is_loaded_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let load =
        thread::spawn(move || load(&format!("http://{address}/ --duration 3s -c 4 --seed 1")));
    thread::sleep(Duration::from_millis(700));
    let mut late = tapline(&format!("http --serve {address}"));
    let _target = Running(late.stderr(Stdio::null()).spawn().unwrap());
    let (code, account) = load.join().unwrap();
    assert_eq!(code, 5, "{account}");
    assert!(account["answered"].as_u64().unwrap() > 100, "{account}");
    assert!(
        account["errors"]["refused"].as_u64().unwrap() < 200,
        "{account}"
    );
}

#[test]
fn thresholds_decide() {
    let (_target, url) = target("");
    let check = |conditions: &str, expected: i32| {
        let (code, account) = load(&format!("{url}/slow -n 40 -c 8 {conditions}"));
        assert_eq!(code, expected, "{conditions}: {account}");
        account
    };
    check("--fail-if p50>10s --fail-if error_rate>0", 0);
    let account = check("--fail-if p50>10s --fail-if max>1us --fail-if rate<1", 99);
    let failed: Vec<bool> = account["thresholds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|judged| judged["failed"].as_bool().unwrap())
        .collect();
    assert_eq!(failed, [false, true, false]);
    check("--fail-if rate<1000000", 99);
}

#[test]
fn what_is_asked_for_wrongly() {
    let check = |line: &str, code: i32, says: &str| {
        let (found, stdout, stderr) = output(&mut tapline(&format!("http {line}")));
        assert_eq!(found, code, "{line}: {stderr}");
        assert!(stderr.contains(says), "{line}: {stderr}");
        assert_eq!(stdout, "", "{line}");
    };
    let here = "http://127.0.0.1:1/";
    check("", 2, "say what to ask for");
    check("https://127.0.0.1/", 2, "must begin with http://");
    check("http://192.0.2.1/", 2, "say --target-allowed 192.0.2.1");
    check(
        "http://no-such-host.invalid/",
        4,
        "cannot find the address of no-such-host.invalid",
    );
    check(&format!("{here} --rate -5"), 2, "from 0 to 10000000");
    check(&format!("{here} -c 0"), 2, "1..=100000");
    check(&format!("{here} --timeout 0s"), 2, "must be a duration");
    check(&format!("{here} --fail-if p99"), 2, "must be like p99>5ms");
    check(&format!("{here} --arrivals poisson"), 2, "needs --rate");
    check(&format!("{here} --method CONNECT"), 2, "tunnel");
    check(
        &format!("{here} --header Bad"),
        2,
        "a name, a colon and a value",
    );
    check(
        &format!("{here} --header Content-Length:5"),
        2,
        "Content-Length",
    );
    check(
        &format!("{here} --body @/no/such"),
        2,
        "cannot read /no/such",
    );
    check(
        &format!("{here} --config x"),
        2,
        "--config says what a target answers",
    );
    check("--urls /no/such", 2, "cannot read /no/such");
    check(&format!("{here} --users /no/such"), 2, "/no/such");
    check("--users x", 2, "<URL>");
    check("--serve 192.0.2.1:1", 1, "cannot listen on 192.0.2.1:1");
    check("--serve x", 2, "must be an address and a port");
    check("--serve 0 --rate 5", 2, "cannot be used with");
    check("--serve 0 --config /no/such", 2, "/no/such");
}

#[test]
fn a_list_is_asked_in_its_order() {
    let (address, seen) = recorder();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let text = format!("http://{address}/a\nPOST /b x=y\n# no\nPUT /c @body\n");
    fs::write(&list, text).unwrap();
    fs::write(folder.path().join("body"), "12345").unwrap();
    let list = list.display();
    let (code, account) = load(&format!("--urls {list} -n 5 -c 1 --stamp --header X:y"));
    assert_eq!((code, &account["answered"]), (0, &5.into()), "{account}");
    let seen = seen.lock().unwrap();
    let lines: Vec<&str> = seen
        .iter()
        .map(|head| head.lines().next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "GET /a?stamp=0 HTTP/1.1",
            "POST /b?stamp=1 HTTP/1.1",
            "PUT /c?stamp=2 HTTP/1.1",
            "GET /a?stamp=3 HTTP/1.1",
            "POST /b?stamp=4 HTTP/1.1",
        ]
    );
    for (number, head) in seen.iter().enumerate() {
        assert!(
            head.contains(&format!("\r\nX-Tapline-Stamp: {number}\r\n")),
            "{head}"
        );
        assert!(head.contains("\r\nX: y\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nHost: {address}\r\n")), "{head}");
    }
}

#[test]
fn signals_end_it_with_its_account() {
    let (mut target, url) = target("--json");
    for name in ["INT", "TERM"] {
        let child = tapline(&format!("http {url}/ --duration 0 --json"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let running = Running(child);
        thread::sleep(Duration::from_millis(500));
        running.signal(name);
        let mut running = running;
        let output = {
            let mut text = String::new();
            std::io::Read::read_to_string(running.0.stdout.as_mut().unwrap(), &mut text).unwrap();
            (running.0.wait().unwrap().code(), text)
        };
        let account: Value = serde_json::from_str(&output.1).unwrap();
        assert_eq!(output.0, Some(0), "{account}");
        assert!(account["answered"].as_u64().unwrap() > 0);
    }
    target.signal("TERM");
    let mut text = String::new();
    std::io::Read::read_to_string(target.0.stdout.as_mut().unwrap(), &mut text).unwrap();
    assert_eq!(target.0.wait().unwrap().code(), Some(0));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert!(report["requests"].as_u64().unwrap() > 0);
    assert_eq!(report["requests"], report["answers"]);
}

#[test]
fn the_account_is_said_on_stderr_alone() {
    let (_target, url) = target("");
    let (code, stdout, stderr) = output(&mut tapline(&format!("http {url}/mixed -n 300 --seed 9")));
    assert_eq!((code, stdout.as_str()), (0, ""));
    for expected in [
        "requests     300 started, 300 answered, 0 failed",
        "closed loop",
        "statuses     200 ",
        "latency (ms)",
        "p99.99",
        "■",
        "seed=9\n",
    ] {
        assert!(stderr.contains(expected), "{expected}: {stderr}");
    }
    let (_, stdout, stderr) = output(&mut tapline(&format!("http {url}/ -n 5 -q")));
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", ""));
    // Where it fails one sentence says why.
    let (code, _, stderr) = output(&mut tapline(&format!(
        "http {url}/fault/close -n 5 -c 1 -q"
    )));
    assert_eq!(code, 5);
    assert_eq!(stderr, "tapline: 5 of 5 requests have no answer\n");
    let (code, _, stderr) = output(&mut tapline(&format!(
        "http {url}/fault/close -n 5 -c 1 -q --fail-if errors>0"
    )));
    assert_eq!(code, 99);
    assert_eq!(stderr, "tapline: FAILED: errors>0 came true (5)\n");
}
