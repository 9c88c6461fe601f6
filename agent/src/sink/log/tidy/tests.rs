use std::os::unix::fs::PermissionsExt as _;

use jiff::civil::date;
use tempfile::TempDir;

use super::*;
use crate::sink::log::names::{Series, Topic};

const TODAY: Date = date(2019, 9, 10);

fn tidy(folder: &TempDir, compress: bool, retain: Retain) -> Tidy {
    Tidy {
        directory: folder.path().to_owned(),
        compress,
        retain,
        live: Arc::default(),
        stop: Arc::default(),
    }
}

fn fill(folder: &TempDir, files: &[(&str, usize)]) {
    for (name, length) in files {
        fs::write(folder.path().join(name), vec![b'x'; *length]).unwrap();
    }
}

#[track_caller]
fn check(folder: &TempDir, expected: &[&str]) {
    let mut found: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, expected);
}

fn gunzip(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(File::open(path).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// Some lines, more than one block of them.
fn lines() -> Vec<u8> {
    (0..20_000)
        .flat_map(|number| format!("line {number}\n").into_bytes())
        .collect()
}

#[test]
fn files_put_aside_are_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("http-20190901.2.log"), lines()).unwrap();
    fill(
        &folder,
        &[
            ("http-20190910.log", 5),
            ("http-20190901.2.log.1", 5),
            ("other", 5),
        ],
    );
    let time = fs::metadata(path("http-20190901.2.log"))
        .unwrap()
        .modified()
        .unwrap();

    tidy(&folder, false, Retain::default()).once(TODAY).unwrap();
    assert!(path("http-20190901.2.log").exists());

    tidy(&folder, true, Retain::default()).once(TODAY).unwrap();
    check(
        &folder,
        &[
            "http-20190901.2.log.1",
            "http-20190901.2.log.gz",
            "http-20190910.log",
            "other",
        ],
    );
    let compressed = path("http-20190901.2.log.gz");
    assert_eq!(gunzip(&compressed), lines());
    let metadata = fs::metadata(&compressed).unwrap();
    assert_eq!(metadata.modified().unwrap(), time);
    assert_eq!(metadata.permissions().mode() & 0o037, 0);
    assert!(metadata.len() < lines().len() as u64 / 2);
}

#[test]
fn what_was_interrupted_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tidy = tidy(&folder, true, Retain::default());
    // While it compressed.
    fs::write(path("http-20190901.1.log"), lines()).unwrap();
    fill(&folder, &[("http-20190901.1.log.gz.tmp", 100)]);
    tidy.once(TODAY).unwrap();
    check(&folder, &["http-20190901.1.log.gz"]);
    // Before the plain file was deleted.
    fs::write(path("http-20190901.1.log"), lines()).unwrap();
    tidy.once(TODAY).unwrap();
    check(&folder, &["http-20190901.1.log.gz"]);
    assert_eq!(gunzip(&path("http-20190901.1.log.gz")), lines());
}

#[test]
fn two_files_of_one_number_that_differ_are_both_left() {
    let all = lines();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tidy = tidy(&folder, true, Retain::default());
    for (plain, broken) in [
        (&all[..all.len() - 1], false),
        (&all[..65_536], false),
        (&[][..], false),
        (&all[..], true),
    ] {
        fs::write(path("http-20190901.1.log"), &all).unwrap();
        if path("http-20190901.1.log.gz").exists() {
            fs::remove_file(path("http-20190901.1.log.gz")).unwrap();
        }
        tidy.once(TODAY).unwrap();
        if broken {
            let file = File::options()
                .write(true)
                .open(path("http-20190901.1.log.gz"))
                .unwrap();
            file.set_len(file.metadata().unwrap().len() - 9).unwrap();
        }
        fs::write(path("http-20190901.1.log"), plain).unwrap();
        // Others have their turn all the same.
        fill(&folder, &[("http-20190902.1.log", 5)]);
        let error = tidy.once(TODAY).unwrap_err();
        assert!(error.to_string().contains("are different"), "{error}");
        check(
            &folder,
            &[
                "http-20190901.1.log",
                "http-20190901.1.log.gz",
                "http-20190902.1.log.gz",
            ],
        );
        fs::remove_file(path("http-20190902.1.log.gz")).unwrap();
    }
}

