//! `tapline gen sessions`, the program: to a real `tapline serve`, to a back end that refuses, to nobody, to the
//! store, to files; what it says, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tapline::store::{Order, SessionFilter, Store};

fn generator(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command
        .args(["gen", "sessions"])
        .args(line.split_whitespace())
        .env_clear();
    command
}

fn output(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A program that ends with the test, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

/// The back end, and the address of its API.
fn serve(folder: &Path) -> (Running, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_tapline"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder)
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut serve = Running(child);
    for line in BufReader::new(serve.0.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, behind)) = line.split_once("http://") {
            let (address, _) = behind.split_once("/api").unwrap();
            return (serve, format!("http://{address}/api"));
        }
    }
    panic!("it does not say where it listens");
}

fn stored(folder: &Path) -> usize {
    let store = Store::open(folder).unwrap();
    let rows = store.sessions(&SessionFilter::default(), Order::Oldest, None, 1 << 20);
    rows.unwrap().len()
}

/// The account at the end, of `--json`.
fn account(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

#[test]
fn ten_records_go_to_the_api_and_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (_serve, url) = serve(folder.path());
    let (code, stdout, stderr) = output(&mut generator(&format!("--api-url {url} --seed 7")));
    assert_eq!(code, 0, "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    let rule = "=".repeat(80);
    let begin = [
        &rule,
        "log-gen: Traffic Log Generator",
        &rule,
        "[INFO] Generating 10 logs...",
        "",
    ];
    assert_eq!(lines[..5], begin);
    for (number, line) in (1..=10).zip(&lines[5..15]) {
        assert!(line.starts_with(&format!("[{number}] ")), "{line}");
        let columns: Vec<&str> = line.split(" | ").collect();
        assert_eq!(columns.len(), 5, "{line}");
        assert!(
            columns[1].contains(" → ") && columns[2].starts_with("Packets: "),
            "{line}"
        );
    }
    assert_eq!(lines[15..], ["", "[DONE] 10/10 logs sent successfully"]);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.contains("10 records, ") && stderr.contains(" 0 refused; seed=7"),
        "{stderr}"
    );
    assert_eq!(stored(folder.path()), 10);
    // The API shows what the lines show.
    let (_, records, _) = output(&mut generator("--seed 7 --output -"));
    let store = Store::open(folder.path()).unwrap();
    let rows = store
        .sessions(&SessionFilter::default(), Order::Oldest, None, 100)
        .unwrap();
    let mut found: Vec<(String, u64)> = rows
        .sessions()
        .map(|record| (record.src_ip.to_string(), record.bytes))
        .collect();
    let mut expected: Vec<(String, u64)> = records
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            (
                record["src_ip"].as_str().unwrap().to_owned(),
                record["bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn arrays_over_several_connections_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (_serve, url) = serve(folder.path());
    let mut sum = 0;
    for (flags, count) in [
        ("-n 5750 --batch 500 --connections 4", 5_750),
        ("-n 1000 --batch 7 --connections 2 --gzip", 1000),
        ("-n 500 --connections 8", 500),
        ("--batch 300 --rate 20000 --duration 200ms", 4_000),
    ] {
        let line = format!("{flags} --api-url {url} --json --realistic --jobs 2");
        let (code, stdout, stderr) = output(&mut generator(&line));
        let account = account(&stdout);
        assert!(matches!(code, 0 | 6), "{flags}: {stderr}");
        assert_eq!(account["records"], count, "{flags}");
        assert_eq!(account["refused"], 0);
        assert_eq!(account["undelivered"], 0);
        sum += count;
    }
    assert_eq!(stored(folder.path()), sum);
}

#[test]
fn batches_are_cumulative_and_end_with_an_account() {
    let folder = tempfile::tempdir().unwrap();
    let (_serve, url) = serve(folder.path());
    for (language, begins, batch, done, ends) in [
        (
            "en",
            "[DAEMON] Starting (batch size: 5, interval: 0.2s)",
            "Generating batch...",
            "[OK] 5/5 sent (",
            "[STOP] Generated: ",
        ),
        (
            "ko",
            "🚀 데몬 모드 시작 (배치 크기: 5, 간격: 0.2초)",
            "배치 생성 중...",
            "✅ 5/5 전송 완료 (",
            "🛑 중지: 생성 ",
        ),
    ] {
        let line = format!("-d -n 5 -i 0.2 --api-url {url} --lang {language}");
        let child = generator(&line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = Running(child);
        let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let mut seen = Vec::new();
        // Until the third batch is over.
        while seen
            .iter()
            .filter(|line: &&String| line.starts_with(done))
            .count()
            < 3
        {
            seen.push(lines.next().unwrap().unwrap());
        }
        child.signal("INT");
        seen.extend(lines.map(Result::unwrap));
        assert_eq!(child.0.wait().unwrap().code(), Some(0));
        assert_eq!(seen[3], begins);
        assert!(seen[4].ends_with(&url), "{}", seen[4]);
        let totals: Vec<&String> = seen.iter().filter(|line| line.starts_with(done)).collect();
        for (number, line) in (1..).zip(totals) {
            assert!(line.ends_with(&format!(": {0}/{0}", number * 5)), "{line}");
        }
        let stamp = seen.iter().find(|line| line.ends_with(batch)).unwrap();
        // [2026-02-10 13:45:00] …
        assert_eq!(
            (stamp.as_bytes()[0], stamp.as_bytes()[20]),
            (b'[', b']'),
            "{stamp}"
        );
        assert!(seen.last().unwrap().starts_with(ends), "{seen:?}");
        let mut stderr = String::new();
        child
            .0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert!(
            stderr.contains(" records, ") && stderr.contains("0 refused"),
            "{stderr}"
        );
    }
}

#[test]
fn the_language_is_that_of_the_environment() {
    let check = |variable: &str, value: &str, flags: &str, expected: &str| {
        let line = format!("-n 1 --dry-run {flags}");
        let (code, stdout, _) = output(generator(&line).env(variable, value));
        assert_eq!(code, 0);
        assert!(stdout.contains(expected), "{stdout}");
    };
    check("LANG", "ko_KR.UTF-8", "", "✅ 완료: 로그 1개 생성");
    check(
        "LANG",
        "ko_KR.UTF-8",
        "--lang en",
        "[DONE] 1 logs generated, none sent (dry run)",
    );
    check("LANG", "C.UTF-8", "", "[DONE] 1 ");
    check("LANG", "C.UTF-8", "--lang ko", "📊 1개의 로그 생성 중...");
}

#[test]
fn quiet_leaves_out_the_line_of_each_record() {
    let (_, stdout, stderr) = output(&mut generator("-n 20 -q --dry-run --seed 1"));
    assert_eq!(stdout.lines().count(), 7, "{stdout}");
    assert!(
        stdout.ends_with("[DONE] 20 logs generated, none sent (dry run)\n"),
        "{stdout}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// A back end by hand. Answers each request as `answer` says for its number (from 0) and body: the
/// status line, and the body of the answer.
fn back_end(
    answer: impl Fn(u64, &str) -> (&'static str, String) + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let bodies = Arc::<Mutex<Vec<String>>>::default();
    let (kept, answer, number) = (
        Arc::clone(&bodies),
        Arc::new(answer),
        Arc::new(AtomicU64::new(0)),
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), kept, answer, number) = (
                stream,
                Arc::clone(&kept),
                Arc::clone(&answer),
                Arc::clone(&number),
            ) else {
                return;
            };
            thread::spawn(move || drop(converse(stream, &kept, &*answer, &number)));
        }
    });
    (url, bodies)
}

fn converse(
    mut stream: TcpStream,
    kept: &Mutex<Vec<String>>,
    answer: &(dyn Fn(u64, &str) -> (&'static str, String) + Sync),
    number: &AtomicU64,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut length, mut first) = (0, true);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if std::mem::take(&mut first) {
                assert_eq!(line.trim_end(), "POST /api/logs HTTP/1.1");
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        let (status, text) = answer(number.fetch_add(1, SeqCst), &body);
        kept.lock().unwrap().push(body);
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes())?;
    }
}

const REFUSAL: (&str, &str) = ("422 Unprocessable Entity", "{\"detail\":\"no ICMP here\"}");

#[test]
fn what_is_refused_is_counted_and_ends_with_5() {
    let (url, bodies) = back_end(|number, _| match number % 4 {
        3 => (REFUSAL.0, REFUSAL.1.to_owned()),
        _ => ("201 Created", "{}".to_owned()),
    });
    let (code, stdout, stderr) = output(&mut generator(&format!("-n 20 --api-url {url}")));
    assert_eq!(code, 5, "{stderr}");
    let errors = stdout.lines().filter(|line| line.starts_with("[ERROR] "));
    assert_eq!(errors.clone().count(), 5, "{stdout}");
    assert!(
        errors.clone().all(|line| line.contains("no ICMP here")),
        "{stdout}"
    );
    assert!(
        stdout.ends_with("[DONE] 15/20 logs sent successfully\n"),
        "{stdout}"
    );
    assert!(stderr.contains(" 5 refused"), "{stderr}");
    assert_eq!(
        bodies.lock().unwrap().len(),
        20,
        "what is refused is not sent again"
    );
}

#[test]
fn of_an_array_exactly_the_records_at_fault_are_refused() {
    let (url, bodies) = back_end(|_, body| match body.contains("\"ICMP\"") {
        true => (REFUSAL.0, REFUSAL.1.to_owned()),
        false => ("201 Created", String::new()),
    });
    let line = format!("-n 400 --batch 100 --seed 3 --json --api-url {url}");
    let (code, stdout, _) = output(&mut generator(&line));
    assert_eq!(code, 5);
    let (_, records, _) = output(&mut generator("-n 400 --seed 3 --output -"));
    let at_fault = records
        .lines()
        .filter(|line| line.contains("\"ICMP\""))
        .count();
    assert!(at_fault > 50);
    assert_eq!(account(&stdout)["refused"], at_fault);
    let bodies = bodies.lock().unwrap();
    let taken: usize = bodies
        .iter()
        .filter(|body| !body.contains("\"ICMP\""))
        .map(|body| {
            serde_json::from_str::<Value>(body)
                .unwrap()
                .as_array()
                .map_or(1, Vec::len)
        })
        .sum();
    assert_eq!(taken, 400 - at_fault, "each of the others came once");
}

#[test]
fn what_passes_is_tried_again() {
    let (url, bodies) = back_end(|number, _| match number {
        0..3 => ("503 Service Unavailable", "{}".to_owned()),
        5 => ("429 Too Many Requests", "{}".to_owned()),
        _ => ("201 Created", "{}".to_owned()),
    });
    let (code, stdout, stderr) =
        output(&mut generator(&format!("-n 6 --retry 60s --api-url {url}")));
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.ends_with("[DONE] 6/6 logs sent successfully\n"),
        "{stdout}"
    );
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 10);
    assert!(
        bodies[..4].iter().all(|body| *body == bodies[0]),
        "the same record again"
    );
}

