//! What stands on a terminal while it captures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Command;
use std::thread;
use std::time::Duration;

use tapline_tests::support::{Nginx, Pair, Process, Program, Tapline, curl, within};

/// Return to the begin of the row, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// What the status line ends with.
const STATUS: &str = "heads so far) ";

/// `tapline run` with both outputs on one terminal, which `script` makes and passes on to its stdout.
fn on_a_terminal(pair: &Pair, flags: &str) -> Process {
    let run = Tapline::command(&pair.server, "run");
    let words: Vec<&str> = run.get_args().map(|word| word.to_str().unwrap()).collect();
    let program = run.get_program().to_str().unwrap();
    let mut command = Command::new("script");
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let line = format!("{program} {} {flags}", words.join(" "));
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    Program::new(command).start()
}

fn wait_for(process: &Process, text: &str) {
    within(text, || process.stdout().contains(text).then_some(()));
}

#[test]
fn what_it_says_takes_the_place_of_the_status_line() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let flags = format!(
        "-i any --duration 6s --log-dir {}",
        folder.path().join("log").display()
    );
    let process = on_a_terminal(&pair, &flags);
    wait_for(&process, "stop with Ctrl-C");
    // Two status lines; they cannot be waited for, as only whole lines come from `script`.
    thread::sleep(Duration::from_millis(2500));
    pair.server.join("late0", &pair.client, "late1");
    let said = "captures on an interface that appeared";
    wait_for(&process, said);
    let done = process.end_within(60);
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    let (before, _) = done.stdout.split_once(said).unwrap();
    assert!(before.contains(STATUS), "{:?}", done.stdout);
    let after: Vec<&str> = done.stdout.split(STATUS).skip(1).collect();
    assert!(after.len() >= 3, "{:?}", done.stdout);
    for text in after {
        assert!(text.starts_with(CLEAR), "{:?}", done.stdout);
    }
}

#[test]
fn lines_on_the_terminal_have_no_status_line_among_them() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let process = on_a_terminal(&pair, "-i server0 --duration 5s --log-dir -");
    wait_for(&process, "stop with Ctrl-C");
    for number in 0..3 {
        thread::sleep(Duration::from_millis(700));
        curl(&pair.client, &[&format!("http://10.9.0.1/small?{number}")]);
    }
    let done = process.end_within(60);
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    assert!(done.stdout.contains("GET /small?2 "), "{}", done.stdout);
    assert!(!done.stdout.contains(STATUS), "{:?}", done.stdout);
    assert!(!done.stdout.contains(CLEAR), "{:?}", done.stdout);
}
