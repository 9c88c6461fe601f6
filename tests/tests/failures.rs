//! What cannot be done is said in one sentence, with the exit code that was promised.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use tapline_tests::support::{
    Conversation, Done, Namespace, Pair, Program, Tapline, ethernet, heads_of, program, summaries,
};

fn ask(namespace: &Namespace, subcommand: &str, flags: &str) -> Done {
    let mut command = Tapline::command(namespace, subcommand);
    command.args(flags.split_whitespace());
    Program::new(command).output()
}

#[test]
fn wrong_usage_ends_with_2_and_names_what_is_wrong() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tapline.yaml");
    fs::write(&path, "capture:\n  interface: server0\n").unwrap();
    let unknown_key = format!("--config {}", path.display());
    let bad_value = folder.path().join("bad.yaml");
    fs::write(&bad_value, "log:\n  dir: x\n  format: xml\n").unwrap();
    let bad_value = format!("--config {}", bad_value.display());
    let check = |flags: &str, words: &[&str]| {
        let done = ask(&pair.server, "run", flags);
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(2), ""),
            "{flags}: {}",
            done.stderr
        );
        let first = done.stderr.lines().next().unwrap_or_default();
        for word in words {
            assert!(done.stderr.contains(word), "{flags}: {first}");
        }
    };
    check(
        "-i nope0",
        &["tapline: there is no interface \"nope0\"; there are lo, server0"],
    );
    check(
        "-i server0 --format xml",
        &["'xml'", "--format", "classic, json"],
    );
    check(
        "-i server0 --attach magic",
        &["'magic'", "auto, tc, socket, xdp"],
    );
    check("-i server0 --ring 5000", &["'5000'", "power of two"]);
    check("-i server0 --net 10.0.0.0/33", &["--net"]);
    check(
        "-i server0 --net 10.1.2.3/8",
        &["--net", "10.0.0.0/8, or 10.1.2.3 for that host alone"],
    );
    check("-i server0 --port 70000", &["--port"]);
    check(
        &unknown_key,
        &[
            "tapline.yaml, line 2",
            "\"capture.interface\"",
            "did you mean capture.interfaces?",
        ],
    );
    check(&bad_value, &["bad.yaml, line 3", "log.format"]);
    check(
        "--config /nonexistent/file",
        &["/nonexistent/file", "No such file"],
    );
}

/// A copy of the program where every user may run it.
struct Copied(tempfile::TempDir);

impl Copied {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(program(), folder.path().join("tapline")).unwrap();
        Self(folder)
    }

    /// As nobody, with these capabilities (as setpriv spells them) and no others.
    fn as_nobody(&self, namespace: &Namespace, capabilities: &str) -> Command {
        let mut command = namespace.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        let only = format!("-all{capabilities}");
        if capabilities.is_empty() {
            command.args(["--inh-caps", &only]);
        } else {
            command.args(["--inh-caps", &only, "--ambient-caps", &only]);
        }
        command
            .args(["--bounding-set", &only])
            .arg(self.0.path().join("tapline"));
        command
            .env_remove("TAPLINE_BIN")
            .env_remove("TAPLINE_LEFT_OUT");
        command
    }
}

#[test]
fn without_privileges_it_says_which_and_how_to_get_them() {
    let pair = Pair::new();
    let copied = Copied::new();
    for (attach, capability) in [
        ("auto", "CAP_NET_ADMIN"),
        ("socket", "CAP_NET_RAW"),
        ("xdp", "CAP_BPF"),
    ] {
        let mut command = copied.as_nobody(&pair.server, "");
        command.args(["run", "-i", "server0", "--attach", attach, "--log-dir", "-"]);
        let done = Program::new(command).output();
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(1), ""),
            "{attach}: {}",
            done.stderr
        );
        assert_eq!(done.stderr.lines().count(), 1, "{attach}: {}", done.stderr);
        for words in [capability, "CAP_PERFMON", "run as root", "setcap cap_"] {
            assert!(done.stderr.contains(words), "{attach}: {}", done.stderr);
        }
    }
}

#[test]
fn the_capabilities_that_it_asks_for_are_enough() {
    let pair = Pair::new();
    let copied = Copied::new();
    let cases = [
        ("tc", "+bpf,+net_admin,+perfmon"),
        ("socket", "+bpf,+net_raw,+perfmon"),
        ("xdp --xdp-mode native", "+bpf,+net_admin,+perfmon"),
        ("xdp --xdp-mode generic", "+bpf,+net_admin,+perfmon"),
    ];
    for (attach, capabilities) in cases {
        let mut command = copied.as_nobody(&pair.server, &format!(",{capabilities}"));
        command.args([
            "run",
            "-i",
            "server0",
            "--log-dir",
            "-",
            "--duration",
            "100ms",
            "--attach",
        ]);
        command.args(attach.split_whitespace());
        let done = Program::new(command).output();
        assert_eq!(done.code, Some(0), "{attach}: {}", done.stderr);
        assert!(
            done.stderr.contains("tapline captures on server0"),
            "{attach}: {}",
            done.stderr
        );
    }
}