#[test]
fn a_wrong_address_is_no_reason_to_try_again() {
    let (url, bodies) = back_end(|_, _| ("404 Not Found", "{\"detail\":\"Not Found\"}".to_owned()));
    let begun = Instant::now();
    let (code, stdout, stderr) = output(&mut generator(&format!(
        "-n 40 --retry 60s --api-url {url}"
    )));
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stdout.contains("answered 404") && stdout.contains("--api-url"),
        "{stdout}"
    );
    assert!(stdout.contains("[DONE] 0/40"), "{stdout}");
    assert_eq!(bodies.lock().unwrap().len(), 40);
    assert!(begun.elapsed() < Duration::from_secs(40));
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn an_api_that_cannot_be_reached_ends_with_4() {
    let line = format!("--retry 300ms --api-url http://{}/api", nobody());
    let (code, stdout, stderr) = output(&mut generator(&line));
    assert_eq!(code, 4, "{stderr}");
    assert!(
        stdout.contains("[ERROR] sending to the API failed: cannot connect to 127.0.0.1"),
        "{stdout}"
    );
    assert!(
        stdout.ends_with("[DONE] 0/10 logs sent successfully\n"),
        "{stdout}"
    );
    assert!(stderr.contains("could not be delivered"), "{stderr}");
    let (code, stdout, _) = output(&mut generator(&format!(
        "{line} --batch 3 --json -n 100000"
    )));
    assert_eq!(code, 4);
    let account = account(&stdout);
    assert_eq!(account["records"], account["undelivered"]);
}

