//! The log files while capture runs: formats, one file or four, renamed, removed, no room.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use tapline_tests::support::{
    Head, Namespace, Nginx, Pair, Process, Program, Tapline, curl, heads_of, run, summaries, within,
};

/// The log files of a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()));
    let mut files: Vec<PathBuf> = entries.into_iter().flatten().collect();
    files.retain(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("http-")
    });
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn heads(path: &Path) -> Vec<Head> {
    heads_of(&fs::read_to_string(path).unwrap_or_default())
}

fn start(namespace: &Namespace, flags: &str, folder: &Path) -> Process {
    let mut command = Tapline::command(namespace, "run");
    command
        .env("TZ", "UTC")
        .args(flags.split_whitespace())
        .arg("--log-dir")
        .arg(folder);
    let mut process = Program::new(command).start();
    process.wait_for_stderr("stop with Ctrl-C");
    process
}

fn stop(process: Process) -> String {
    process.signal(libc::SIGTERM);
    let done = process.end_within(20);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), ""),
        "{}",
        done.stderr
    );
    done.stderr
}

/// A date and a time that stand for whatever they were; `None` if they are not `2019-09-01
/// 14:16:51.002`.
fn without_time(line: &str) -> Option<&str> {
    let pattern = "0000-00-00 00:00:00.000 ";
    let (time, rest) = line.split_at_checked(pattern.len())?;
    let digits: String = time
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    (digits == pattern).then_some(rest)
}

#[test]
fn classic_lines_hold_what_they_promise() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let folder = tempfile::tempdir().unwrap();
    let process = start(&pair.server, "-i server0", folder.path());
    let ask = [
        "--local-port",
        "41000",
        "--user-agent",
        "an agent/1",
        "http://10.9.0.1/small?x=1",
    ];
    curl(&pair.client, &ask);
    let ask = [
        "--local-port",
        "41001",
        "--user-agent",
        "",
        "--header",
        "Host: forged\u{1b}[31m",
        "-0",
    ];
    curl(
        &pair.client,
        &[&ask[..], &["http://[fd09::1]/moved"]].concat(),
    );
    stop(process);
    let [file] = &files(folder.path())[..] else {
        panic!("not one file: {:?}", files(folder.path()));
    };
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| without_time(line).unwrap_or(line))
        .collect();
    assert_eq!(
        lines[..2],
        [
            "10.9.0.2#41000 10.9.0.1#80 CQ GET /small?x=1 HTTP/1.1 10.9.0.1 an agent/1",
            "10.9.0.1#80 10.9.0.2#41000 CR HTTP/1.1 200 OK 6 text/plain",
        ]
    );
    assert_eq!(
        lines[2],
        "fd09::2#41001 fd09::1#80 CQ GET /moved HTTP/1.0 forged\\x1b[31m -"
    );
    // nginx refuses such a host: what it answers is its own choice, that there is an answer is not.
    assert!(
        lines[3].starts_with("fd09::1#80 fd09::2#41001 CR HTTP/1.1 "),
        "{}",
        lines[3]
    );
    assert_eq!(lines.len(), 4);
    let day = name(file);
    let first = text.lines().next().unwrap();
    assert_eq!(day, format!("http-{}.log", first[..10].replace('-', "")));
}

#[test]
fn four_files_hold_one_kind_each() {
    let host = Namespace::new();
    let _nginx = Nginx::start(&host, None);
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("tapline.yaml");
    fs::write(
        &configuration,
        "capture: {loopback: both}\nlog: {format: json, split: true}\n",
    )
    .unwrap();
    let logs = folder.path().join("logs");
    let flags = format!("-i lo --config {}", configuration.display());
    let process = start(&host, &flags, &logs);
    curl(
        &host,
        &["http://127.0.0.1/small", "http://127.0.0.1/nowhere"],
    );
    stop(process);
    let found: Vec<(String, Vec<String>)> = files(&logs)
        .iter()
        .map(|path| (name(path)[..8].to_owned(), summaries(&heads(path))))
        .collect();
    let expect = |kind: &str, first: &str, second: &str| {
        (
            format!("http-{kind}-"),
            vec![format!("{kind} {first}"), format!("{kind} {second}")],
        )
    };
    assert_eq!(
        found,
        [
            expect("CQ", "GET /small", "GET /nowhere"),
            expect("CR", "200", "404"),
            expect("SQ", "GET /small", "GET /nowhere"),
            expect("SR", "200", "404"),
        ]
    );
}

