//! `tapline selftest` and `tapline gen packets` with the real kernel programs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tapline::generate::packets::run::read_truth;
use tapline::generate::packets::shape::Shape;
use tapline::generate::packets::truth::Truth;
use tapline_tests::support::{
    Namespace, Pair, Program, Tapline, curl, program, within, within_seconds,
};

/// The program, with its temporary files in a folder of its own. Whoever starts the tests may have SIGHUP ignored.
fn selftest(folder: &Path, flags: &str) -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP").arg(program());
    command.arg("selftest").args(flags.split_whitespace());
    command
        .args(["--json", "--data-dir"])
        .arg(folder.join("data"));
    without_variables(&mut command);
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    command.env("TMPDIR", temporary);
    command
}

/// Takes the variables away that would be settings of the program.
fn without_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TAPLINE_") {
            command.env_remove(name);
        }
    }
}

/// Loads share the CPUs: one selftest at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network namespaces of all processes.
fn namespaces() -> BTreeSet<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let links = processes.filter_map(|process| fs::read_link(process.path().join("ns/net")).ok());
    links.map(|link| link.display().to_string()).collect()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder.join("tmp")).unwrap().next().is_none()
}

#[test]
fn every_hook_writes_all_that_was_sent() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let done = Program::new(selftest(folder.path(), "--load 1s --exchanges 500")).output();
    let report: Value = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", done.stderr));
    let rows = report["rows"].as_array().unwrap();
    for row in rows {
        assert_eq!(row["passed"], true, "{row:#}");
        assert_eq!(row["ledger_closed"], true, "{row:#}");
    }
    let hooks: BTreeSet<&str> = rows
        .iter()
        .map(|row| row["hook"].as_str().unwrap())
        .collect();
    assert_eq!(hooks, BTreeSet::from(["tc", "socket", "xdp"]));
    // Both sides of every hard shape, and load, by each hook on its way in and on its way out.
    for way in ["in", "out"] {
        let of_way = rows
            .iter()
            .filter(|row| row["way"] == way && row["shape"] != "load");
        assert_eq!(of_way.count(), 3 * Shape::ALL.len(), "{way}");
    }
    let loads = rows.iter().filter(|row| row["shape"] == "load");
    let sent: Vec<u64> = loads.map(|row| row["sent"].as_u64().unwrap()).collect();
    assert!(
        sent.len() == 6 && sent.iter().all(|sent| *sent > 1000),
        "{sent:?}"
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(report["seconds"].as_f64().unwrap() < 60.0);
    assert!(is_empty(folder.path()));

    // The result is kept, and shown beside a capture.
    let pair = Pair::new();
    let data = folder.path().join("data").display().to_string();
    let tapline = Tapline::start(&pair.server, &format!("-i server0 --data-dir {data}"));
    let metrics = curl(&pair.server, &["http://127.0.0.1:8000/metrics"]).stdout;
    assert!(metrics.contains("tapline_selftest_recall 1\n"), "{metrics}");
    assert!(metrics.contains("tapline_selftest_passed 1\n"), "{metrics}");
    assert!(
        metrics.contains("tapline_selftest_precision 1\n"),
        "{metrics}"
    );
    let ledger = curl(&pair.server, &["http://127.0.0.1:8000/api/ledger"]).stdout;
    let ledger: Value = serde_json::from_str(&ledger).unwrap();
    assert_eq!(ledger["selftest"]["passed"], true, "{ledger:#}");
    let _ended = tapline.stop();
}

#[test]
fn a_signal_ends_it_and_nothing_is_left() {
    let _alone = alone();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let folder = tempfile::tempdir().unwrap();
        let before = namespaces();
        let process = Program::new(selftest(folder.path(), "--attach tc --load 20s")).start();
        // In the middle of it: the capture writes its lines there.
        within("the capture of the selftest", || {
            let mut found = fs::read_dir(folder.path().join("tmp")).unwrap().flatten();
            found
                .any(|entry| entry.path().join("log").exists())
                .then_some(())
        });
        let selftest = process.id();
        let capture = within("the capture's process", || child_of(selftest));
        std::thread::sleep(Duration::from_millis(1500));
        process.signal(signal);
        let done = process.end_within(20);
        assert_eq!(done.code, Some(1), "{}", done.stderr);
        assert!(
            done.stderr.contains("stopped before the test was done"),
            "{}",
            done.stderr
        );
        assert_eq!(done.stdout, "");
        assert!(is_empty(folder.path()));
        assert!(!folder.path().join("data").exists());
        assert!(state_of(capture).is_none_or(|(_, state)| state == "Z"));
        let left: Vec<String> = namespaces().difference(&before).cloned().collect();
        // Selftests of the other tests have this interface too, and end.
        within_seconds(60, "the end of every namespace", || {
            (!interfaces_of(&left).contains("tapline0")).then_some(())
        });
    }
}

