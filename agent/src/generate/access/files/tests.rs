use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::mpsc::channel;
use std::time::Duration;

use jiff::civil::datetime;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::generate::access::config::OutputConfig;

fn config() -> RotationConfig {
    RotationConfig {
        max_size_mb: 0.0,
        interval: 0,
        backup_count: 0,
        compress: false,
        ..OutputConfig::default().rotation
    }
}

struct Open {
    folder: TempDir,
    log: LogFile,
    compressor: Compressor,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn open_in(folder: TempDir, config: &RotationConfig, head: &'static [u8], now: Timestamp) -> Open {
    let (say, _said) = channel();
    let compressor = Compressor::start(say).unwrap();
    let backups = Arc::new(Backups::new(
        folder.path(),
        "access.log",
        config.backup_count,
        config.compress,
    ));
    let rules = Rules::new(config, TimeZone::UTC);
    let path = folder.path().join("access.log");
    let log = LogFile::open(path, rules, head, backups, &compressor, now).unwrap();
    Open {
        folder,
        log,
        compressor,
    }
}

fn open(config: &RotationConfig, head: &'static [u8]) -> Open {
    open_in(
        tempfile::tempdir().unwrap(),
        config,
        head,
        time("2026-11-21T10:20:30Z"),
    )
}

impl Open {
    fn append(&mut self, lines: &str, now: &str) {
        self.log
            .append(lines.as_bytes(), time(now), &self.compressor)
            .unwrap();
    }

