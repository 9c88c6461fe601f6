//! Requests and responses joined, on real traffic: in lines, and in the store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, Instant};

use serde_json::Value;
use tapline_tests::support::{Connection, Nginx, Pair, Program, Tapline, curl, within};

/// What `tapline exchanges` prints of a folder, oldest first.
fn stored(pair: &Pair, folder: &str) -> Vec<Value> {
    let mut command = Tapline::command(&pair.server, "exchanges");
    command.args(["--json", "--oldest", "--data-dir", folder]);
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let lines = done.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn both_sides_of_an_exchange_are_joined_and_stored() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let folder = |side: usize| folders[side].path().to_str().unwrap().to_owned();
    let store = |side| format!("--store --no-sessions --data-dir {}", folder(side));
    let server = Tapline::start(&pair.server, &format!("-i server0 {}", store(0)));
    let client = Tapline::start(&pair.client, &format!("-i client0 {}", store(1)));
    // Three on one connection; the token is nobody's business.
    curl(
        &pair.client,
        &[
            "http://10.9.0.1/small?token=secret",
            "http://10.9.0.1/nothing-here",
            "http://10.9.0.1/small",
        ],
    );
    for (side, tapline, role) in [(0, server, "server"), (1, client, "client")] {
        let ended = tapline.stop();
        assert_eq!(ended.count("sinks/sqlite/stored"), 3, "{:#}", ended.ledger);
        assert_eq!(ended.count("sinks/sqlite/lost"), 0);
        let exchanges = stored(&pair, &folder(side));
        let said: Vec<String> = exchanges
            .iter()
            .map(|exchange| {
                let text = |name: &str| exchange[name].as_str().unwrap().to_owned();
                let (outcome, target) = (text("outcome"), text("target"));
                format!("{outcome} {} {target} {}", text("role"), exchange["status"])
            })
            .collect();
        assert_eq!(
            said,
            [
                format!("complete {role} /small?token=REDACTED 200"),
                format!("complete {role} /nothing-here 404"),
                format!("complete {role} /small 200"),
            ]
        );
        for (number, exchange) in exchanges.iter().enumerate() {
            let micros = |name: &str| exchange[name].as_u64().unwrap();
            assert!(micros("ttfb_us") < 5_000_000, "{exchange}");
            assert!(micros("total_us") >= micros("ttfb_us"), "{exchange}");
            assert!(micros("request_bytes") > 60, "{exchange}");
            assert!(micros("response_bytes") > 100, "{exchange}");
            // The lines say the same.
            let lines: Vec<_> = ended
                .heads
                .iter()
                .filter(|head| {
                    head.text("exchange_id") == exchange["exchange_id"].as_str().unwrap()
                })
                .collect();
            assert_eq!(lines.len(), 2, "{number}: {exchange}");
            assert_eq!(lines[1].number("latency_us"), Some(micros("ttfb_us")));
            assert_eq!(lines[0].text("session_id"), exchange["session_id"]);
        }
        let session = |index: usize| exchanges[index]["session_id"].clone();
        assert_eq!([session(0), session(0)], [session(1), session(2)]);
    }
}

/// The times of the exchange with this target, once it is stored, and how long that took.
fn times_of(pair: &Pair, folder: &str, target: &str) -> (Option<u64>, Option<u64>, Duration) {
    let since = Instant::now();
    let exchange = within(&format!("{target} in the store"), || {
        let all = stored(pair, folder);
        all.into_iter()
            .find(|exchange| exchange["target"] == target)
    });
    let number = |name: &str| exchange[name].as_u64();
    assert_eq!(exchange["outcome"], "complete", "{exchange}");
    (
        number("total_us"),
        number("response_bytes"),
        since.elapsed(),
    )
}

#[test]
fn the_last_answer_of_a_connection_is_stored_when_that_ends() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let flags = format!("-i server0 --store --data-dir {folder}");
    let tapline = Tapline::start(&pair.server, &flags);
    curl(&pair.client, &["-o", "/dev/null", "http://10.9.0.1/large"]);
    let (total_us, bytes, waited) = times_of(&pair, folder, "/large");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    let quick = 1..2_000_000;
    assert!(quick.contains(&total_us.unwrap()), "{total_us:?}");
    assert!(bytes.unwrap() > 300_000, "{bytes:?}");
    // One that stays open and rests: the length is known, and what was sent.
    let mut open = Connection::open(&pair.client, "10.9.0.1:80".parse().unwrap());
    open.write("GET /large?rests HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = open.answer();
    assert_eq!(answer.body.len(), 300_000);
    let (total_us, bytes, waited) = times_of(&pair, folder, "/large?rests");
    assert!(waited < Duration::from_secs(9), "{waited:?}");
    assert!(quick.contains(&total_us.unwrap()), "{total_us:?}");
    assert!(bytes.unwrap() > 300_000, "{bytes:?}");
    drop(open);
    let ended = tapline.stop();
    assert_eq!(ended.count("sinks/sqlite/lost"), 0);
}

#[test]
fn fields_that_are_asked_for_are_stored_without_secrets() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let names = "X-Request-Id,Authorization,X-Forwarded-For";
    let tapline = Tapline::start_with(
        &pair.server,
        &format!("-i server0 --store --data-dir {folder}"),
        &[("TAPLINE_LOG_HEADERS", names)],
    );
    curl(
        &pair.client,
        &[
            "--header",
            "x-request-id: 7",
            "--header",
            "Authorization: Basic c2VjcmV0",
            "http://10.9.0.1/small",
            "--next",
            "--silent",
            "http://10.9.0.1/small?none",
        ],
    );
    let ended = tapline.stop();
    let exchanges = stored(&pair, folder);
    let headers = serde_json::json!({"X-Request-Id": "7", "Authorization": "REDACTED"});
    assert_eq!(exchanges.len(), 2);
    assert_eq!(exchanges[0]["headers"], headers, "{exchanges:?}");
    assert_eq!(ended.heads[0].without_time()["headers"], headers);
    assert_eq!(exchanges[1]["headers"], Value::Null);
    assert_eq!(ended.count("exchanges/answered"), 2);
}

#[test]
fn the_two_views_of_loopback_share_an_exchange() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let config = tempfile::tempdir().unwrap();
    let path = config.path().join("tapline.yaml");
    std::fs::write(&path, "capture: {loopback: both}\n").unwrap();
    let flags = format!("-i lo --config {}", path.display());
    let tapline = Tapline::start(&pair.server, &flags);
    curl(&pair.server, &["http://10.9.0.1/small"]);
    let ended = tapline.stop();
    let kinds: Vec<&str> = ended.heads.iter().map(|head| head.text("kind")).collect();
    assert_eq!(kinds, ["CQ", "SQ", "CR", "SR"]);
    let exchange = ended.heads[0].text("exchange_id");
    assert!(
        ended
            .heads
            .iter()
            .all(|head| head.text("exchange_id") == exchange)
    );
}
