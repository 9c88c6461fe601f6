//! tshark, which shares no code with this project, finds the same messages.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tapline::generate::packets::shape::Shape;
use tapline::generate::packets::truth::{MessageSide, Truth};

use super::make;

/// What it cannot: tunnels and methods that nobody registered; chunked bodies of which the chunk sizes are cut
/// (`tiny`), and it takes a HEAD that is pipelined among others for none (`pipelined`).
const SHAPES: [Shape; 13] = [
    Shape::Plain,
    Shape::Split,
    Shape::Retransmitted,
    Shape::Reordered,
    Shape::Overlapping,
    Shape::Lookalike,
    Shape::Keepalive,
    Shape::Interim,
    Shape::UntilClose,
    Shape::Reset,
    Shape::Long,
    Shape::Vlan,
    Shape::Ipv6,
];

/// Source, its port, and what is said: `GET /x`, `200`.
type Said = (String, u16, String);

#[test]
fn another_dissector_finds_the_same_messages() {
    let asked = Command::new("tshark").arg("--version").output();
    if !asked.is_ok_and(|output| output.status.success()) {
        leave_out(
            "another_dissector_finds_the_same_messages",
            "tshark is not installed",
        );
        return;
    }
    let mut wrong = String::new();
    for shape in SHAPES {
        let folder = tempfile::tempdir().unwrap();
        let truth = make(
            folder.path(),
            &[shape],
            &["--seed", "5", "--exchanges", "300"],
        );
        let mut told: BTreeMap<Said, usize> = BTreeMap::new();
        for message in &truth {
            let Truth::Message(message) = message else {
                continue;
            };
            let said = match message.side {
                MessageSide::Client => {
                    let text = |text: &Option<String>| text.clone().unwrap();
                    format!("{} {}", text(&message.method), text(&message.target))
                }
                MessageSide::Server => message.status.unwrap().to_string(),
            };
            *told
                .entry((message.src_ip.to_string(), message.src_port, said))
                .or_default() += 1;
        }
        let found = dissected(&folder.path().join("a.pcap"));
        let missing: Vec<_> = told
            .iter()
            .filter(|(said, count)| found.get(said) != Some(count))
            .collect();
        let more: Vec<_> = found
            .iter()
            .filter(|(said, count)| told.get(said) != Some(count))
            .collect();
        if !missing.is_empty() || !more.is_empty() {
            wrong.push_str(&format!(
                "{shape}: told and not found {:?}; found and not told {:?}\n",
                &missing[..missing.len().min(5)],
                &more[..more.len().min(5)]
            ));
        }
        assert!(!told.is_empty());
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn dissected(capture: &Path) -> BTreeMap<Said, usize> {
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(capture)
        .args(["-2", "-Y", "http", "-T", "fields"]);
    command.args([
        "-o",
        "tcp.reassemble_out_of_order:TRUE",
        "-o",
        "ip.check_checksum:TRUE",
    ]);
    command.args(["-o", "tcp.check_checksum:TRUE"]);
    // Ports that it does not know for HTTP.
    command.args(["-d", "tcp.port==5000,http", "-d", "tcp.port==8000,http"]);
    command.args(["-E", "aggregator=|", "-E", "separator=/t"]);
    for field in [
        "ip.src",
        "ipv6.src",
        "tcp.srcport",
        "http.request.method",
        "http.request.uri",
        "http.response.code",
    ] {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut found = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [four, six, port, methods, targets, statuses] = fields[..] else {
            panic!("{line}");
        };
        let source = if four.is_empty() { six } else { four };
        let port: u16 = port.parse().unwrap();
        let requests = methods.split('|').zip(targets.split('|'));
        let requests = requests.map(|(method, target)| format!("{method} {target}"));
        let said = requests.chain(statuses.split('|').map(str::to_owned));
        for said in said.filter(|said| !said.trim().is_empty()) {
            *found.entry((source.to_owned(), port, said)).or_default() += 1;
        }
    }
    found
}

/// As the end-to-end tests do it: in the file that TAPLINE_LEFT_OUT names, else on stderr.
fn leave_out(name: &str, reason: &str) {
    match std::env::var_os("TAPLINE_LEFT_OUT") {
        Some(path) => {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            writeln!(file, "{name}: {reason}").unwrap();
        }
        None => drop(writeln!(std::io::stderr(), "left out: {name}: {reason}")),
    }
}
