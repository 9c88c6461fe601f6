//! The truth beside the records.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::{PAST, is_anomalous, lines, run, said};

#[test]
fn the_truth_names_each_anomalous_record() {
    let folder = tempfile::tempdir().unwrap();
    let config = "output:\n  file:\n    rotation_size_mb: 0.25\n    max_files: 3\n";
    fs::write(folder.path().join("c.yaml"), config).unwrap();
    let flags = [
        "-c", "c.yaml", "-n", "4000", "-p", "out/a", "--truth", "truth",
    ];
    let output = run(folder.path(), &[&PAST[..], &flags].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let all = run(
        folder.path(),
        &[&PAST[..], &["-n", "4000", "-o", "stdout", "-q"]].concat(),
    );
    let (all, truth) = (
        lines(&all.stdout),
        fs::read(folder.path().join("truth")).unwrap(),
    );
    let mut kept = BTreeMap::new();
    for entry in fs::read_dir(folder.path().join("out")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("out/{}", path.file_name().unwrap().to_str().unwrap());
        kept.insert(name, lines(&fs::read(path).unwrap()));
    }
    // The truth names each anomalous record, and no other.
    let mut points = BTreeMap::new();
    let mut windows = Vec::new();
    for line in lines(&truth) {
        match line["kind"].as_str().unwrap() {
            "point" => drop(points.insert(line["line"].as_u64().unwrap(), line)),
            _ => windows.push(line),
        }
    }
    for (number, record) in (1..).zip(&all) {
        let labels = &record["_labels"];
        let Some(point) = points.remove(&number) else {
            assert_eq!(labels["is_anomaly"], false);
            continue;
        };
        assert_eq!(labels["anomaly_type"], point["anomaly_type"]);
        assert_eq!(labels["anomaly_score"], point["score"]);
        if let Some(of_file) = kept.get(point["file"].as_str().unwrap()) {
            let place = point["file_line"].as_u64().unwrap() as usize - 1;
            assert_eq!(of_file[place], *record);
        }
        let window = windows
            .iter()
            .find(|one| one["anomaly_id"] == point["anomaly_id"])
            .unwrap();
        let inside = window["first_line"].as_u64().unwrap()..=window["last_line"].as_u64().unwrap();
        assert!(inside.contains(&number), "{window}");
        assert_eq!(window["anomaly_type"], point["anomaly_type"]);
        let time = point["timestamp"].as_str().unwrap();
        assert!(
            window["start"].as_str().unwrap() <= time && time <= window["end"].as_str().unwrap()
        );
        assert!((0.6..=1.0).contains(&window["severity"].as_f64().unwrap()));
    }
    assert!(points.is_empty(), "{points:?}");
    let in_windows: u64 = windows
        .iter()
        .map(|window| window["lines"].as_u64().unwrap())
        .sum();
    assert_eq!(in_windows as usize, all.iter().filter(is_anomalous).count());
}

#[test]
fn windows_differ_in_length_and_some_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["-n", "100000", "--dry-run", "-q", "--truth", "truth"];
    // A dry run leaves no truth.
    run(folder.path(), &[&PAST[..], &flags].concat());
    assert!(!folder.path().join("truth").exists());
    let flags = ["-n", "100000", "-p", "out/x", "-q", "--truth", "truth"];
    let output = run(folder.path(), &[&PAST[..], &flags].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let truth = lines(&fs::read(folder.path().join("truth")).unwrap());
    let number = |line: &Value, key: &str| line[key].as_u64().unwrap();
    let windows: Vec<&Value> = truth
        .iter()
        .filter(|line| line["kind"] == "window")
        .collect();
    let of_outages = windows
        .iter()
        .filter(|window| window["anomaly_type"] == "service_outage");
    let lengths: Vec<u64> = of_outages.map(|window| number(window, "lines")).collect();
    let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(*most <= 45 && least + 10 < *most, "{lengths:?}");
    let mut ends: Vec<(u64, u64)> = windows
        .iter()
        .map(|window| (number(window, "first_line"), number(window, "last_line")))
        .collect();
    ends.sort_unstable();
    assert!(ends[0].0 <= 76, "anomalies come from the start");
    let overlaps = ends.windows(2).filter(|pair| pair[0].1 > pair[1].0).count();
    assert!(overlaps > 0 && overlaps < ends.len() / 2, "{overlaps}");
    let in_windows: u64 = windows.iter().map(|window| number(window, "lines")).sum();
    assert_eq!(in_windows, 5000);
}
