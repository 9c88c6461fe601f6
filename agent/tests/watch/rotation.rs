//! Rotation by logrotate itself, in every way that it knows: each line is read once.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{Watch, line};

/// How the writer goes on behind a rotation.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Writer {
    /// It keeps its file: that is truncated.
    Keeps,
    /// It writes on to the renamed file for a while, and then opens the new one.
    Reopens,
}

fn logrotate() -> Option<Command> {
    let places = ["/usr/sbin/logrotate", "/usr/bin/logrotate"];
    let place = places.into_iter().find(|place| Path::new(place).exists());
    if place.is_none() {
        let mut stderr = std::io::stderr().lock();
        drop(writeln!(stderr, "NOT TESTED: logrotate is not installed"));
    }
    place.map(Command::new)
}

fn append(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.create(true).append(true).open(path).unwrap()
}

fn check(ways: &str, writer: Writer) {
    if logrotate().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let configuration = folder.path().join("logrotate.conf");
    let text = format!("{} {{\n rotate 9\n missingok\n{ways}\n}}\n", log.display());
    fs::write(&configuration, text).unwrap();
    // logrotate takes no configuration that others may write.
    fs::set_permissions(&configuration, fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["--report", "-", "--interval", "200ms", "access.log"];
    let mut file = append(&log);
    let mut written = 0;
    let mut write = |file: &mut File, count: u64| {
        for _ in 0..count {
            file.write_all(line(written).as_bytes()).unwrap();
            written += 1;
        }
    };
    write(&mut file, 30);
    let watch = Watch::start(folder.path(), &arguments);
    watch.report_of(30);
    for round in 0..4 {
        write(&mut file, 40);
        let output = logrotate()
            .unwrap()
            .arg("--force")
            .arg("--state")
            .arg(folder.path().join("state"))
            .arg(&configuration)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        write(&mut file, 20);
        if writer == Writer::Reopens {
            // Sometimes the old one is looked at in between.
            if round % 2 == 0 {
                thread::sleep(Duration::from_millis(700));
            }
            write(&mut file, 7);
            file = append(&log);
        }
        write(&mut file, 13);
        // A renamed file may be seen only while the name is its successor's; of files that are
        // truncated twice between two looks the first copy is all that is left.
        thread::sleep(Duration::from_millis(1100));
    }
    let report = watch.report_of(written);
    assert_eq!(report["lines"]["failed"], 0, "{ways}");
    let done = watch.end();
    assert_eq!(done["lines"], written, "{ways}");
    assert_eq!(done["stored"], written, "{ways}");
}

#[test]
fn renamed() {
    check(" create", Writer::Reopens);
}

#[test]
fn renamed_and_compressed() {
    check(" nocreate\n compress\n delaycompress", Writer::Reopens);
    check(
        " create\n compress\n dateext\n dateformat -%s",
        Writer::Keeps,
    );
}

#[test]
fn copied_and_truncated() {
    check(" copytruncate", Writer::Keeps);
}

#[test]
fn copied_truncated_and_compressed() {
    check(" copytruncate\n compress", Writer::Keeps);
}
