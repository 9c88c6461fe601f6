//! Real children of a real shell.

use std::thread;

use super::*;

#[test]
fn a_failure_shows_the_command_and_its_stderr() {
    let step = Step::new("sh").args(["-c", "echo broken pipe wrench >&2; exit 3"]);
    let message = step.stdout().unwrap_err().to_string();
    assert!(message.contains("sh -c 'echo broken"), "{message}");
    assert!(message.contains("exit status: 3"), "{message}");
    assert!(message.ends_with("broken pipe wrench"), "{message}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let message = format!("{:#}", Step::new("no-such-program").run().unwrap_err());
    assert!(
        message.contains("is no-such-program installed?"),
        "{message}"
    );
}

#[test]
fn lines_come_in_order_and_all_of_them() {
    let mut seen = Vec::new();
    let status = Step::new("sh")
        .args(["-c", "for i in 1 2 3; do echo $i; done; printf 4; exit 1"])
        .lines(|line| seen.push(line.to_owned()))
        .unwrap();
    assert_eq!(seen, ["1", "2", "3", "4"]);
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_time_limit_ends_the_children_of_the_child_too() {
    let folder = std::env::temp_dir().join(format!("xtask-limit-{}", std::process::id()));
    let script = format!("sleep 60 & echo $! > {}; wait", folder.display());
    let step = Step::new("sh")
        .args(["-c", &script])
        .time_limit(Duration::from_millis(300));
    let message = step.run().unwrap_err().to_string();
    assert!(message.contains("took longer"), "{message}");
    let child: i32 = std::fs::read_to_string(&folder)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    std::fs::remove_file(&folder).unwrap();
    let gone = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        let state = std::fs::read_to_string(format!("/proc/{child}/stat"));
        state.map_or(true, |line| line.contains(") Z "))
    });
    assert!(gone, "the sleeping grandchild {child} still runs");
}

#[test]
fn words_are_quoted_as_a_shell_wants_them() {
    let step = Step::new("a").args(["plain-word", "two words", "it's", ""]);
    assert_eq!(step.shown(), r"a plain-word 'two words' 'it'\''s' ''");
}