#[test]
fn the_end_of_the_program_leaves_the_plain_file() {
    let folder = tempfile::tempdir().unwrap();
    let tidy = tidy(&folder, true, Retain::default());
    let name = FileName::parse("http-20190901.1.log").unwrap();
    fs::write(folder.path().join("http-20190901.1.log"), lines()).unwrap();
    tidy.stop.store(true, Relaxed);
    // As if the end came after the work had begun.
    tidy.compress(name, 1).unwrap();
    check(&folder, &["http-20190901.1.log"]);
    tidy.once(TODAY).unwrap();
    check(&folder, &["http-20190901.1.log"]);
}

#[test]
fn a_file_that_cannot_be_compressed_is_left() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder, &[("http-20190901.1.log", 5)]);
    // A folder stands where the temporary file is to be.
    fs::create_dir(folder.path().join("http-20190901.1.log.gz.tmp")).unwrap();
    tidy(&folder, true, Retain::default())
        .once(TODAY)
        .unwrap_err();
    check(
        &folder,
        &["http-20190901.1.log", "http-20190901.1.log.gz.tmp"],
    );
}

#[test]
fn files_of_old_days_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    fill(
        &folder,
        &[
            ("http-20190905.1.log.gz", 5),
            ("http-20190905.log", 5),
            ("http-20190906.1.log", 5),
            ("http-20190906.log", 5),
            ("http-CQ-20190907.1.log", 5),
            ("http-CQ-20190907.2.log", 5),
            ("http-CQ-20190907.log", 5),
            ("http-20190908.log", 5),
            ("http-20190909.log", 5),
            ("http-20190905.log.old", 5),
            ("access-20190905.log", 5),
        ],
    );
    let retain = |days| Retain {
        days: Some(days),
        bytes: None,
    };
    tidy(&folder, false, retain(4)).once(TODAY).unwrap();
    assert!(!folder.path().join("http-20190905.log").exists());
    assert!(folder.path().join("http-20190906.log").exists());

    // Lines still go to one of them.
    let tidy = tidy(&folder, false, retain(1));
    tidy.live
        .lock()
        .push(FileName::parse("http-CQ-20190907.log").unwrap());
    tidy.once(TODAY).unwrap();
    check(
        &folder,
        &[
            "access-20190905.log",
            "http-20190905.log.old",
            "http-20190909.log",
            "http-CQ-20190907.2.log",
            "http-CQ-20190907.log",
        ],
    );
}

#[test]
fn no_number_of_days_is_too_large() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder, &[("http-00010101.log", 5)]);
    let retain = Retain {
        days: Some(u32::MAX),
        bytes: None,
    };
    tidy(&folder, false, retain).once(TODAY).unwrap();
    check(&folder, &["http-00010101.log"]);
}

#[test]
fn the_oldest_files_go_until_the_rest_fits() {
    let files = [
        ("http-20190901.2.log", 10),
        ("http-20190901.10.log", 10),
        ("http-20190901.log", 10),
        ("http-CQ-20190902.log", 10),
        ("http-20190910.1.log", 10),
        ("http-20190910.2.log", 10),
        ("http-20190910.log", 10),
        ("foreign", 1000),
    ];
    for (most, gone) in [
        (70, 0),
        (69, 1),
        (60, 1),
        (50, 2),
        (40, 3),
        (30, 4),
        (20, 5),
        (0, 5),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fill(&folder, &files);
        let retain = Retain {
            days: None,
            bytes: Some(most),
        };
        tidy(&folder, false, retain).once(TODAY).unwrap();
        let mut expected: Vec<&str> = files[gone..].iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        check(&folder, &expected);
        // The live file and the highest number of its day were not enough to get below 20.
        assert!(folder.path().join("http-20190910.log").exists());
        assert!(folder.path().join("http-20190910.2.log").exists());
    }
}

#[test]
fn a_series_is_live_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    fill(
        &folder,
        &[("http-20300101.1.log", 5), ("http-20300101.log", 5)],
    );
    let retain = Retain {
        days: Some(0),
        bytes: Some(0),
    };
    let tidy = tidy(&folder, false, retain);
    tidy.once(TODAY).unwrap();
    check(&folder, &["http-20300101.1.log", "http-20300101.log"]);
    // When the clock goes ahead, the files of a day that is written to stay.
    let series = Series {
        topic: Topic::Http,
        day: date(2030, 1, 1),
    };
    let form = Form::Live;
    tidy.live.lock().push(FileName { series, form });
    tidy.once(date(2031, 1, 1)).unwrap();
    check(&folder, &["http-20300101.1.log", "http-20300101.log"]);
    tidy.live.lock().clear();
    tidy.once(date(2031, 1, 1)).unwrap();
    check(&folder, &[]);
}
