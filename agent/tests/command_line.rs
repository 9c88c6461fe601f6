//! The program itself: what it prints where, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/output.rs"]
mod output;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use self::output::output;

fn tapline(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command.args(line.split_whitespace()).env_clear();
    command
}

#[test]
fn version_and_help_go_to_stdout() {
    let version = format!("tapline {}\n", env!("CARGO_PKG_VERSION"));
    let (code, stdout, stderr) = output(&mut tapline("--version"));
    assert_eq!((code, stdout, stderr), (0, version, String::new()));
    for command in [
        "",
        "run",
        "read",
        "serve",
        "exchanges",
        "sessions",
        "doctor",
        "gen",
        "gen sessions",
        "gen access",
        "gen events",
        "gen http",
    ] {
        let (code, stdout, stderr) = output(&mut tapline(&format!("{command} --help")));
        assert_eq!((code, stderr.as_str()), (0, ""), "{command}");
        assert!(stdout.contains("Usage: tapline"), "{stdout}");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_a_word_on_stderr() {
    let check = |command: &mut Command, said: &str| {
        let (code, stdout, stderr) = output(command);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.lines().next().unwrap().contains(said), "{stderr}");
    };
    check(&mut tapline(""), "Writes down every");
    check(&mut tapline("fly"), "unrecognized subcommand 'fly'");
    check(
        &mut tapline("run --port x"),
        "'--port <N>': must be a port from 1 to 65535",
    );
    check(
        &mut tapline("run --config /nonexistent"),
        "tapline: cannot read the configuration file /nonexistent: No such file or directory",
    );
    check(
        tapline("run").env("TAPLINE_LOGDIR", "x"),
        "tapline: there is no variable \"TAPLINE_LOGDIR\"; did you mean TAPLINE_LOG_DIR?",
    );
}

#[test]
fn a_bad_file_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tapline.yaml");
    fs::write(&path, "log:\n  fromat: json\n").unwrap();
    let line = format!("run --config {}", path.display());
    let (code, _, stderr) = output(&mut tapline(&line));
    let expected = format!(
        "tapline: {}, line 2: there is no key \"log.fromat\"; did you mean log.format?\n",
        path.display()
    );
    assert_eq!((code, stderr), (2, expected));
}

#[test]
fn what_print_config_prints_is_taken_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("printed.yaml");
    let (code, first, stderr) = output(&mut tapline("run --print-config -i any --port 80"));
    assert_eq!((code, stderr.as_str()), (0, ""));
    fs::write(&path, &first).unwrap();
    let line = format!("read --print-config --config {}", path.display());
    let (code, second, _) = output(&mut tapline(&line));
    assert_eq!(code, 0);
    let values = |text: &str| -> Vec<String> {
        let value = |line: &str| line.split("  # ").next().unwrap().to_owned();
        text.lines().map(value).collect()
    };
    assert_eq!(values(&first), values(&second));
}

#[test]
fn a_closed_pipe_is_a_quiet_end_and_a_full_disk_is_not() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, _, stderr) = output_to(writer.into());
    assert_eq!((code, stderr.as_str()), (0, ""));
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let (code, _, stderr) = output_to(full.into());
    assert_eq!(code, 1);
    let said = "tapline: cannot write to stdout: No space left on device (os error 28)\n";
    assert_eq!(stderr, said);
}

fn output_to(stdout: Stdio) -> (i32, String, String) {
    let mut command = tapline("run --print-config");
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn();
    let Output { status, stderr, .. } = child.unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), String::new(), stderr)
}

#[test]
fn a_diagnostics_file_that_cannot_be_made_is_named() {
    let (code, _, stderr) = output(&mut tapline("doctor --diagnostics /proc/no/such"));
    assert_eq!(code, 1);
    let begin = "tapline: cannot open the diagnostics file /proc/no/such: ";
    assert!(
        stderr.starts_with(begin) && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn a_capture_that_is_piped_in_gives_each_line_as_it_comes() {
    let capture = fs::read("tests/captures/keep-alive.pcap").unwrap();
    let lines = fs::read_to_string("tests/captures/keep-alive.classic.log").unwrap();
    let mut child = tapline("read -q --log-dir - --local 192.0.2.1 -")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&capture).unwrap();
    stdin.flush().unwrap();
    // The pipe is open still: more may come.
    let mut said = BufReader::new(child.stdout.take().unwrap());
    for expected in lines.lines() {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let without_time = |line: &str| line.split(' ').skip(4).collect::<Vec<_>>().join(" ");
        assert_eq!(without_time(line.trim_end()), without_time(expected));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