#[test]
fn after_a_rename_and_a_hang_up_lines_go_to_a_new_file() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let mut tapline = Tapline::start(&pair.server, "-i server0");
    curl(&pair.client, &["http://10.9.0.1/small?old"]);
    let _heads = tapline.wait_for_heads(2);
    let path = files(&tapline.folder()).remove(0);
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    // Until it is told, it writes on where it was: nothing is lost in between.
    curl(&pair.client, &["http://10.9.0.1/small?between"]);
    within("lines in the renamed file", || {
        (heads(&aside).len() == 4).then_some(())
    });
    let old = [
        "CQ GET /small?old",
        "CR 200",
        "CQ GET /small?between",
        "CR 200",
    ];
    assert_eq!(summaries(&heads(&aside)), old);
    tapline.process().signal(libc::SIGHUP);
    within("the old file to be closed", || {
        (!tapline.process().holds(&aside)).then_some(())
    });
    curl(&pair.client, &["http://10.9.0.1/small?new"]);
    let ended = tapline.stop();
    assert_eq!(ended.summaries(), ["CQ GET /small?new", "CR 200"]);
    assert_eq!(ended.count("lines/stored"), 6);
}

#[test]
fn a_folder_that_is_removed_is_made_again() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let tapline = Tapline::start(&pair.server, "-i server0");
    curl(
        &pair.client,
        &["http://10.9.0.1/small?lost-with-the-folder"],
    );
    let _heads = tapline.wait_for_heads(2);
    fs::remove_dir_all(tapline.folder()).unwrap();
    curl(&pair.client, &["http://10.9.0.1/small?after"]);
    let heads = tapline.wait_for_heads(2);
    assert_eq!(summaries(&heads), ["CQ GET /small?after", "CR 200"]);
    let ended = tapline.stop();
    let said = ended
        .stderr
        .matches("the log file was deleted; it is made again")
        .count();
    assert_eq!(said, 1, "{}", ended.stderr);
}

/// A file system in memory of this size; unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size}"),
                "tapline-e2e",
                &path,
            ],
        );
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let filler = fs::File::create(self.path().join("filler")).unwrap();
        let mut filler = std::io::BufWriter::with_capacity(4096, filler);
        while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
        drop(filler.into_parts());
    }

    fn free(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.path().display().to_string();
        drop(
            std::process::Command::new("umount")
                .args(["--lazy", &path])
                .output(),
        );
    }
}

