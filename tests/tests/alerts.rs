//! Alerts of a running capture: what goes wrong on the wire comes to the webhook, once when it begins and
//! once when it is over.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tapline_tests::support::{Connection, Nginx, Pair, Server, Tapline, read_head, within_seconds};

/// Longer than the window of a rule, a look at it, and a busy machine.
const PATIENCE: u64 = 90;

/// Requests at a time, of paths that are not there.
const PIPELINED: usize = 40;

/// Takes messages in the namespace of the server.
fn receiver(pair: &Pair) -> (SocketAddr, Arc<Mutex<Vec<Value>>>) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&got);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let server = Server::start(&pair.server, address, move |mut stream| {
        while let Some(head) = read_head(&mut stream) {
            let fields = head.to_ascii_lowercase();
            let length = fields
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap();
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            taken
                .lock()
                .unwrap()
                .push(serde_json::from_slice(&body).unwrap());
            stream
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .unwrap();
        }
    });
    (server.address, got)
}

/// More heads at once than a small ring can hold, each of them an error.
fn errors(pair: &Pair) {
    let address = SocketAddr::from(([10, 9, 0, 1], 80));
    let heads = "GET /not-there HTTP/1.1\r\nHost: alerts\r\n\r\n".repeat(PIPELINED);
    let mut connections: Vec<Connection> = (0..8)
        .map(|_| Connection::open(&pair.client, address))
        .collect();
    for _ in 0..5 {
        for connection in &mut connections {
            connection.write(&heads);
        }
        for connection in &mut connections {
            for _ in 0..PIPELINED {
                assert!(connection.answer().head.starts_with("HTTP/1.1 404"));
            }
        }
    }
}

#[test]
fn an_alert_that_fires_when_the_program_is_killed_is_told_once_and_resolved_by_the_next() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let (address, got) = receiver(&pair);
    let folder = tempfile::tempdir().unwrap();
    let (config, data) = (
        folder.path().join("tapline.yaml"),
        folder.path().join("data"),
    );
    let rules = "rules: [errors error_rate above 10% over 10s]";
    let webhook = format!("webhook: {{url: \"http://{address}/hook\"}}");
    fs::write(&config, format!("alerts:\n  {rules}\n  {webhook}\n")).unwrap();
    let flags = format!(
        "-i server0 --store --config {} --data-dir {}",
        config.display(),
        data.display()
    );
    let states = || -> Vec<Value> {
        let got = got.lock().unwrap();
        got.iter().map(|message| message["state"].clone()).collect()
    };
    let kept = || fs::read_to_string(data.join("alerts.json")).unwrap_or_default();
    let first = Tapline::start(&pair.server, &flags);
    within_seconds(PATIENCE, "it fires", || {
        errors(&pair);
        (!states().is_empty() && kept().contains("\"told\": 1")).then_some(())
    });
    // Without a word.
    drop(first);
    assert_eq!(states(), ["firing"]);
    let second = Tapline::start(&pair.server, &flags);
    within_seconds(PATIENCE, "it is over", || {
        (states().len() > 1).then_some(())
    });
    assert_eq!(states(), ["firing", "resolved"]);
    let ids: Vec<Value> = got
        .lock()
        .unwrap()
        .iter()
        .map(|message| message["id"].clone())
        .collect();
    assert_eq!(ids[0], ids[1]);
    within_seconds(PATIENCE, "it is forgotten", || {
        kept().contains("\"alerts\": []").then_some(())
    });
    drop(second.stop());

    // What nobody of ours has written is said, and written over when there is something to keep.
    fs::write(
        data.join("alerts.json"),
        b"{\"version\":1,\"alerts\":[{\"rule\":\"\\u0000",
    )
    .unwrap();
    let mut third = Tapline::start(&pair.server, &flags);
    third.process().wait_for_stderr("is not as alerts are kept");
    within_seconds(PATIENCE, "it fires again", || {
        errors(&pair);
        (states().len() > 2 && kept().contains("\"rule\": \"errors\"")).then_some(())
    });
    assert_eq!(states()[2], "firing");
    drop(third.stop());
}

#[test]
fn losses_and_errors_on_the_wire_come_to_the_webhook_once_and_are_resolved() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let (address, got) = receiver(&pair);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tapline.yaml");
    fs::write(
        &config,
        format!(
            "alerts:\n  rules:\n    - errors error_rate above 10% over 10s\n    \
             - losses lost above 0 over 10s\n  webhook: {{url: \"http://{address}/hook\"}}\n"
        ),
    )
    .unwrap();
    let flags = format!(
        "-i server0 --ring 4KiB --store --config {} --data-dir {}",
        config.display(),
        folder.path().join("data").display()
    );
    let tapline = Tapline::start(&pair.server, &flags);
    let of = |rule: &str| -> Vec<Value> {
        let got = got.lock().unwrap();
        let of_rule = got.iter().filter(|message| message["rule"] == rule);
        of_rule.cloned().collect()
    };
    // It goes on while it fires: one word is enough.
    within_seconds(PATIENCE, "both fire", || {
        errors(&pair);
        (!of("errors").is_empty() && !of("losses").is_empty()).then_some(())
    });
    errors(&pair);
    within_seconds(PATIENCE, "both are over", || {
        (of("errors").len() > 1 && of("losses").len() > 1).then_some(())
    });
    for rule in ["errors", "losses"] {
        let messages = of(rule);
        let states: Vec<&Value> = messages.iter().map(|message| &message["state"]).collect();
        assert_eq!(states, ["firing", "resolved"], "{messages:#?}");
        assert_eq!(messages[0]["id"], messages[1]["id"], "{messages:#?}");
        assert!(
            messages[0]["value"].as_f64().unwrap() > 0.0,
            "{messages:#?}"
        );
        assert!(messages[1]["ended"].is_string(), "{messages:#?}");
    }
    assert!(tapline.stop().count("records/lost/ring") > 0);
}
