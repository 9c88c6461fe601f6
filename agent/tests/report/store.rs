//! `tapline report --db` over a store that `tapline serve` has written.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Folder, warnings};

/// `tapline serve`, which ends with the test.
struct Serve(std::process::Child);

impl Drop for Serve {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Stores these exchanges, an object a line, with the real program, which then ends.
fn store(folder: &Path, exchanges: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command
        .current_dir(folder)
        .env_clear()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut serve = Serve(command.spawn().unwrap());
    let mut said = BufReader::new(serve.0.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ends early");
        if let Some((_, behind)) = line.split_once("http://") {
            let ends = |letter: char| !(letter.is_ascii_digit() || ".:".contains(letter));
            break behind[..behind.find(ends).unwrap_or(behind.len())].to_owned();
        }
    };
    std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "POST /api/exchanges HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{exchanges}",
        exchanges.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let id = serve.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(serve.0.wait().unwrap().code(), Some(0));
}

fn exchange(number: u64, ts: Timestamp, status: u16) -> String {
    format!(
        "{{\"exchange_id\":\"{number:032x}\",\"ts\":\"{ts}\",\"role\":\"server\",\"outcome\":\"complete\",\
         \"src_ip\":\"192.0.2.{}\",\"src_port\":5000,\"dst_ip\":\"198.51.100.1\",\"dst_port\":80,\
         \"method\":\"GET\",\"target\":\"/item/{number}?x=1\",\"version\":\"HTTP/1.1\",\"host\":\"example.com\",\
         \"user_agent\":\"curl/8\",\"status\":{status},\"ttfb_us\":{},\"response_bytes\":100,\"cpu_id\":0}}\n",
        number % 5 + 1,
        1000 + number,
    )
}

#[test]
fn a_store_of_several_days() {
    let folder = Folder::new(&[]);
    let now = Timestamp::now();
    let mut text = String::new();
    // 40 of each of three days, of which every tenth failed.
    for number in 0..120_u64 {
        let hours = 24 * (number / 40) as i64;
        let ts = now - SignedDuration::from_hours(hours) - SignedDuration::from_secs(60);
        let status = match number % 10 {
            0 => 503,
            _ => 200,
        };
        write!(text, "{}", exchange(number, ts, status)).unwrap();
    }
    store(folder.0.path(), &text);
    let (report, code) = folder.json(&["--db=data"]);
    assert_eq!(code, 0);
    assert_eq!(report["totals"]["requests"], 120);
    assert_eq!(report["totals"]["clients"], 5);
    assert_eq!(report["totals"]["server_errors"], 12);
    assert_eq!(report["totals"]["latency"]["max_us"], 1119);
    assert_eq!(report["sources"][0]["formats"][0], "store");
    assert_eq!(report["endpoints"]["rows"][0]["template"], "/item/{id}");
    let check = |arguments: &[&str], expected: u64| {
        let (report, code) = folder.json(&[&["--db=data"], arguments].concat());
        assert_eq!((&report["totals"]["requests"], code), (&expected.into(), 0));
    };
    check(&["--since", "12h"], 40);
    check(&["--since", "36h"], 80);
    check(&["--until", "36h"], 40);
    check(&["--where", "status=503 and endpoint=/item/{id}"], 12);
    let (report, _) = folder.json(&["--db=data", "--since", "12h", "--compare", "1d"]);
    assert_eq!(report["before"]["totals"]["requests"], 40);

    // The command of an insight shows its lines.
    let (report, _) = folder.json(&["--db=data"]);
    let insights = report["insights"].as_array().unwrap();
    let errors = insights
        .iter()
        .find(|one| one["kind"] == "server_errors")
        .unwrap();
    let command = errors["command"].as_str().unwrap();
    let script = command.replacen("tapline", env!("CARGO_BIN_EXE_tapline"), 1);
    let shell = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.0.path())
        .output();
    let shown = String::from_utf8(shell.unwrap().stdout).unwrap();
    assert_eq!(shown.lines().count(), 12, "{command}\n{shown}");
    assert!(
        shown.lines().all(|line| line.contains("\" 503 100 ")),
        "{shown}"
    );
}

#[test]
fn a_folder_without_a_store() {
    let folder = Folder::new(&[]);
    let (report, code): (Value, i32) = folder.json(&["--db=nothing"]);
    assert_eq!(report["totals"]["requests"], 0);
    assert_eq!(
        (warnings(&report).len(), code),
        (1, i32::from(warnings(&report)[0] == "unread"))
    );
}
