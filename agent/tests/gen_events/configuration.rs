//! What is told, and what cannot be.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::{run, said};

#[test]
fn what_cannot_be_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("typo.yaml"),
        "generator:\n  batch_sise: 1\n",
    )
    .unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let check = |arguments: &[&str], code: i32, says: &str| {
        let output = run(folder.path(), arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(output.stdout.is_empty());
    };
    check(
        &["-c", "typo.yaml"],
        2,
        "typo.yaml, line 2: there is no key \"generator.batch_sise\"; did you mean generator.batch_size?",
    );
    check(
        &["-c", "none.yaml"],
        2,
        "cannot read the configuration file none.yaml",
    );
    check(
        &["-a", "1.5"],
        2,
        "--anomaly-rate is \"1.5\", but must be a number from 0 to 1",
    );
    check(&["-b", "0"], 2, "--batch-size is \"0\"");
    check(&["-i", "-1"], 2, "--interval is \"-1\"");
    check(
        &["-o", "syslog"],
        2,
        "--output is \"syslog\", but must be one of stdout, file, both",
    );
    check(&["--rate=-5"], 2, "--rate");
    check(&["--json", "-o", "stdout"], 2, "--json");
    check(&["--truth", "-", "-o", "stdout"], 2, "--truth");
    check(
        &["-p", "file/x", "-n", "1", "-q"],
        1,
        "cannot make the folder file",
    );
    check(
        &["--truth", "none/x", "-n", "1", "-q"],
        1,
        "cannot open none/x",
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check(
        &["--serve", &address, "-q"],
        1,
        &format!("cannot listen on {address}: another program listens there"),
    );
    check(&["--serve", "nowhere"], 2, "--serve");
    for port in [
        "99999",
        "+1",
        ":",
        "localhost:",
        "localhost:x",
        "elsewhere:80",
    ] {
        check(&["--serve", port], 2, "must be an address and a port");
    }
    let off: String = ["error_spike", "latency_degradation", "security_threat"]
        .iter()
        .chain(&["resource_exhaustion", "service_outage", "data_anomaly"])
        .map(|family| format!("    {family}: {{enabled: false}}\n"))
        .collect();
    fs::write(
        folder.path().join("off.yaml"),
        format!("anomalies:\n  probability: 0\n  types:\n{off}"),
    )
    .unwrap();
    check(
        &["-c", "off.yaml", "-a", "0.2", "-o", "-"],
        2,
        "off.yaml, line 3: anomalies.types must have a family that is enabled with a weight above 0, or \
         anomalies.probability (--anomaly-rate) must be 0",
    );
}

#[test]
fn what_is_printed_is_read_again_and_a_dry_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(
        folder.path(),
        &[
            "--print-config",
            "-a",
            "0.25",
            "-n",
            "7",
            "-f",
            "text",
            "--seed",
            "1",
        ],
    );
    fs::write(folder.path().join("c.yaml"), &printed.stdout).unwrap();
    let again = run(
        folder.path(),
        &["--print-config", "-c", "c.yaml", "--seed", "1"],
    );
    assert_eq!(printed.stdout, again.stdout);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(
        text.contains("probability: 0.25") && text.contains("# seed: 1"),
        "{text}"
    );
    let dry = run(
        folder.path(),
        &[
            "--dry-run",
            "-n",
            "500",
            "-i",
            "0",
            "--json",
            "--truth",
            "t",
        ],
    );
    let account: Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!(account["records"], 500);
    assert_eq!(account["anomalies"], 25);
    assert_eq!(account["dry_run"], true);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