#[test]
fn a_signal_ends_the_patience_with_an_api_that_is_not_there() {
    let line = format!("-n 1000 --retry 1h --api-url http://{}/api", nobody());
    let child = generator(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("[1] ")));
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    child.signal("INT");
    assert!(lines.any(|line| line.starts_with("[DONE] 0/")));
    assert_eq!(child.0.wait().unwrap().code(), Some(4));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn batches_go_on_when_the_api_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let address = nobody();
    let line = format!("-d -n 2 -i 0.1 --retry 0 --api-url http://{address}/api");
    let child = generator(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("[OK] 0/2 sent ")));
    let back_end = Command::new(env!("CARGO_BIN_EXE_tapline"))
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .arg(folder.path())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _back_end = Running(back_end.unwrap());
    assert!(lines.any(|line| line.starts_with("[OK] 2/2 sent ")));
    child.signal("TERM");
    assert!(lines.any(|line| line.starts_with("[STOP] Generated: ")));
    // Part of the records was not delivered.
    assert_eq!(child.0.wait().unwrap().code(), Some(4));
}

#[test]
fn a_signal_ends_a_run_with_its_account() {
    for name in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let line = format!("-n 0 --rate 5000 --output {} --json", path.display());
        let child = generator(&line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = Running(child);
        let begun = Instant::now();
        while fs::metadata(&path).map_or(0, |data| data.len()) < 20_000 {
            assert!(begun.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(10));
        }
        child.signal(name);
        let mut stdout = String::new();
        child
            .0
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        let account = account(&stdout);
        assert!(matches!(child.0.wait().unwrap().code(), Some(0 | 6)));
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(account["records"], written.lines().count());
        assert_eq!(account["bytes"], written.len());
        for line in written.lines() {
            assert!(
                serde_json::from_str::<Value>(line).unwrap()["cpu_id"].is_u64(),
                "{line}"
            );
        }
    }
}

