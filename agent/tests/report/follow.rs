//! `tapline report --follow`, while files grow and are rotated.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Folder, line};

struct Follow(Child);

impl Drop for Follow {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Follow {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut command = folder.report(&["--follow", "--interval", "100ms"]);
        command.args(arguments).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn end(&mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.0.wait().unwrap().code()
    }
}

fn append(folder: &Folder, name: &str, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.path(name))
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn lines_as_they_come_through_a_rotation() {
    let folder = Folder::new(&[("access.log", line(0, "/0", 200).as_bytes())]);
    let mut follow = Follow::start(
        &folder,
        &["access.log", "--where", "status<500", "--format", "lines"],
    );
    let mut stdout = BufReader::new(follow.0.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line.split(' ').nth(6).unwrap_or_default().to_owned()
    };
    assert_eq!(next(), "/0");
    append(
        &folder,
        "access.log",
        &(line(1, "/failed", 500) + &line(1, "/1", 200)),
    );
    assert_eq!(next(), "/1");
    fs::rename(folder.path("access.log"), folder.path("access.log.1")).unwrap();
    append(&folder, "access.log.1", &line(2, "/2", 200));
    append(&folder, "access.log", &line(3, "/3", 200));
    assert_eq!([next(), next()], ["/2", "/3"]);
    assert_eq!(follow.end(), Some(0));
}

#[test]
fn the_report_is_written_again() {
    let folder = Folder::new(&[("access.log", line(0, "/0", 200).as_bytes())]);
    let mut follow = Follow::start(&folder, &["access.log", "--format", "json"]);
    let mut stdout = follow.0.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    thread::sleep(Duration::from_secs(3));
    append(&folder, "access.log", &line(1, "/1", 200));
    thread::sleep(Duration::from_secs(3));
    append(&folder, "access.log", line(2, "/2", 200).trim_end());
    assert_eq!(follow.end(), Some(0));
    let text = reader.join().unwrap().unwrap();
    let reports: Vec<u64> = serde_json::Deserializer::from_str(&text)
        .into_iter::<Value>()
        .map(|report| report.unwrap()["totals"]["requests"].as_u64().unwrap())
        .collect();
    assert!(reports.is_sorted(), "{reports:?}");
    // The last has the line without an end too.
    assert_eq!(reports.last(), Some(&3), "{reports:?}");
    assert_eq!(reports.first(), Some(&1), "{reports:?}");
}

#[test]
fn what_cannot_be_followed() {
    let folder = Folder::new(&[("a", b"")]);
    for arguments in [
        &["--follow", "-"][..],
        &["--follow", "--db", "a"],
        &["--follow", "--rotated", "a"],
        &["a", "--interval", "1s"],
    ] {
        let output = folder.report(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let mut follow = Follow::start(&folder, &["nothing there", "--format", "json"]);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(follow.end(), Some(1));
}