#[test]
fn the_capture_of_a_selftest_that_is_killed_ends_with_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let process = Program::new(selftest(folder.path(), "--attach tc --load 20s")).start();
    let selftest = process.id();
    let capture = within("the capture of the selftest", || child_of(selftest));
    within("its first lines", || {
        let mut found = fs::read_dir(folder.path().join("tmp")).unwrap().flatten();
        found
            .any(|entry| entry.path().join("log").exists())
            .then_some(())
    });
    process.signal(libc::SIGKILL);
    let done = process.end_within(5);
    assert_eq!(done.signal, Some(libc::SIGKILL));
    within("the end of its capture", || {
        (state_of(capture).is_none_or(|(_, state)| state == "Z")).then_some(())
    });
}

/// A process that this one has started.
fn child_of(parent: u32) -> Option<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .find(|id| state_of(*id).is_some_and(|(of, _)| of == parent))
}

/// The parent of a process, and its state; `None`: it is gone.
fn state_of(process: u32) -> Option<(u32, String)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may have blanks and brackets of its own.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.to_owned();
    Some((fields.next()?.parse().ok()?, state))
}

/// The interfaces of the processes that are in these namespaces.
fn interfaces_of(namespaces: &[String]) -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let inside = processes.filter(|process| {
        let link = fs::read_link(process.path().join("ns/net"));
        link.is_ok_and(|link| namespaces.contains(&link.display().to_string()))
    });
    inside
        .filter_map(|process| fs::read_to_string(process.path().join("net/dev")).ok())
        .collect()
}

#[test]
fn without_privileges_it_says_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("setpriv");
    command.args([
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--reuid=65534",
        "--clear-groups",
    ]);
    command
        .arg(program())
        .args(["selftest", "--attach", "tc", "--data-dir"]);
    command.arg(folder.path()).env("TMPDIR", "/tmp");
    without_variables(&mut command);
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.contains("cannot make a network namespace"),
        "{}",
        done.stderr
    );
    assert!(last.contains("root"), "{}", done.stderr);
    assert_eq!(last.matches("os error").count(), 1, "{last}");
}

/// Two namespaces and a cable between `near0` and `far0`.
fn cable() -> (Namespace, Namespace) {
    let (near, far) = (Namespace::new(), Namespace::new());
    near.join("near0", &far, "far0");
    (near, far)
}

fn gen_packets(namespace: &Namespace, flags: &str) -> Program {
    let mut command = Tapline::command(namespace, "gen");
    command
        .args(["packets", "-q"])
        .args(flags.split_whitespace());
    Program::new(command)
}

#[test]
fn live_frames_are_whole_conversations() {
    let (near, far) = cable();
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth").display().to_string();
    // Nobody takes frames of XDP there.
    let done = gen_packets(&far, "--interface far0 --xdp -n 1000").output();
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(
        done.stderr.contains("far0 takes no frames by XDP"),
        "{}",
        done.stderr
    );

    let tapline = Tapline::start(
        &near,
        "-i near0 --attach xdp --local 198.19.0.0/16 --listen off",
    );
    let done = gen_packets(
        &far,
        &format!("--interface far0 --xdp -n 8000 --truth {truth}"),
    )
    .output();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let truth = read_truth(Path::new(&truth)).unwrap();
    let messages: BTreeSet<String> = truth
        .iter()
        .filter_map(|told| match told {
            Truth::Message(message) => Some(format!(
                "{} {} to {} {}: {}",
                message.src_ip, message.src_port, message.dst_ip, message.dst_port, message.line
            )),
            _ => None,
        })
        .collect();
    assert!(messages.len() >= 2000, "{}", messages.len());
    let ended = tapline.stop();
    let found: BTreeSet<String> = ended
        .heads
        .iter()
        .map(|head| {
            let line = match head.number("status") {
                Some(status) => format!("HTTP/1.1 {status} {}", head.text("reason")),
                None => format!("{} {} HTTP/1.1", head.text("method"), head.text("target")),
            };
            let port = |name| head.number(name).unwrap();
            format!(
                "{} {} to {} {}: {line}",
                head.text("src_ip"),
                port("src_port"),
                head.text("dst_ip"),
                port("dst_port")
            )
        })
        .collect();
    // The first, refused run sent nothing that anybody saw.
    assert_eq!(found, messages);
}

#[test]
fn an_interface_behind_which_others_may_be_is_refused() {
    let namespace = Namespace::new();
    namespace.ip("link add veth7 type bridge");
    namespace.ip("link set veth7 up");
    for more in ["", " --xdp"] {
        let done = gen_packets(&namespace, &format!("--interface veth7{more}")).output();
        assert_eq!(done.code, Some(2), "{}", done.stderr);
        assert!(
            done.stderr.contains("--interface-allowed veth7"),
            "{}",
            done.stderr
        );
    }
    let done = gen_packets(
        &namespace,
        "--interface veth7 --interface-allowed veth7 --shape plain",
    )
    .output();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}
