//! To an HTTP API: what arrives, what is refused, what is tried again.

use std::time::{Duration, Instant};

use serde_json::Value;
use tapline::store::{Order, SessionFilter, Store};

use crate::back_end::{REFUSAL, back_end, nobody};
use crate::{account, generator, output, serve, stored};

#[test]
fn ten_records_go_to_the_api_and_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (_serve, url) = serve(folder.path());
    let (code, stdout, stderr) = output(&mut generator(&format!("--api-url {url} --seed 7")));
    assert_eq!(code, 0, "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    let rule = "=".repeat(80);
    let begin = [
        &rule,
        "log-gen: Traffic Log Generator",
        &rule,
        "[INFO] Generating 10 logs...",
        "",
    ];
    assert_eq!(lines[..5], begin);
    for (number, line) in (1..=10).zip(&lines[5..15]) {
        assert!(line.starts_with(&format!("[{number}] ")), "{line}");
        let columns: Vec<&str> = line.split(" | ").collect();
        assert_eq!(columns.len(), 5, "{line}");
        assert!(
            columns[1].contains(" → ") && columns[2].starts_with("Packets: "),
            "{line}"
        );
    }
    assert_eq!(lines[15..], ["", "[DONE] 10/10 logs sent successfully"]);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.contains("10 records, ") && stderr.contains(" 0 refused; seed=7"),
        "{stderr}"
    );
    assert_eq!(stored(folder.path()), 10);
    // The API shows what the lines show.
    let (_, records, _) = output(&mut generator("--seed 7 --output -"));
    let store = Store::open(folder.path()).unwrap();
    let rows = store
        .sessions(&SessionFilter::default(), Order::Oldest, None, 100)
        .unwrap();
    let mut found: Vec<(String, u64)> = rows
        .sessions()
        .map(|record| (record.src_ip.to_string(), record.bytes))
        .collect();
    let mut expected: Vec<(String, u64)> = records
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            (
                record["src_ip"].as_str().unwrap().to_owned(),
                record["bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn arrays_over_several_connections_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (_serve, url) = serve(folder.path());
    let mut sum = 0;
    for (flags, count) in [
        ("-n 5750 --batch 500 --connections 4", 5_750),
        ("-n 1000 --batch 7 --connections 2 --gzip", 1000),
        ("-n 500 --connections 8", 500),
        ("--batch 300 --rate 20000 --duration 200ms", 4_000),
    ] {
        let line = format!("{flags} --api-url {url} --json --realistic --jobs 2");
        let (code, stdout, stderr) = output(&mut generator(&line));
        let account = account(&stdout);
        assert!(matches!(code, 0 | 6), "{flags}: {stderr}");
        assert_eq!(account["records"], count, "{flags}");
        assert_eq!(account["refused"], 0);
        assert_eq!(account["undelivered"], 0);
        sum += count;
    }
    assert_eq!(stored(folder.path()), sum);
}

#[test]
fn what_is_refused_is_counted_and_ends_with_5() {
    let (url, bodies) = back_end(|number, _| match number % 4 {
        3 => (REFUSAL.0, REFUSAL.1.to_owned()),
        _ => ("201 Created", "{}".to_owned()),
    });
    let (code, stdout, stderr) = output(&mut generator(&format!("-n 20 --api-url {url}")));
    assert_eq!(code, 5, "{stderr}");
    let errors = stdout.lines().filter(|line| line.starts_with("[ERROR] "));
    assert_eq!(errors.clone().count(), 5, "{stdout}");
    for (number, line) in [4, 8, 12, 16, 20].into_iter().zip(errors) {
        let expected = format!("[ERROR] sending to the API failed: [{number}] status 422: ");
        assert!(line.starts_with(&expected), "{line}");
        assert!(line.contains("no ICMP here"), "{line}");
    }
    assert!(
        stdout.ends_with("[DONE] 15/20 logs sent successfully\n"),
        "{stdout}"
    );
    assert!(stderr.contains(" 5 refused"), "{stderr}");
    assert_eq!(
        bodies.lock().unwrap().len(),
        20,
        "what is refused is not sent again"
    );
}

#[test]
fn of_an_array_exactly_the_records_at_fault_are_refused() {
    let (url, bodies) = back_end(|_, body| match body.contains("\"ICMP\"") {
        true => (REFUSAL.0, REFUSAL.1.to_owned()),
        false => ("201 Created", String::new()),
    });
    let line = format!("-n 400 --batch 100 --seed 3 --json --api-url {url}");
    let (code, stdout, _) = output(&mut generator(&line));
    assert_eq!(code, 5);
    let (_, records, _) = output(&mut generator("-n 400 --seed 3 --output -"));
    let at_fault = records
        .lines()
        .filter(|line| line.contains("\"ICMP\""))
        .count();
    assert!(at_fault > 50);
    assert_eq!(account(&stdout)["refused"], at_fault);
    let bodies = bodies.lock().unwrap();
    let taken: usize = bodies
        .iter()
        .filter(|body| !body.contains("\"ICMP\""))
        .map(|body| {
            serde_json::from_str::<Value>(body)
                .unwrap()
                .as_array()
                .map_or(1, Vec::len)
        })
        .sum();
    assert_eq!(taken, 400 - at_fault, "each of the others came once");
}

#[test]
fn what_passes_is_tried_again() {
    let (url, bodies) = back_end(|number, _| match number {
        0..3 => ("503 Service Unavailable", "{}".to_owned()),
        5 => ("429 Too Many Requests", "{}".to_owned()),
        _ => ("201 Created", "{}".to_owned()),
    });
    let (code, stdout, stderr) =
        output(&mut generator(&format!("-n 6 --retry 60s --api-url {url}")));
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.ends_with("[DONE] 6/6 logs sent successfully\n"),
        "{stdout}"
    );
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 10);
    assert!(
        bodies[..4].iter().all(|body| *body == bodies[0]),
        "the same record again"
    );
}