#[test]
fn a_full_disk_loses_lines_countably_and_it_goes_on_when_there_is_room() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let disk = SmallDisk::new("256k");
    let mut command = Tapline::command(&pair.server, "run");
    command
        .args(["-i", "server0", "--json", "--format", "json", "--log-dir"])
        .arg(disk.path());
    let mut process = Program::new(command).start();
    process.wait_for_stderr("stop with Ctrl-C");
    let ask = |what: &str| curl(&pair.client, &[&format!("http://10.9.0.1/small?{what}")]);
    let written = || {
        files(disk.path())
            .iter()
            .flat_map(|path| heads(path))
            .collect::<Vec<_>>()
    };
    let has = |target: &str| {
        let target = format!("/small?{target}");
        written().iter().any(|head| head.text("target") == target)
    };
    ask("before");
    within("the first lines", || (written().len() == 2).then_some(()));
    disk.fill();
    // The file's last page has room for some lines still.
    let mut count = 0;
    within("lines to be lost", || {
        count += 1;
        ask(&format!("full-{count}"));
        process
            .stderr()
            .contains("log lines cannot be written")
            .then_some(())
    });
    for number in 0..20 {
        ask(&format!("lost-{number}"));
    }
    // What is still in the ring would find room again.
    within("the last lines to be lost", || {
        let ledger = curl(&pair.server, &["http://127.0.0.1:8000/api/ledger"]).stdout;
        let ledger: serde_json::Value = serde_json::from_str(&ledger).unwrap();
        (ledger["lines"]["lost"].as_u64() >= Some(40)).then_some(())
    });
    disk.free();
    let mut count = 0;
    within("lines again", || {
        count += 1;
        ask(&format!("after-{count}"));
        has(&format!("after-{count}")).then_some(())
    });
    process.signal(libc::SIGTERM);
    let done = process.end_within(20);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let ledger: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let lines = |name: &str| ledger["lines"][name].as_u64().unwrap();
    assert!(lines("lost") >= 40, "{ledger:#}");
    assert_eq!(lines("accepted"), lines("stored") + lines("lost"));
    assert_eq!(lines("stored"), written().len() as u64);
    assert_eq!(ledger["heads"]["found"], lines("accepted"));
    assert!(!has("lost-0"));
    let said = done.stderr.matches("log lines cannot be written").count();
    assert_eq!(said, 1, "said once: {}", done.stderr);
    assert!(
        done.stderr.contains("log lines are written again"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_folder_is_of_one_process() {
    let pair = Pair::new();
    let tapline = Tapline::start(&pair.server, "-i server0");
    let mut command = Tapline::command(&pair.server, "run");
    command
        .args(["--listen", "off", "-i", "server0", "--log-dir"])
        .arg(tapline.folder());
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(done.stderr.starts_with("tapline: "), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(
        done.stderr
            .contains(&tapline.folder().display().to_string()),
        "{}",
        done.stderr
    );
    let _ended = tapline.stop();
}

#[test]
fn a_file_that_cannot_be_written_to_is_told_of_at_the_start() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    // The day may change while this runs.
    for day in ["now", "tomorrow"] {
        let day = run("date", &["--utc", "--date", day, "+%Y%m%d"]);
        fs::create_dir(folder.path().join(format!("http-{}.log", day.trim()))).unwrap();
    }
    let mut command = Tapline::command(&pair.server, "run");
    command
        .env("TZ", "UTC")
        .args("-i server0 --listen off --duration 1s --log-dir".split(' '))
        .arg(folder.path());
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let begin = format!("tapline: log file {}/http-", folder.path().display());
    assert!(done.stderr.starts_with(&begin), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

/// What the first lines announce is what is written.
#[test]
fn the_files_that_are_announced_are_those_that_are_written() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let check = |flags: &str, announced: &str, written: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let flags = format!("-i server0 --listen off {flags}");
        let process = start(&pair.server, &flags, folder.path());
        curl(&pair.client, &["http://10.9.0.1/small"]);
        let said = stop(process);
        assert!(said.contains(&format!("/{announced};")), "{flags}: {said}");
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut series: Vec<String> = entries
            .map(|entry| name(&entry.unwrap().path()))
            .filter_map(|name| Some(name.strip_suffix(".log")?.rsplit_once('-')?.0.to_owned()))
            .collect();
        series.sort();
        assert_eq!(series, written, "{flags}");
    };
    check("--format json", "http-YYYYMMDD.log", &["http"]);
    check(
        "--format json --split",
        "http-{CQ,CR,SQ,SR}-YYYYMMDD.log",
        &["http-CQ", "http-CR"],
    );
    check("--format combined --split", "http-YYYYMMDD.log", &["http"]);
    check("--format ecs --split", "http-YYYYMMDD.log", &["http"]);
    check(
        "--format zeek --split",
        "{http,conn}-YYYYMMDD.log",
        &["conn", "http"],
    );
    check(
        "--format zeek --no-sessions",
        "http-YYYYMMDD.log",
        &["http"],
    );
}
