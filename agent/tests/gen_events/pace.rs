//! When records come, and when a run ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Running;
use crate::{lines, run, said, tapline};

#[test]
fn batches_and_rates_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let timed = |arguments: &[&str]| {
        let begun = Instant::now();
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        (begun.elapsed().as_secs_f64(), lines(&output.stdout))
    };
    // Three batches: two pauses.
    let (time, made) = timed(&["-n", "30", "-b", "10", "-i", "0.4", "-o", "-", "-q"]);
    assert!((0.8..2.5).contains(&time), "{time}");
    assert_eq!(made.len(), 30);
    let (time, made) = timed(&["--rate", "1000", "--duration", "2s", "-o", "-", "-q"]);
    assert!((1.98..4.0).contains(&time), "{time}");
    assert_eq!(made.len(), 2000);
    // Times keep to the pace, and none lies in the future.
    let read = |line: &Value| {
        line["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let is_sound = |line: &&Value| !line["message"].as_str().unwrap().contains("date in future");
    let times: Vec<jiff::Timestamp> = made.iter().filter(is_sound).map(read).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    let over = times[times.len() - 1]
        .duration_since(times[0])
        .as_secs_f64();
    assert!((1.9..2.1).contains(&over), "{over}");
    assert!(times[times.len() - 1] <= jiff::Timestamp::now());
}

#[test]
fn a_rate_that_cannot_be_met_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["--rate", "900000000", "-n", "300000", "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    assert!(said(&output).contains("the rate of 900000000 records/s was not met"));
}

#[test]
fn a_run_that_cannot_keep_its_rate_ends_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let output = run(
        folder.path(),
        &["--rate", "100000000", "--duration", "1", "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_signal_ends_it_with_whole_lines_and_the_account() {
    for signal in ["INT", "TERM"] {
        let mut child = Running::start(&mut tapline(&["-n", "0", "--rate", "500", "-o", "stdout"]));
        std::thread::sleep(Duration::from_millis(1200));
        child.signal(signal);
        let mut bytes = Vec::new();
        child
            .0
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        let (code, said) = child.end();
        // On a busy machine the rate may not have been met.
        assert!(matches!(code, 0 | 6), "{said}");
        let made = lines(&bytes).len();
        assert!((1..900).contains(&made), "{made}");
        assert!(
            said.contains(&format!(
                "Generation interrupted. Total logs generated: {made} "
            )),
            "{said}"
        );
        assert!(
            said.contains(&format!("{made} records, {} bytes", bytes.len())),
            "{said}"
        );
    }
}

#[test]
fn the_first_record_of_a_rate_comes_at_once() {
    let flags = ["--rate", "0.05", "-n", "0", "-o", "-", "-q"];
    let begun = Instant::now();
    let mut child = Running::start(&mut tapline(&flags));
    let mut line = String::new();
    let mut reader = BufReader::new(child.0.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    let time = lines(line.as_bytes())[0]["timestamp"].clone();
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    assert!(time <= jiff::Timestamp::now());
    child.signal("TERM");
    child.end();
}
