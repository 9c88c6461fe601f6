//! The life of an alert, from exchanges in the store to a receiver of the webhook.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::back_end::Running;
use crate::alerts::AlertSettings;
use crate::alerts::rule::Rule;
use crate::alerts::webhook::tests::Receiver;
use crate::alerts::webhook::{Patience, Webhook};
use crate::http::exchange::record::ExchangeRecord;
use crate::server::Serving;
use crate::session::identifier::Identifier;
use crate::sink::batch::samples::exchange;

/// Errors in the last three seconds fire after half a second.
fn serving(receiver: &Receiver) -> Serving {
    let rule: Rule = "errors error_rate above 10% over 10s".parse().unwrap();
    let webhook = Webhook::new(&format!("http://{}/hook", receiver.address), None, None);
    Serving {
        alerts: AlertSettings {
            rules: vec![
                Rule {
                    window: Duration::from_secs(3),
                    hold: Duration::from_millis(500),
                    ..rule
                },
                "quiet requests_per_second below 1 over 10s"
                    .parse()
                    .unwrap(),
                "losses lost above 0 over 10s".parse().unwrap(),
            ],
            webhook: Some(webhook.unwrap().with_patience(Patience {
                first: Duration::from_millis(100),
                ..Patience::default()
            })),
            every: Duration::from_millis(100),
        },
        ..Serving::default()
    }
}

fn errors(number: u64) -> [ExchangeRecord<'static>; 1] {
    [ExchangeRecord {
        exchange_id: Identifier::new(5, number),
        ts: Timestamp::now(),
        status: Some(503),
        ..exchange()
    }]
}

/// Asks until the first rule stands so, and gives the states on the way.
#[track_caller]
fn wait_for(running: &Running, wanted: &str) -> (Vec<String>, Value) {
    let begun = Instant::now();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let alerts = running.get("/api/alerts", "").value();
        let state = alerts["rules"][0]["state"].as_str().unwrap().to_owned();
        if seen.last() != Some(&state) {
            seen.push(state.clone());
        }
        if state == wanted {
            return (seen, alerts);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{alerts}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_alert_is_pending_firing_told_once_and_resolved() {
    // The first try is not taken.
    let receiver = Receiver::start(&[500, 200]);
    let mut running = Running::serving(serving(&receiver));
    let (_, alerts) = wait_for(&running, "ok");
    assert_eq!(alerts["rules"][0]["value"], Value::Null);
    assert_eq!(alerts["rules"][1]["state"], "unknown");
    assert_eq!(alerts["rules"][2]["state"], "ok");
    assert_eq!(alerts["rules"][2]["value"], 0.0);
    assert_eq!(alerts["history"], json!([]));
    running.store(&errors(1));
    let (seen, alerts) = wait_for(&running, "firing");
    assert!(
        seen.ends_with(&["pending".to_owned(), "firing".to_owned()]),
        "{seen:?}"
    );
    assert_eq!(alerts["rules"][0]["value"], 100.0);
    assert_eq!(alerts["history"][0]["rule"], "errors");
    let metrics = running.get("/metrics", "").body;
    for line in [
        "tapline_alerts_firing{rule=\"errors\"} 1",
        "tapline_alerts_firing{rule=\"losses\"} 0",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let (seen, _) = wait_for(&running, "ok");
    assert_eq!(seen.len(), 2, "{seen:?}");
    let begun = Instant::now();
    while receiver.got().len() < 3 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            receiver.got()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let got = receiver.got();
    let states: Vec<&Value> = got.iter().map(|(_, message)| &message["state"]).collect();
    assert_eq!(states, ["firing", "firing", "resolved"]);
    assert!(
        got.iter()
            .all(|(_, message)| message["id"] == got[0].1["id"])
    );
    let alerts = running.get("/api/alerts", "").value();
    let history = alerts["history"].as_array().unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(
        (&history[0]["delivered"], &history[0]["peak"]),
        (&json!(true), &json!(100.0))
    );
    assert!(history[0]["ended"].is_string());
}

#[test]
fn without_rules_there_is_nothing_to_show() {
    let running = Running::start();
    let alerts = running.get("/api/alerts", "").value();
    assert_eq!(alerts, json!({"rules": [], "history": []}));
    assert!(!running.get("/metrics", "").body.contains("tapline_alerts"));
}