#[test]
fn the_same_bytes_come_from_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for jobs in [1, 2, 4] {
        let path = folder.path().join(jobs.to_string());
        let line = format!(
            "-n 20000 --seed 7 --start 2026-01-01T00:00:00Z --format csv --realistic --jobs {jobs} --output {}",
            path.display()
        );
        let (code, stdout, _) = output(&mut generator(&line));
        assert_eq!((code, stdout.as_str()), (0, ""));
        all.push(fs::read(path).unwrap());
    }
    assert!(all[0] == all[1] && all[0] == all[2]);
    let text = String::from_utf8(all.swap_remove(0)).unwrap();
    assert_eq!(text.lines().count(), 20_001);
    let begin = "protocol,src_ip,src_port,dst_ip,dst_port,packets,bytes,cpu_id,timestamp\n";
    assert!(text.starts_with(begin));
    assert!(text.lines().all(|line| line.split(',').count() == 9));
}

#[test]
fn the_store_takes_records_of_any_day() {
    let folder = tempfile::tempdir().unwrap();
    let check = |flags: &str, count: usize| {
        let data = folder.path().join(count.to_string());
        let line = format!("{flags} --sqlite {}", data.display());
        let (code, stdout, stderr) = output(&mut generator(&line));
        assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
        assert_eq!(stored(&data), count);
        data
    };
    check("-n 30000 --jobs 2", 30_000);
    check("--rate 2000 --duration 500ms", 1_000);
    // A record an hour, over a year long ago.
    let data = check(
        "--start 2001-01-01T00:00:00Z --speedup 3600000 -n 8760 --realistic",
        8_760,
    );
    let files = fs::read_dir(data).unwrap().flatten();
    let names = files.map(|file| file.file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".db")).count(), 365);
}

