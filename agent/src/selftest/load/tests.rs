//! What the load came to, where something is not as it was sent.

use serde_json::json;

use super::*;
use crate::selftest::score::FoundSession;

const SERVER: &str = "10.245.0.1:80";
const CLIENT: &str = "10.245.0.2:1024";

fn loaded() -> Loaded {
    let request = Request {
        method: "GET".to_owned(),
        target: TARGET.to_owned(),
        ..Request::default()
    };
    Loaded {
        server: SERVER.parse().unwrap(),
        request: Prepared::new(&request, SERVER, true).unwrap(),
        letters: ["CQ", "CR"],
        stamped: vec![Stamped {
            number: 7,
            local: Some(CLIENT.parse().unwrap()),
            sent: 1_000,
            ended: 900_000,
            ending: Ending::Answered(crate::generate::http::answer::Whole {
                status: 200,
                is_kept: true,
                body: 200,
            }),
        }],
        connections: 1,
        failed: 0,
    }
}

fn found() -> Found {
    let head = |value| serde_json::from_value::<FoundHead>(value).unwrap();
    let (source, destination) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
    let (request, answer) = (loaded().request.bytes(7), answer_bytes(7));
    Found {
        heads: vec![
            head(json!({
                "kind": "CQ", "local": true, "src_ip": "10.245.0.2", "src_port": 1024,
                "dst_ip": "10.245.0.1", "dst_port": 80, "method": "GET",
                "target": "/load?stamp=7", "version": "HTTP/1.1", "host": SERVER,
            })),
            head(json!({
                "kind": "CR", "local": true, "src_ip": "10.245.0.1", "src_port": 80,
                "dst_ip": "10.245.0.2", "dst_port": 1024, "version": "HTTP/1.1",
                "status": 200, "reason": "OK", "content_type": "text/plain; stamp=7",
            })),
        ],
        exchanges: vec![FoundExchange {
            source,
            destination,
            stamp: Some(7),
            outcome: "complete".to_owned(),
            status: Some(200),
            interim_status: None,
            request_bytes: Some(request),
            response_bytes: Some(answer),
            ttfb_us: Some(800),
            total_us: Some(890),
        }],
        sessions: vec![FoundSession {
            protocol: "TCP".to_owned(),
            source,
            destination,
            packets: [4, 4],
            bytes: [500, 500],
            payload: [request, answer],
            conn_state: "SF".to_owned(),
            http_requests: 1,
        }],
    }
}

#[test]
fn what_is_not_as_it_was_sent_is_seen() {
    let check = |change: fn(&mut Found), faults: [u64; 5]| {
        let mut found = found();
        change(&mut found);
        let score = loaded().score(&mut found);
        let got = [
            score.sent - score.right,
            score.wrong,
            score.exchanges - score.exchanges_right,
            score.sessions - score.sessions_right,
            score.strays,
        ];
        assert_eq!(got, faults, "{score:?}");
        assert!(found.heads.is_empty() && found.exchanges.is_empty());
    };
    check(|_| {}, [0; 5]);
    check(|found| drop(found.heads.pop()), [1, 0, 0, 0, 0]);
    let twice = |found: &mut Found| found.heads.push(found.heads[0].clone());
    check(twice, [0, 1, 0, 0, 0]);
    let other = |found: &mut Found| {
        let mut value = json!({"kind": "CQ", "src_ip": "10.245.0.2", "src_port": 1024});
        value["dst_ip"] = json!("10.245.0.1");
        value["dst_port"] = json!(80);
        value["method"] = json!("GET");
        value["target"] = json!("/load?stamp=7");
        value["version"] = json!("HTTP/1.1");
        value["host"] = json!("elsewhere");
        found.heads[0] = serde_json::from_value(value).unwrap();
    };
    check(other, [1, 1, 0, 0, 0]);
    let short = |found: &mut Found| found.exchanges[0].response_bytes = Some(1);
    check(short, [0, 0, 1, 0, 0]);
    let nameless = |found: &mut Found| found.exchanges[0].stamp = None;
    check(nameless, [0, 0, 1, 0, 1]);
    let invented = |found: &mut Found| {
        let mut other = found.exchanges[0].clone();
        other.stamp = Some(8);
        found.exchanges.push(other);
    };
    check(invented, [0, 0, 0, 0, 1]);
    let bytes = |found: &mut Found| found.sessions[0].payload[1] += 1;
    check(bytes, [0, 0, 0, 1, 0]);
    let again = |found: &mut Found| found.sessions.push(found.sessions[0].clone());
    check(again, [0, 0, 0, 0, 1]);
}