    /// What is in the log and in the files that were put aside, oldest first.
    fn contents(&self) -> Vec<String> {
        let read = |name: String| fs::read_to_string(self.folder.path().join(name)).ok();
        let mut found: Vec<String> = (1..1000)
            .map_while(|number| read(format!("access.log.{number}")))
            .collect();
        found.reverse();
        found.extend(read("access.log".to_owned()));
        found
    }
}

const NOW: &str = "2026-11-21T10:20:30Z";

#[test]
fn the_end_of_each_period() {
    let check = |when: When, interval: u32, zone: &str, now: &str, end: Option<&str>| {
        let config = RotationConfig {
            when,
            interval,
            ..config()
        };
        let rules = Rules::new(&config, TimeZone::get(zone).unwrap());
        let expected = end.map_or(Timestamp::MAX, time);
        assert_eq!(
            rules.end_of(time(now)),
            expected,
            "{when:?} {interval} {zone} {now}"
        );
    };
    check(When::Hours, 1, "UTC", NOW, Some("2026-11-21T11:00:00Z"));
    check(
        When::Hours,
        1,
        "UTC",
        "2026-11-21T11:00:00Z",
        Some("2026-11-21T12:00:00Z"),
    );
    check(
        When::Hours,
        1,
        "UTC",
        "2026-11-21T10:59:59.999999Z",
        Some("2026-11-21T11:00:00Z"),
    );
    check(When::Hours, 6, "UTC", NOW, Some("2026-11-21T12:00:00Z"));
    check(
        When::Hours,
        1,
        "Asia/Kolkata",
        NOW,
        Some("2026-11-21T10:30:00Z"),
    );
    check(
        When::Seconds,
        30,
        "UTC",
        "2026-11-21T10:20:31.5Z",
        Some("2026-11-21T10:21:00Z"),
    );
    check(When::Minutes, 15, "UTC", NOW, Some("2026-11-21T10:30:00Z"));
    check(When::Days, 1, "UTC", NOW, Some("2026-11-22T00:00:00Z"));
    check(
        When::Midnight,
        1,
        "Asia/Seoul",
        NOW,
        Some("2026-11-21T15:00:00Z"),
    );
    // The 21st of November 2026 is a Saturday.
    check(
        When::Weekday(0),
        1,
        "UTC",
        NOW,
        Some("2026-11-23T00:00:00Z"),
    );
    check(
        When::Weekday(5),
        1,
        "UTC",
        NOW,
        Some("2026-11-28T00:00:00Z"),
    );
    check(
        When::Weekday(6),
        1,
        "UTC",
        NOW,
        Some("2026-11-22T00:00:00Z"),
    );
    check(When::Hours, 0, "UTC", NOW, None);
}

#[test]
fn lines_are_appended_and_never_cut() {
    let mut config = config();
    config.max_size_mb = 20.0 / 1_048_576.0;
    let mut open = open(&config, b"");
    for _ in 0..4 {
        open.append("0123456\nabcdefg\n", NOW);
    }
    open.append("a line that is longer than twenty bytes\n", NOW);
    open.append("x\n", NOW);
    assert_eq!(
        open.contents(),
        [
            "0123456\nabcdefg\n",
            "0123456\nabcdefg\n",
            "0123456\nabcdefg\n",
            "0123456\nabcdefg\n",
            "a line that is longer than twenty bytes\n",
            "x\n",
        ]
    );
    assert_eq!(open.log.turned(), 5);
}

#[test]
fn a_new_period_begins_a_new_file_with_its_head() {
    let mut config = config();
    config.interval = 1;
    let mut open = open(&config, b"#head\n");
    open.append("a\n", "2026-11-21T10:59:59Z");
    open.append("b\n", "2026-11-21T11:00:00Z");
    open.append("c\n", "2026-11-21T11:30:00Z");
    open.append("", "2026-11-21T13:00:00Z");
    open.append("d\n", "2026-11-21T13:00:00Z");
    assert_eq!(
        open.contents(),
        ["#head\na\n", "#head\nb\nc\n", "#head\nd\n"]
    );
}

#[test]
fn size_or_time_whichever_comes_first() {
    let mut config = config();
    config.interval = 1;
    config.max_size_mb = 6.0 / 1_048_576.0;
    let mut open = open(&config, b"");
    for minute in [50, 51, 52, 53] {
        open.append("a\nb\n", &format!("2026-11-21T10:{minute}:00Z"));
    }
    open.append("c\n", "2026-11-21T11:00:00Z");
    assert_eq!(open.contents(), ["a\nb\na\n", "b\na\nb\n", "a\nb\n", "c\n"]);
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, "old\nhalf a li").unwrap();
    let now = Timestamp::now();
    let mut open = open_in(folder, &config(), b"#head\n", now);
    open.append("new\n", &now.to_string());
    assert_eq!(open.contents(), ["old\nhalf a li\nnew\n"]);
}

#[test]
fn a_file_of_an_earlier_period_is_put_aside_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, "old\n").unwrap();
    let mut config = config();
    config.interval = 1;
    let later = Timestamp::now() + Duration::from_secs(7200);
    let mut open = open_in(folder, &config, b"", later);
    open.append("new\n", &later.to_string());
    assert_eq!(open.contents(), ["old\n", "new\n"]);
}

#[test]
fn two_programs_do_not_write_to_one_file() {
    let first = open(&config(), b"");
    let path = first.folder.path().join("access.log");
    let error = super::open(&path).unwrap_err();
    assert!(matches!(error, FileError::Taken { .. }), "{error}");
    drop(first.log);
    super::open(&path).unwrap();
}

#[test]
fn a_disk_that_is_full_keeps_whole_lines() {
    // /dev/full takes nothing; what was written before stays whole.
    let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
    let mut open = open(&config(), b"");
    open.append("whole\n", NOW);
    open.log.file = file;
    let error = open
        .log
        .append(b"lost\n", time(NOW), &open.compressor)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("access.log; all lines in it are whole"),
        "{error}"
    );
    assert_eq!(open.contents(), ["whole\n"]);
    assert_eq!(open.log.written(), 6);
}