#[test]
fn wrong_usage_ends_with_2_and_names_the_flag() {
    let check = |line: &str, said: &str| {
        let (code, stdout, stderr) = output(&mut generator(line));
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert!(stderr.contains(said), "{line}: {stderr}");
    };
    check("--rate=-1", "--rate <N>");
    check("--interval 2", "--interval is the time between batches");
    check("-d -n 0", "--daemon makes batches");
    check("-d -i=-1", "--interval <SECONDS>");
    check(
        "--api-url ftp://x/",
        "--api-url: \"ftp://x/\" is no address",
    );
    check("--api-url http://x/ --sqlite d", "--sqlite");
    check("--sqlite d --output f", "--output");
    check("--format csv", "--output");
    check("--gzip", "--batch");
    check("--batch 0", "--batch <N>");
    check("--connections 0", "--connections <N>");
    check("--lang fr", "must be en or ko");
    check("--json --output -", "--json writes the account to stdout");
    // Behind a space too it is a value, and the sentence is ours.
    check(
        "-d -i -1",
        "'--interval <SECONDS>': must be a number of seconds",
    );
    check("--rate -1", "'--rate <N>': must be a number of records");
    check("-n -5", "'--count <N>': must be a whole number of records");
    check("--duration -1", "'--duration <TIME>': must be a duration");
    check("--seed -1", "'--seed <N>': must be a whole number");
    check("--retry -1s", "'--retry <TIME>': must be a duration");
    check("--batch -1", "'--batch <N>'");
}

#[test]
fn the_outside_world_ends_with_1_and_names_the_path() {
    let check = |line: &str, said: &str| {
        let (code, _, stderr) = output(&mut generator(line));
        assert_eq!(code, 1, "{line}: {stderr}");
        assert!(
            stderr.lines().any(|line| line.starts_with(said)),
            "{line}: {stderr}"
        );
    };
    check(
        "--output /proc/no/such",
        "tapline: cannot open /proc/no/such: ",
    );
    check(
        "-n 100000 --output /dev/full",
        "tapline: cannot write to /dev/full; ",
    );
    check(
        "--sqlite /proc/no/such",
        "tapline: cannot store in /proc/no/such: ",
    );
}

/// The program with a limit to the size of its files, as on a full disk.
fn limited(line: &str) -> (i32, String, String) {
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 600; exec \"$@\"";
    command
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_tapline")])
        .args(["gen", "sessions"])
        .args(line.split_whitespace())
        .env_clear();
    output(&mut command)
}

#[test]
fn after_an_error_the_account_says_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    for (format, heads) in [("ndjson", 0), ("csv", 1)] {
        let path = folder.path().join(format);
        let line = format!("-n 100000 --format {format} --output {}", path.display());
        let (code, _, stderr) = limited(&line);
        assert_eq!(code, 1, "{stderr}");
        let written = fs::read_to_string(&path).unwrap();
        assert!(written.ends_with('\n'));
        let (records, bytes) = (written.lines().count() - heads, written.len());
        assert!(records > 1000);
        let said = format!("tapline: {records} records, {bytes} bytes, ");
        assert!(stderr.contains(&said), "{said} {stderr}");
    }
    let data = folder.path().join("data");
    let line = format!("-n 100000 --sqlite {}", data.display());
    let (code, _, stderr) = limited(&line);
    assert_eq!(code, 1, "{stderr}");
    let said = format!("tapline: {} records, ", stored(&data));
    assert!(stderr.contains(&said), "{said} {stderr}");
}

/// A back end that takes its time.
fn slow() -> (String, Arc<Mutex<Vec<String>>>) {
    back_end(|_, _| {
        thread::sleep(Duration::from_millis(50));
        ("201 Created", "{}".to_owned())
    })
}

