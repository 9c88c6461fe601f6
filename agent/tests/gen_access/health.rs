//! The health check over HTTP.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{folder, generator, output, read, within};
use crate::program::Running;

#[test]
fn a_port_in_use_is_said_before_anything_is_written() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let folder = folder();
    let logs = folder.path().join("logs");
    let (code, _, stderr) = output(
        generator("-n 1 --listen")
            .arg(&address)
            .arg("--log-dir")
            .arg(&logs),
    );
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(
        stderr.lines().collect::<Vec<_>>(),
        [format!(
            "tapline: cannot listen on {address}: another program listens there; choose another address with --listen ADDR:PORT, or --listen off for none (output.health_check)"
        )],
        "nothing is announced"
    );
    assert!(!logs.exists());
}

/// What the health check answers: the status and the body.
fn ask(address: &str, path: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

#[test]
fn health_is_told_while_it_runs_and_a_signal_ends_it() {
    for signal in ["TERM", "INT"] {
        let folder = folder();
        let mut command = generator("--rate 100 --seed 1 --listen 127.0.0.1:0 --log-dir");
        let mut running = Running::start(command.arg(folder.path()));
        let mut said = BufReader::new(running.0.stderr.take().unwrap());
        let address = within("address of the health check", || {
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            let url = line.split_once("http://")?.1;
            Some(url.strip_suffix("/health\n").unwrap().to_owned())
        });
        within("lines", || {
            (ask(&address, "/ready")?.0 == 200).then_some(())
        });
        assert_eq!(ask(&address, "/ready").unwrap().1["status"], "ready");
        let (status, health) = within("lines", || {
            ask(&address, "/health")
                .filter(|(_, health)| health["total_logs_generated"].as_u64() > Some(20))
        });
        assert_eq!((status, &health["status"]), (200, &Value::from("healthy")));
        assert_eq!(health["rate"], 100);
        assert_eq!(health["output_directory"], folder.path().to_str().unwrap());
        assert!(health["uptime_seconds"].as_f64().unwrap() > 0.1);
        assert_eq!(ask(&address, "/else").unwrap().0, 404);
        running.signal(signal);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert_eq!(running.0.wait().unwrap().code(), Some(0), "{rest}");
        let text = read(folder.path(), "access.log");
        assert!(text.ends_with('\n'));
        let lines = text.lines().count();
        assert!(
            rest.contains(&format!("Total logs generated: {lines}\n")),
            "{rest}"
        );
        assert!(
            rest.contains(&format!("tapline: {lines} records, {} bytes, ", text.len())),
            "{rest}"
        );
        let system = read(folder.path(), "system.log");
        let port = address.rsplit(':').next().unwrap();
        assert!(
            system.contains(&format!(
                " - INFO - Health check server started on port {port}\n"
            )),
            "{system}"
        );
    }
}

#[test]
fn nothing_is_ready_before_lines_flow() {
    let folder = folder();
    let config = folder.path().join("a.yaml");
    // An hour without lines, but for one that is long over.
    let hour = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .hour();
    let other = (hour + 12) % 24;
    fs::write(&config, format!("traffic_patterns: [{{time: \"{other}-{}\", multiplier: 1}}, {{time: 0-24, multiplier: 0}}]", (other + 1) % 24)).unwrap();
    let mut command = generator("--listen 127.0.0.1:0");
    let logs = folder.path().join("logs");
    let mut running = Running::start(command.arg("--log-dir").arg(&logs).arg(&config));
    let mut said = BufReader::new(running.0.stderr.take().unwrap());
    let address = within("address of the health check", || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let url = line.split_once("http://")?.1;
        Some(url.strip_suffix("/health\n").unwrap().to_owned())
    });
    thread::sleep(Duration::from_millis(300));
    assert_eq!(ask(&address, "/ready").unwrap().0, 503);
    assert_eq!(ask(&address, "/health").unwrap().0, 200);
    running.signal("TERM");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}