#[test]
fn weeks_begin_on_their_day() {
    for day in 0..7_u8 {
        let rules = Rules::new(
            &RotationConfig {
                when: When::Weekday(day),
                interval: 1,
                ..config()
            },
            TimeZone::UTC,
        );
        let mut now = time(NOW);
        for _ in 0..3 {
            now = rules.end_of(now);
            let end = TimeZone::UTC.to_datetime(now);
            assert_eq!(
                end.weekday().to_monday_zero_offset(),
                i8::try_from(day).unwrap()
            );
            assert_eq!(end.time(), datetime(2000, 1, 1, 0, 0, 0, 0).time());
        }
    }
}

#[test]
fn lines_of_the_past_are_put_aside_by_their_own_time() {
    let config = RotationConfig {
        when: When::Hours,
        interval: 1,
        ..config()
    };
    // Nothing is in it: the first line says when it begins.
    let mut open = open(&config, b"#\n");
    for time in [
        "2026-11-20T10:20:30Z",
        "2026-11-20T10:59:59Z",
        "2026-11-20T11:00:00Z",
        "2026-11-20T10:30:00Z",
        "2026-11-20T13:00:00Z",
    ] {
        open.append(&format!("{time}\n"), time);
    }
    let contents = open.contents();
    assert_eq!(
        contents,
        [
            "#\n2026-11-20T10:20:30Z\n2026-11-20T10:59:59Z\n",
            "#\n2026-11-20T11:00:00Z\n2026-11-20T10:30:00Z\n",
            "#\n2026-11-20T13:00:00Z\n",
        ]
    );
    // Something is in it, of now: lines of the past join it, and those of the future do not.
    let now = Timestamp::now();
    let Open {
        folder,
        log,
        compressor,
    } = open;
    drop((log, compressor));
    let mut open = open_in(folder, &config, b"#\n", now);
    open.append("past\n", "2026-11-20T15:00:00Z");
    assert!(open.contents()[2].ends_with("past\n"));
    open.append("future\n", "2999-01-01T00:00:00Z");
    assert_eq!(open.contents()[3], "#\nfuture\n");
}

#[test]
fn files_beyond_those_that_are_kept_are_seen_before() {
    let check = |kept: u32, to: &str, expected: bool| {
        let config = RotationConfig {
            when: When::Hours,
            interval: 1,
            ..config()
        };
        let rules = Rules::new(&config, TimeZone::UTC);
        assert_eq!(rules.loses(time(NOW), time(to), kept), expected, "{to}");
    };
    // Eleven, twelve and thirteen o'clock.
    check(2, "2026-11-21T12:59:59Z", false);
    check(2, "2026-11-21T13:00:00Z", true);
    check(0, "2026-11-23T13:00:00Z", false);
    let rules = Rules::new(&config(), TimeZone::UTC);
    assert!(!rules.loses(time(NOW), Timestamp::MAX, 1));
}

proptest! {
    /// However lines come and however large files may be, every line is there once, whole and in order.
    #[test]
    fn no_line_is_lost(lengths in proptest::collection::vec(1..30_usize, 1..60), parts in 1..9_usize, most in 1..100_u32) {
        let mut config = config();
        config.max_size_mb = f64::from(most) / 1_048_576.0;
        let mut open = open(&config, b"#\n");
        let lines: Vec<String> = lengths.iter().enumerate().map(|(number, length)| format!("{number}{}\n", "x".repeat(*length))).collect();
        for part in lines.chunks(parts) {
            open.append(&part.concat(), NOW);
        }
        let contents = open.contents();
        for file in &contents {
            prop_assert!(file.starts_with("#\n"));
            let fits = file.len() <= most as usize;
            prop_assert!(fits || file.lines().count() <= 2, "{file}");
        }
        let written: String = contents.iter().map(|file| file.strip_prefix("#\n").unwrap()).collect();
        prop_assert_eq!(written, lines.concat());
        let path = open.folder.path().join("access.log");
        prop_assert!(fs::metadata(path).unwrap().size() > 0);
    }
}