#[test]
fn a_signal_ends_a_run_to_a_slow_api_with_the_requests_under_way() {
    for (flags, ends) in [
        ("-n 5000", "[DONE] "),
        ("-n 5000 --connections 3", "[DONE] "),
        ("-n 500000 --batch 5", "[DONE] "),
        ("-d -n 1000 -i 0", "[STOP] Generated: "),
    ] {
        let (url, bodies) = slow();
        let child = generator(&format!("{flags} --api-url {url}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = Running(child);
        let mut stdout = child.0.stdout.take().unwrap();
        let shown = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let limit = Instant::now() + Duration::from_secs(60);
        while bodies.lock().unwrap().len() < 5 {
            assert!(Instant::now() < limit);
            thread::sleep(Duration::from_millis(10));
        }
        let begun = Instant::now();
        child.signal("TERM");
        let shown = shown.join().unwrap();
        assert_eq!(child.0.wait().unwrap().code(), Some(0), "{shown}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{flags}");
        let mut stderr = String::new();
        let mut pipe = child.0.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        let number_before = |what: &str| -> u64 {
            let (front, _) = stderr.split_once(what).unwrap();
            front.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let (made, unsent) = (number_before(" records,"), number_before(" not sent"));
        let sent: usize = bodies
            .lock()
            .unwrap()
            .iter()
            .map(|body| {
                let body: Value = serde_json::from_str(body).unwrap();
                body.as_array().map_or(1, Vec::len)
            })
            .sum();
        assert!(unsent > 0 && made < 5000, "{stderr}");
        assert_eq!(made, sent as u64 + unsent, "{stderr}");
        let last = shown.lines().last().unwrap();
        let expected = match ends {
            "[DONE] " => format!("[DONE] {sent}/{made} logs sent successfully"),
            _ => format!("[STOP] Generated: {made}, Sent: {sent}"),
        };
        assert_eq!(last, expected);
    }
}

#[test]
fn a_run_that_cannot_keep_its_rate_ends_with_its_time() {
    let begun = Instant::now();
    let (url, bodies) = slow();
    let line = format!("--rate 1000 --duration 1 --json --api-url {url}");
    let (code, stdout, stderr) = output(&mut generator(&line));
    assert_eq!(code, 6, "{stderr}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let account = account(&stdout);
    assert_eq!(account["rate_met"], false);
    assert_eq!(account["unsent"], 0, "what was handed over is sent");
    assert_eq!(account["records"], bodies.lock().unwrap().len());
    assert!(account["records"].as_u64().unwrap() < 200, "{account}");
}

#[test]
fn without_a_retry_none_is_promised() {
    let line = format!("-n 1 --api-url http://{}/api --retry", nobody());
    for (time, is_promised) in [("0", false), ("100ms", true)] {
        let (code, _, stderr) = output(&mut generator(&format!("{line} {time}")));
        assert_eq!(code, 4);
        assert!(stderr.contains("records cannot be sent"), "{stderr}");
        assert_eq!(stderr.contains("tried again"), is_promised, "{stderr}");
    }
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = generator("-n 0 --output - --seed 1");
    let child = command
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(command);
    let child = Running(child);
    let mut first = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"protocol\":"), "{first}");
    drop(reader);
    let mut child = child;
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let mut stderr = String::new();
    child
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_dry_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for flags in ["--output", "--sqlite"] {
        let path = folder.path().join("nothing");
        let line = format!("-n 1000 --dry-run {flags} {}", path.display());
        let (code, stdout, stderr) = output(&mut generator(&line));
        assert_eq!((code, stdout.as_str()), (0, ""));
        assert!(stderr.contains("a dry run"), "{stderr}");
        assert!(!path.exists());
    }
    let (code, _, stderr) = output(&mut generator(&format!(
        "--dry-run --api-url http://{}/api",
        nobody()
    )));
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn the_configuration_is_printed() {
    let (code, stdout, _) = output(&mut generator("--print-config --seed 7"));
    assert_eq!(code, 0);
    let expected = "count: 10\nrate: 0\nduration: 0\nstart: now\nspeedup: 1\nseed: 7\njobs: 1\n\
        dry_run: false\ndaemon: false\nrealistic: false\nlang: en\n\
        api_url: \"http://localhost:8000/api\"\nbatch: 0\nconnections: 1\ngzip: false\nretry: 5000ms\n";
    assert_eq!(stdout, expected);
}
