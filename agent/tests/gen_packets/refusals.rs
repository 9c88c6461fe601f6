//! What cannot be is said in one sentence, with the right code, and nothing is left behind.

use std::fs;

use super::{run, tapline};

fn check(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(&[&["gen", "packets"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
}

#[test]
fn wrong_usage_is_code_2() {
    check(&[], 2, &["--output"]);
    check(
        &["--output", "-", "--shape", "round"],
        2,
        &["must be one of plain, split"],
    );
    check(
        &["--dry-run", "--rate", "-5"],
        2,
        &["must be a number of records a second"],
    );
    check(
        &["--dry-run", "--count", "-1"],
        2,
        &["must be a whole number"],
    );
    check(&["--dry-run", "--exchanges", "0"], 2, &["--exchanges"]);
    check(&["--dry-run", "--seed", "x"], 2, &["2^64"]);
    check(&["--output", "-", "--truth", "-"], 2, &["stdout"]);
    check(&["--output", "-", "--json"], 2, &["stdout"]);
    check(&["--output", "x", "--interface", "lo"], 2, &["--interface"]);
    check(&["--output", "x", "--xdp"], 2, &["--interface"]);
    check(
        &["--dry-run", "--interface-allowed", "lo"],
        2,
        &["--interface"],
    );
    check(&["--output", "x", "--truth", "./x"], 2, &["same file"]);
    check(
        &["--interface", "no-such-interface"],
        2,
        &["no interface \"no-such-interface\"", "there are"],
    );
}

#[test]
fn a_file_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (capture, truth) = (path("a.pcap"), path("a.ndjson"));
    fs::write(&capture, "kept").unwrap();
    let plain = ["-q", "--shape", "plain", "--output", &capture];
    check(&plain, 1, &["a.pcap is there already; --overwrite"]);
    assert_eq!(fs::read_to_string(&capture).unwrap(), "kept");
    fs::write(&truth, "kept").unwrap();
    let with_truth = ["-q", "--shape", "plain", "--dry-run", "--truth", &truth];
    check(&with_truth, 1, &["a.ndjson is there already; --overwrite"]);
    assert_eq!(fs::read_to_string(&truth).unwrap(), "kept");
    let anew = [
        "gen",
        "packets",
        "-q",
        "--shape",
        "plain",
        "--overwrite",
        "--output",
        &capture,
    ];
    assert!(run(&anew).status.success());
    assert!(fs::metadata(&capture).unwrap().len() > 1000);
}

/// By whatever name: a symlink, one to a file that is not there yet, or what stdout was sent to.
#[test]
fn frames_and_truth_are_never_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (capture, link) = (path("a.pcap"), path("a.ndjson"));
    std::os::unix::fs::symlink(&capture, &link).unwrap();
    for more in [&[][..], &["--overwrite"]] {
        let flags = ["-q", "--output", &capture, "--truth", &link];
        check(&[&flags[..], more].concat(), 2, &["name the same file"]);
        assert_eq!(fs::metadata(&capture).unwrap().len(), 0);
    }
    let mut command = tapline(&["gen", "packets", "-q", "--output", "-", "--truth", &link]);
    command.stdout(fs::File::create(&capture).unwrap());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(fs::metadata(&capture).unwrap().len(), 0);
    let nowhere = ["-q", "--output", "/dev/null", "--truth", "/dev/../dev/null"];
    check(&[&nowhere[..], &["--shape", "plain"]].concat(), 0, &[]);
}

#[test]
fn quiet_says_nothing() {
    let flags = ["gen", "packets", "--shape", "plain", "--dry-run"];
    let said = |more: &[&str]| {
        let output = run(&[&flags[..], more].concat());
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said(&["-q"]), "");
    assert!(said(&["--seed", "1"]).contains(" frames, "));
}

#[test]
fn what_fails_is_code_1() {
    check(
        &["-q", "--output", "/no/such/folder/a.pcap"],
        1,
        &["cannot open /no/such/folder/a.pcap"],
    );
    check(
        &["-q", "--output", "/dev/full"],
        1,
        &[
            "tapline: 0 frames, 0 bytes, ",
            " not sent; seed=",
            "cannot write to /dev/full; the 0 frames in front are whole",
            "No space left",
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("a.pcap").display().to_string();
    check(
        &["-q", "--output", &capture, "--truth", "/no/such/folder/t"],
        1,
        &["cannot open /no/such/folder/t"],
    );
    let late = [
        "-q",
        "--output",
        &capture,
        "--start",
        "2200-01-01T00:00:00Z",
    ];
    check(&late, 1, &["February 2106"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut making = tapline(&["gen", "packets", "-q", "-n", "0", "--output", "-"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(making.stdout.take());
    let output = making.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_signal_leaves_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let making = tapline(&[
        "gen",
        "packets",
        "--shape",
        "keepalive",
        "--rate",
        "2000",
        "-n",
        "0",
        "--output",
    ])
    .arg(&path)
    .stderr(std::process::Stdio::piped())
    .spawn()
    .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    let id = i32::try_from(making.id()).unwrap();
    // SAFETY: takes numbers only; the child is not waited for yet.
    assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0);
    let output = making.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut file = tapline::capture::pcap::CaptureFile::open(&path).unwrap();
    let mut frames = 0;
    while file.next().unwrap().is_some() {
        frames += 1;
    }
    // The connection is whole: a handshake, 2000 exchanges, an end.
    assert!(frames >= 4006, "{frames}");
    assert!(fs::metadata(&path).unwrap().len() > 400_000);
}
