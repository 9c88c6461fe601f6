//! What the program keeps of its privileges once it captures, and that it can do its work with it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use tapline_tests::support::{Nginx, Pair, Program, Tapline, curl, program, within};

/// The systemd unit that is shipped.
const UNIT: &str = include_str!("../../config/tapline.service");

const NOBODY: u32 = 65534;
const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;
const BPF: u64 = 1 << 39;

/// Of each thread of a process: user ids and the capability sets, as /proc tells them.
fn threads(id: u32) -> Vec<String> {
    fs::read_dir(format!("/proc/{id}/task"))
        .unwrap()
        .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .collect()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().trim()
}

fn check_threads(tapline: &mut Tapline, user: u32, capabilities: u64) {
    let threads = threads(tapline.process().id());
    assert!(threads.len() >= 2, "{}", threads.len());
    for status in threads {
        for name in ["Uid", "Gid"] {
            let ids: Vec<u32> = field(&status, name)
                .split_whitespace()
                .map(|id| id.parse().unwrap())
                .collect();
            assert_eq!(ids, [user; 4], "{status}");
        }
        for (name, set) in [
            ("CapEff", capabilities),
            ("CapPrm", capabilities),
            ("CapInh", 0),
            ("CapAmb", 0),
            ("CapBnd", 0),
        ] {
            assert_eq!(
                u64::from_str_radix(field(&status, name), 16).unwrap(),
                set,
                "{name}: {status}"
            );
        }
        assert_eq!(field(&status, "NoNewPrivs"), "1", "{status}");
    }
}

#[test]
fn what_is_not_needed_any_more_is_given_up() {
    let pair = Pair::new();
    for (hook, capabilities) in [
        ("tc", BPF | NET_ADMIN),
        ("socket", BPF | NET_RAW),
        ("xdp", BPF | NET_ADMIN),
    ] {
        let flags = format!("-i server0 --attach {hook}");
        let mut tapline = Tapline::start(&pair.server, &flags);
        check_threads(&mut tapline, 0, capabilities);
        let _ended = tapline.stop();
        let mut tapline = Tapline::start(&pair.server, &format!("{flags} --user nobody"));
        check_threads(&mut tapline, NOBODY, capabilities);
        let _ended = tapline.stop();
    }
}

/// What runs as root left behind in the folders is Tapline's, and belongs to the user from then on.
#[test]
fn folders_that_root_used_are_given_to_the_user() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (logs, data) = (folder.path().join("log"), folder.path().join("data"));
    let run = |data: &Path, user: &[&str], code: i32| {
        let mut command = Tapline::command(&pair.server, "run");
        command.args(["-i", "server0", "--format", "zeek", "--duration", "1s"]);
        command
            .arg("--log-dir")
            .arg(&logs)
            .arg("--data-dir")
            .arg(data);
        command.args(user).env("TAPLINE_STORE_ENABLED", "true");
        let done = Program::new(command).output();
        assert_eq!(done.code, Some(code), "{}", done.stderr);
        done.stderr
    };
    run(&data, &[], 0);
    for name in [
        "selftest.json",
        "selftest.json.77",
        "alerts.json",
        "tapline-20260101.db.damaged-1-wal",
    ] {
        fs::write(data.join(name), "{}").unwrap();
    }
    for name in ["conn-20260101.log", "http-20260101.3.log.gz"] {
        fs::write(logs.join(name), "").unwrap();
    }
    run(&data, &["--user", "nobody"], 0);
    for folder in [&logs, &data] {
        let mut found = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().uid(), NOBODY, "{entry:?}");
            found += 1;
        }
        assert!(found >= 2, "{found} in {folder:?}");
    }
    // Somebody else's file is a reason not to give the folder away.
    let other = tempfile::tempdir().unwrap();
    fs::set_permissions(other.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(other.path().join("letter.txt"), "").unwrap();
    let said = run(other.path(), &["--user", "nobody"], 1);
    assert!(
        said.contains("\"letter.txt\" in it is not Tapline's"),
        "{said}"
    );
}

/// With the capabilities and the folder that the unit gives, and the user that /etc/default/tapline may
/// name. The second start finds the folders given away.
#[test]
fn the_unit_starts_again_as_another_user() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let mode = u32::from_str_radix(of_the_unit("StateDirectoryMode"), 8).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    let capabilities: Vec<String> = of_the_unit("CapabilityBoundingSet")
        .split_whitespace()
        .map(|name| name.strip_prefix("CAP_").unwrap().to_lowercase())
        .collect();
    for start in ["first", "second"] {
        let mut command = pair.server.command("setpriv");
        command
            .arg(format!("--bounding-set=-all,+{}", capabilities.join(",+")))
            .args(["--inh-caps=-all", "--no-new-privs"])
            // Without the variables of whoever tests.
            .args(["env", "--ignore-environment"])
            .arg(program())
            .args(["run", "-i", "server0", "--listen", "off"])
            .args(["--duration", "300ms", "--user", "nobody"])
            .current_dir(folder.path());
        let done = Program::new(command).output();
        assert_eq!(done.code, Some(0), "{start}: {}", done.stderr);
        for name in ["logs", "data"] {
            let given = fs::metadata(folder.path().join(name)).unwrap();
            let (owner, mode) = (given.uid(), given.mode() & 0o777);
            assert_eq!((owner, mode), (NOBODY, 0o750), "{start}: {name}");
        }
    }
}

fn of_the_unit(setting: &str) -> &'static str {
    let mut lines = UNIT.lines();
    lines
        .find_map(|line| line.strip_prefix(setting)?.strip_prefix('='))
        .unwrap()
}

#[test]
fn as_another_user_it_writes_reopens_and_takes_an_interface_that_comes_back() {
    for hook in ["tc", "socket", "xdp"] {
        let pair = Pair::new();
        let _nginx = Nginx::start(&pair.server, None);
        let flags = format!("-i server0 --attach {hook} --user nobody");
        let mut tapline = Tapline::start(&pair.server, &flags);
        curl(&pair.client, &["http://10.9.0.1/small?one"]);
        let _heads = tapline.wait_for_heads(2);
        let file = |tapline: &Tapline| {
            let entries = fs::read_dir(tapline.folder())
                .unwrap()
                .map(|entry| entry.unwrap().path());
            let mut logs = entries.filter(|path| path.extension().is_some_and(|end| end == "log"));
            logs.next()
        };
        let path = file(&tapline).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY);

        let aside = path.with_extension("aside");
        fs::rename(&path, &aside).unwrap();
        assert!(tapline.process().holds(&aside));
        tapline.process().signal(libc::SIGHUP);
        within("the old file to be closed", || {
            (!tapline.process().holds(&aside)).then_some(())
        });
        curl(&pair.client, &["http://10.9.0.1/small?two"]);
        let _heads = tapline.wait_for_heads(2);
        assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY);

        pair.server.ip("link delete server0");
        pair.server.join("server0", &pair.client, "client0");
        pair.server.address("server0", "10.9.0.1/24");
        pair.client.address("client0", "10.9.0.2/24");
        tapline
            .process()
            .wait_for_stderr("captures on an interface that appeared");
        curl(&pair.client, &["http://10.9.0.1/small?three"]);
        let ended = tapline.stop();
        let expected = [
            "CQ GET /small?two",
            "CR 200",
            "CQ GET /small?three",
            "CR 200",
        ];
        assert_eq!(ended.summaries(), expected, "{hook}: {}", ended.stderr);
    }
}
