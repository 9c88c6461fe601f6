//! What other programs make of the lines, and how theirs look.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use super::{START, folder, is_here, read, run_in, within};
use crate::program::Running;

#[test]
fn python_reads_every_json_line() {
    if !is_here("python3") {
        return;
    }
    let folder = folder();
    run_in(folder.path(), &format!("{START} -n 20000 --format json"), 0);
    let program = "import json,sys\nn=0\nfor line in open(sys.argv[1]):\n    r=json.loads(line)\n    assert {'ts','src_ip','method','target','status','response_bytes','user_agent'} <= r.keys()\n    n+=1\nprint(n)";
    let found = Command::new("python3")
        .args(["-c", program])
        .arg(folder.path().join("access.log"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        "20000\n",
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
}

/// goaccess reads all lines, and counts the same statuses and paths.
fn goaccess_counts(lines: u64) {
    if !is_here("goaccess") {
        return;
    }
    for (format, named, status, target) in [
        ("common", "COMMON", 8, 6),
        ("combined", "COMBINED", 8, 6),
        ("vhost_combined", "VCOMBINED", 9, 7),
        (
            "combined_time",
            "%h %^[%d:%t %^] \"%r\" %s %b \"%R\" \"%u\" %D",
            8,
            6,
        ),
        ("w3c", "W3C", 7, 5),
    ] {
        let folder = folder();
        run_in(
            folder.path(),
            &format!("{START} -n {lines} --format {format}"),
            0,
        );
        let report = folder.path().join("report.json");
        let mut command = Command::new("goaccess");
        command
            .arg(folder.path().join("access.log"))
            .arg("-o")
            .arg(&report);
        command.args(["--no-global-config", "--no-progress", "--max-items=100000"]);
        command.arg(format!("--log-format={named}"));
        if format == "combined_time" {
            command.args(["--date-format=%d/%b/%Y", "--time-format=%H:%M:%S"]);
        }
        let ran = command.output().unwrap();
        assert!(
            ran.status.success(),
            "{format}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let report: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
        assert_eq!(report["general"]["total_requests"], lines, "{format}");
        assert_eq!(report["general"]["valid_requests"], lines, "{format}");
        assert_eq!(report["general"]["failed_requests"], 0, "{format}");
        let text = read(folder.path(), "access.log");
        let prefix = if format == "vhost_combined" {
            r"(\S+) "
        } else {
            ""
        };
        let shape = match format {
            "w3c" => r"^(\S+) (\S+) (\S+) (\S+) (\S+ \S+) (?:\S+ ){4}(\S+) (\d{3}) ".to_owned(),
            _ => format!(
                r#"^{prefix}(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+) (\S+)" (\d{{3}}) (\d+|-)"#
            ),
        };
        let shape = Regex::new(&shape).unwrap();
        let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
        let mut paths: BTreeMap<String, u64> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let found = shape.captures(line).unwrap();
            *statuses.entry(found[status].to_owned()).or_default() += 1;
            let path = found[target].replace(" -", "").replace(' ', "?");
            *paths.entry(path).or_default() += 1;
        }
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for class in report["status_codes"]["data"].as_array().unwrap() {
            for item in class["items"].as_array().unwrap() {
                let name = item["data"].as_str().unwrap().split(' ').next().unwrap();
                counted.insert(name.to_owned(), item["hits"]["count"].as_u64().unwrap());
            }
        }
        assert_eq!(counted, statuses, "{format}");
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for panel in ["requests", "not_found"] {
            for item in report[panel]["data"].as_array().unwrap() {
                // goaccess takes the - of an empty query for a query.
                let path = item["data"]
                    .as_str()
                    .unwrap()
                    .trim_end_matches("?-")
                    .to_owned();
                *counted.entry(path).or_default() += item["hits"]["count"].as_u64().unwrap();
            }
        }
        assert_eq!(counted, paths, "{format}");
    }
}

#[test]
fn goaccess_counts_the_same() {
    // As many as are asked for: a million takes a minute of a release build, and minutes of this one.
    let lines = std::env::var("GOACCESS_LINES").map_or(30_000, |lines| lines.parse().unwrap());
    goaccess_counts(lines);
}

/// The shape of a line: what a browser's request for a page looks like in a server's log.
const SHAPE: &str = r#"^(?P<address>[0-9a-f.:]+) - (?:-|[\w.]+) \[\d{2}/(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\] "(?:GET|POST) /[!-~]* HTTP/1\.1" [1-5]\d{2} (?:-|\d+) "(?:-|https?://[!#-~]+)" "(?:-|(?:[ !#-\[\]-~]|\\["\\]|\\x[0-9a-f]{2})+)"$"#;

/// Asks a server for some pages, as browsers do.
fn browse(port: u16) {
    for request in [
        "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0 (X11)\r\n",
        "GET /products?categoryID=4&sort=price HTTP/1.1\r\nHost: x\r\nReferer: http://x/products\r\nUser-Agent: a\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n",
        "GET /missing HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT\r\n",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "{request}Connection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "));
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Starts a server, lets it log some requests, and gives its lines.
fn lines_of(mut command: Command, folder: &Path, port: u16) -> Vec<String> {
    let mut running = Running::start(&mut command);
    within("server", || {
        assert!(
            running.0.try_wait().unwrap().is_none(),
            "the server has ended"
        );
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    browse(port);
    let lines = within("lines of the server", || {
        let text = fs::read_to_string(folder.join("server.log")).ok()?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= 4).then_some(lines)
    });
    running.signal("TERM");
    drop(running.0.wait());
    lines
}

#[test]
fn lines_of_nginx_and_apache_have_the_same_shape() {
    let shape = Regex::new(SHAPE).unwrap();
    let check = |lines: &[String], whose: &str| {
        for line in lines {
            assert!(shape.is_match(line), "{whose}: {line}");
        }
    };
    let own = folder();
    run_in(own.path(), &format!("{START} -n 20000"), 0);
    let lines: Vec<String> = read(own.path(), "access.log")
        .lines()
        .map(str::to_owned)
        .collect();
    check(&lines, "ours");
    assert!(
        !shape.is_match("1.2.3.4 - - [x] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\""),
        "it can fail"
    );
    if is_here("nginx") {
        let folder = folder();
        let (path, port) = (folder.path().display(), free_port());
        let config = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n  access_log {path}/server.log combined;\n  client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c; uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;\n  server {{ listen 127.0.0.1:{port}; root {path}; }}\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).arg("-e").arg("stderr");
        command.arg("-c").arg(folder.path().join("nginx.conf"));
        check(&lines_of(command, folder.path(), port), "nginx");
    }
    if is_here("apache2") {
        let folder = folder();
        let (path, port) = (folder.path().display(), free_port());
        let modules = "/usr/lib/apache2/modules";
        let config = format!(
            "ServerName x\nServerRoot {path}\nDefaultRuntimeDir {path}\nPidFile {path}/pid\nListen 127.0.0.1:{port}\nErrorLog {path}/error\nLoadModule mpm_event_module {modules}/mod_mpm_event.so\nLoadModule authz_core_module {modules}/mod_authz_core.so\nDocumentRoot {path}\nLogFormat \"%h %l %u %t \\\"%r\\\" %>s %b \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\nCustomLog {path}/server.log combined\n"
        );
        fs::write(folder.path().join("apache.conf"), config).unwrap();
        let mut command = Command::new("apache2");
        command
            .arg("-X")
            .arg("-f")
            .arg(folder.path().join("apache.conf"));
        check(&lines_of(command, folder.path(), port), "apache2");
    }
}
