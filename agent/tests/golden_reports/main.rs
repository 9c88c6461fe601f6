//! Golden reports: what `tapline report` prints of each log in `reports`, in every form and both languages,
//! to the letter; and that its JSON is as its schema says.
//!
//! `TAPLINE_BLESS=1 cargo test -p tapline --test golden_reports` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod schema;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Whether the files are to be written instead of compared.
fn blesses() -> bool {
    env::var_os("TAPLINE_BLESS").is_some_and(|value| value == "1")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports")
}

/// The logs that lie there.
const LOGS: [&str; 3] = ["access.log", "events.ndjson", "hostile.log"];

/// Forms, and how their files end.
const FORMS: [(&str, &str); 4] = [
    ("text", "txt"),
    ("markdown", "md"),
    ("html", "html"),
    ("classic", "classic.txt"),
];

fn report(log: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tapline"))
        .current_dir(folder())
        .env_clear()
        .env("TZ", "UTC")
        .args(["report", "--quiet", log, "--log-format"])
        .arg(match log {
            "events.ndjson" => "json",
            _ => "combined_time",
        })
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn reports_are_as_they_are_written_down() {
    let mut wrong = Vec::new();
    for log in LOGS {
        for language in ["en", "ko"] {
            for (form, ending) in FORMS {
                let got = report(log, &["--format", form, "--lang", language]);
                let path = folder().join(format!("{log}.{language}.{ending}"));
                if blesses() {
                    fs::write(&path, &got).unwrap();
                }
                let expected = fs::read_to_string(&path).unwrap_or_default();
                if expected != got {
                    let mut lines = expected.lines().zip(got.lines());
                    let first = lines.find(|(one, other)| one != other);
                    wrong.push(format!("{}: {first:#?}", path.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nIf that is as it should be: TAPLINE_BLESS=1 cargo test -p tapline --test golden_reports",
        wrong.join("\n")
    );
}

#[test]
fn nothing_of_a_log_is_a_control_of_a_terminal() {
    for (form, _) in FORMS {
        let text = report("hostile.log", &["--format", form]);
        let odd = text.chars().find(|letter| {
            (letter.is_control() && *letter != '\n')
                || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        });
        assert_eq!(odd, None, "{form}");
    }
    let html = report("hostile.log", &["--format", "html"]);
    assert!(html.contains("&lt;script&gt;"), "the log has markup in it");
    assert!(!html.contains("<script") && !html.contains("<img"));
}

#[test]
fn json_is_as_its_schema_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let schema = fs::read_to_string(root.join("docs/report.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    for log in LOGS {
        for arguments in [&["--format", "json"][..], &["--json", "--compare", "1h"]] {
            let arguments = match arguments {
                ["--json", ..] if log != "access.log" => continue,
                ["--json", ..] => &[
                    "--json",
                    "--since",
                    "2026-01-01T01:00:00Z",
                    "--until",
                    "2026-01-01T02:00:00Z",
                    "--compare",
                    "1h",
                ][..],
                other => other,
            };
            let document: Value = serde_json::from_str(&report(log, arguments)).unwrap();
            schema::check(&schema, &schema, &document, log);
        }
    }
    // The check can fail.
    let wrong = serde_json::json!({"version": "one"});
    assert!(std::panic::catch_unwind(|| schema::check(&schema, &schema, &wrong, "")).is_err());
}

/// Prompts hold figures, and nothing that tells of persons.
#[test]
fn prompts_are_masked_unless_told_otherwise() {
    for name in ["summary", "anomalies", "dashboard"] {
        for language in ["en", "ko"] {
            let arguments = ["--prompt", name, "--lang", language];
            let text = report("access.log", &arguments);
            assert!(text.contains("\n---\n") && text.len() > 200, "{text}");
            assert!(!text.contains("198.51.100.77"), "{text}");
        }
    }
    let text = report("access.log", &["--prompt", "summary", "--unmasked"]);
    assert!(text.contains("198.51.100.77"), "{text}");
}
