//! The documents that describe the program: what can be set, what is counted and which files there
//! are must stand in them, so that they do not fall behind the code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use agent_common::counters::{Ignored, Lost};
use tapline::config::Key;
use tapline::server::metrics::METRICS;
use tapline::server::metrics::durations::DURATIONS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn check(document: &str, text: &str) {
    assert!(document.contains(text), "{text} is not in the document");
}

#[test]
fn every_key_and_its_variable_stand_in_one_row() {
    let readme = document("README.md");
    for key in Key::ALL {
        let row = format!("| `{}` |", key.path());
        let line = readme.lines().find(|line| line.starts_with(&row));
        check(line.unwrap_or_default(), &format!("`{}`", key.variable()));
    }
}

#[test]
fn every_variable_that_is_named_is_one() {
    let variables: Vec<String> = Key::ALL.into_iter().map(Key::variable).collect();
    for name in ["README.md", "config/tapline.yaml"] {
        for word in
            document(name).split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        {
            if word.starts_with("TAPLINE_") && word != "TAPLINE_" {
                assert!(variables.contains(&word.to_owned()), "{name}: {word}");
            }
        }
    }
}

#[test]
fn every_flag_is_named() {
    let readme = document("README.md");
    for command in [
        "run",
        "read",
        "serve",
        "watch",
        "exchanges",
        "sessions",
        "doctor",
        "gen sessions",
        "gen access",
        "gen events",
        "gen packets",
        "selftest",
        "gen http",
        "report",
    ] {
        let help = Command::new(env!("CARGO_BIN_EXE_tapline"))
            .args(command.split(' '))
            .arg("--help")
            .env_clear()
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let flags = help
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
            .filter(|word| word.starts_with("--") && *word != "--help");
        let mut count = 0;
        for flag in flags {
            check(&readme, &format!("`{flag}"));
            count += 1;
        }
        assert!(count > 3, "{command}: {help}");
    }
}

#[test]
fn every_reason_is_explained() {
    let readme = document("README.md");
    for reason in Ignored::NAMES.into_iter().chain(Lost::NAMES) {
        check(&readme, &format!("`{reason}`"));
    }
}

#[test]
fn every_part_of_the_classifier_is_on_the_map() {
    let map = document("ARCHITECTURE.md");
    let mut count = 0;
    for entry in fs::read_dir(root().join("agent-common/src")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if path.is_file() && stem != "lib" {
            let named = [
                format!("`{stem}`"),
                format!("`{stem}::"),
                format!("{stem}.rs`"),
            ];
            assert!(named.iter().any(|name| map.contains(name)), "{stem}");
            count += 1;
        }
    }
    assert!(count > 10);
}

/// The metrics of the documents beside it that watch them.
#[test]
fn what_is_watched_is_measured() {
    let measured: Vec<&str> = METRICS
        .iter()
        .map(|metric| metric.name)
        .chain(DURATIONS.iter().map(|metric| metric.name))
        .collect();
    for (name, at_least) in [
        ("config/alerts.yml", 5),
        ("config/grafana-dashboard.json", 9),
    ] {
        let text = document(name);
        let words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        let mut watched = BTreeSet::new();
        for word in words {
            let is_metric = ["tapline_", "process_", "http_server_", "http_client_"];
            if !is_metric.iter().any(|begin| word.starts_with(begin)) {
                continue;
            }
            let plain = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|part| word.strip_suffix(part))
                .unwrap_or(word);
            assert!(measured.contains(&plain), "{name}: {word}");
            watched.insert(plain);
        }
        assert!(watched.len() >= at_least, "{name}: {watched:?}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&document("config/grafana-dashboard.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(panel["targets"][0]["expr"].is_string(), "{panel}");
    }
}