#[test]
fn a_wrong_address_is_no_reason_to_try_again() {
    let (url, bodies) = back_end(|_, _| ("404 Not Found", "{\"detail\":\"Not Found\"}".to_owned()));
    let begun = Instant::now();
    let (code, stdout, stderr) = output(&mut generator(&format!(
        "-n 40 --retry 60s --api-url {url}"
    )));
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stdout.contains("answered 404") && stdout.contains("--api-url"),
        "{stdout}"
    );
    assert!(stdout.contains("[DONE] 0/40"), "{stdout}");
    assert_eq!(bodies.lock().unwrap().len(), 40);
    assert!(begun.elapsed() < Duration::from_secs(40));
}

#[test]
fn an_api_that_cannot_be_reached_ends_with_4() {
    let line = format!("--retry 300ms --api-url http://{}/api", nobody());
    let (code, stdout, stderr) = output(&mut generator(&line));
    assert_eq!(code, 4, "{stderr}");
    assert!(
        stdout.contains("[ERROR] sending to the API failed: [1] cannot connect to 127.0.0.1"),
        "{stdout}"
    );
    assert!(
        stdout.ends_with("[DONE] 0/10 logs sent successfully\n"),
        "{stdout}"
    );
    assert!(stderr.contains("could not be delivered"), "{stderr}");
    let (code, stdout, _) = output(&mut generator(&format!(
        "{line} --batch 3 --json -n 100000"
    )));
    assert_eq!(code, 4);
    let account = account(&stdout);
    assert_eq!(account["records"], account["undelivered"]);
}

#[test]
fn without_a_retry_none_is_promised() {
    let line = format!("-n 1 --api-url http://{}/api --retry", nobody());
    for (time, is_promised) in [("0", false), ("100ms", true)] {
        let (code, _, stderr) = output(&mut generator(&format!("{line} {time}")));
        assert_eq!(code, 4);
        assert!(stderr.contains("records cannot be sent"), "{stderr}");
        assert_eq!(stderr.contains("tried again"), is_promised, "{stderr}");
    }
}

#[test]
fn who_is_not_let_in_is_told_of_the_flag() {
    let (url, _) = back_end(|_, _| ("401 Unauthorized", "{}".to_owned()));
    let (code, stdout, _) = output(&mut generator(&format!("-n 1 --api-url {url}")));
    assert_eq!(code, 5);
    let said = "[ERROR] sending to the API failed: [1] the target answered 401: {}; is the token in \
                --token-file right?";
    assert!(stdout.lines().any(|line| line == said), "{stdout}");
    assert!(!stdout.contains("sinks."), "{stdout}");
}

#[test]
fn records_at_fault_are_named_also_in_arrays() {
    let (url, _) = back_end(|_, body| match body.contains("\"ICMP\"") {
        true => (REFUSAL.0, REFUSAL.1.to_owned()),
        false => ("201 Created", String::new()),
    });
    let line = format!("-n 12 --batch 12 --seed 3 --api-url {url}");
    let (code, stdout, _) = output(&mut generator(&line));
    assert_eq!(code, 5);
    let at_fault: Vec<&str> = stdout
        .lines()
        .filter(|line| line.contains("] ICMP "))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    let error = stdout.lines().find(|line| line.starts_with("[ERROR] "));
    let (_, behind) = error.unwrap().split_once("failed: ").unwrap();
    let (numbers, _) = behind.split_once(" status 422").unwrap();
    assert!(!at_fault.is_empty());
    for number in at_fault {
        let number: u64 = number.parse().unwrap();
        let names = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            (first.parse().unwrap()..=last.parse().unwrap()).contains(&number)
        };
        let mut parts = numbers.split(['[', ']', ' ']);
        let is_named = parts.any(|part| !part.is_empty() && part != "…" && names(part));
        assert!(is_named || numbers.ends_with('…'), "{number} {numbers}");
    }
}