/// A classic pcap file with these Ethernet frames.
fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (number, frame) in frames.iter().enumerate() {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [
            1_600_000_000,
            u32::try_from(number).unwrap(),
            length,
            length,
        ] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

fn exchanges(count: u16) -> Vec<Vec<u8>> {
    (0..count)
        .flat_map(|number| {
            let mut conversation = Conversation::example(5_000 + number);
            let mut packets = conversation.open();
            packets.push(conversation.client(format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n")));
            packets.push(conversation.server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
            packets
                .iter()
                .map(|packet| ethernet(&[], packet))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_damaged_capture_gives_what_stands_before_the_damage_and_the_byte() {
    let host = Namespace::new();
    let folder = tempfile::tempdir().unwrap();
    let whole = capture(&exchanges(3));
    let expected = [
        "CQ GET /0",
        "CR 200",
        "CQ GET /1",
        "CR 200",
        "CQ GET /2",
        "CR 200",
    ];
    let read = |name: &str, bytes: &[u8], from_stdin: bool| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let mut command = Tapline::command(&host, "read");
        command.args(["--quiet", "--format", "json"]);
        if from_stdin {
            command
                .arg("-")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let output = command
                .stdin(fs::File::open(&path).unwrap())
                .output()
                .unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            return (
                output.status.code(),
                text(output.stdout),
                text(output.stderr),
            );
        }
        let done = Program::new({
            command.arg(&path);
            command
        })
        .output();
        (done.code, done.stdout, done.stderr)
    };
    for from_stdin in [false, true] {
        let (code, stdout, stderr) = read("whole.pcap", &whole, from_stdin);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert_eq!(summaries(&heads_of(&stdout)), expected);

        // The last packet, a response, is cut; its record begins behind all others.
        let last = capture(&exchanges(3)[..14]).len();
        let (code, stdout, stderr) = read("cut.pcap", &whole[..whole.len() - 5], from_stdin);
        assert_eq!(code, Some(1), "{stderr}");
        assert_eq!(summaries(&heads_of(&stdout)), expected[..5]);
        assert!(stderr.contains(&format!("byte {last}")), "{last}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");

        // A packet claims to be longer than any.
        let mut lying = whole.clone();
        let second = capture(&exchanges(1)).len();
        lying[second + 8..second + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        let (code, stdout, stderr) = read("lying.pcap", &lying, from_stdin);
        assert_eq!(code, Some(1), "{stderr}");
        assert_eq!(summaries(&heads_of(&stdout)), expected[..2]);
        assert!(
            stderr.contains(&format!("byte {second}")),
            "{second}: {stderr}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let host = Namespace::new();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let secret = folder.path().join("secret.pcap");
    fs::write(&secret, capture(&exchanges(1))).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "this is no capture, it is a text").unwrap();
    let copied = Copied::new();
    let check = |path: &str, words: &str| {
        let mut command = copied.as_nobody(&host, "");
        command.args(["read", path]);
        let done = Program::new(command).output();
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(1), ""),
            "{}",
            done.stderr
        );
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert!(
            done.stderr.contains(path) && done.stderr.contains(words),
            "{}",
            done.stderr
        );
    };
    check(&secret.display().to_string(), "Permission denied");
    check("/nonexistent.pcap", "No such file");
    check(&folder.path().display().to_string(), "Is a directory");
    check(&text.display().to_string(), "not a pcap or pcapng file");
    // As that user it reads what it may: no privileges are needed.
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = copied.as_nobody(&host, "");
    command.args(["read", "--quiet"]).arg(&secret);
    let done = Program::new(command).output();
    assert_eq!(
        (done.code, done.stdout.lines().count()),
        (Some(0), 2),
        "{}",
        done.stderr
    );
}

#[test]
fn after_a_damaged_capture_the_next_ones_are_read_and_the_failure_is_told() {
    let host = Namespace::new();
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.pcap");
    let whole = folder.path().join("whole.pcap");
    let bytes = capture(&exchanges(1));
    fs::write(&whole, &bytes).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() - 5]).unwrap();
    for paths in [[&damaged, &whole], [&whole, &damaged]] {
        let mut command = Tapline::command(&host, "read");
        command.args(["--quiet", "--format", "json"]).args(paths);
        let done = Program::new(command).output();
        assert_eq!(done.code, Some(1), "{}", done.stderr);
        assert!(done.stderr.contains("damaged.pcap"), "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        // One conversation, of which the damaged capture lacks the last packet.
        let heads = summaries(&heads_of(&done.stdout));
        assert_eq!(heads, ["CQ GET /0", "CR 200"]);
    }
}

#[test]
fn lines_that_cannot_be_written_are_a_failure() {
    let host = Namespace::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.pcap");
    fs::write(&path, capture(&exchanges(1))).unwrap();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = Tapline::command(&host, "read");
    let output = command.arg(&path).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
    assert!(stderr.contains("lost_lines=2"), "{stderr}");
}
