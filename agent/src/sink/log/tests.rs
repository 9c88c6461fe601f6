use std::{
    fs,
    io::{BufRead as _, BufReader, PipeReader, Read as _},
    os::fd::OwnedFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use jiff::tz::TimeZone;

use super::{
    samples::{TIME_NS, exchange, request, response, session},
    *,
};
use crate::http::head::Kind;

const HOUR_NS: i64 = 3_600_000_000_000;
const CLASSIC: &str = "2019-09-01 05:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET / HTTP/1.1 cloud.example.com Mozilla/5.0 (Windows NT 10.0)\n";

fn settings(directory: &Path) -> LogSettings {
    LogSettings {
        output: Output::Directory(directory.to_owned()),
        rotate: Rotate {
            max_bytes: None,
            max_age: None,
            compress: false,
        },
        zone: Some(TimeZone::UTC),
        ..LogSettings::default()
    }
}

/// A sink to a pipe with small batches, and the other end of the pipe.
fn to_pipe(on_full: OnFull) -> (LogSink, PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    let settings = LogSettings {
        batch_bytes: 1,
        queue_batches: 2,
        on_full,
        zone: Some(TimeZone::UTC),
        ..LogSettings::default()
    };
    let sink = LogSink::start_stream(&settings, File::from(OwnedFd::from(writer))).unwrap();
    (sink, reader)
}

#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it did not come to pass"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn lines_reach_the_file_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = LogSink::start(settings(folder.path())).unwrap();
    sink.write(&request());
    sink.write(&response());
    assert_eq!(sink.counts(), SinkCounts::default());
    sink.flush();
    wait_until(|| sink.counts().stored == 2);
    let text = fs::read_to_string(folder.path().join("http-20190901.log")).unwrap();
    let second = "2019-09-01 05:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Found 0 text/html; charset=UTF-8\n";
    assert_eq!(text, format!("{CLASSIC}{second}"));
    let outcome = sink.close();
    assert_eq!(outcome.counts.stored_bytes, text.len() as u64);
    assert_eq!(outcome.counts.lost_in_all(), Loss::default());
    assert!(!outcome.reader_gone && outcome.sync_error.is_none());
}

#[test]
fn each_kind_and_day_has_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = LogSink::start(LogSettings {
        split: true,
        format: Format::Json,
        // The day of a JSON line's file is that of the zone, too: 05:16 UTC is the day before.
        zone: Some(TimeZone::fixed(jiff::tz::offset(-6))),
        ..settings(folder.path())
    })
    .unwrap();
    for kind in Kind::ALL {
        for time_ns in [TIME_NS, TIME_NS + HOUR_NS, TIME_NS] {
            sink.write(&Head {
                time_ns,
                kind,
                ..request()
            });
        }
    }
    assert_eq!(sink.close().counts.stored, 12);
    for kind in Kind::ALL {
        for (day, lines) in [("20190831", 2), ("20190901", 1)] {
            let name = format!("http-{}-{day}.log", kind.letters());
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(text.lines().count(), lines);
            for line in text.lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(value["kind"], kind.letters());
            }
        }
    }
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (mut sink, reader) = to_pipe(OnFull::Drop);
    // Nobody reads: the pipe fills, then the queue.
    let written = 5_000;
    for _ in 0..written {
        sink.write(&request());
    }
    let lost = sink.counts().lost(LossReason::QueueFull);
    assert!(lost.records > 1_000, "{lost:?}");
    assert_eq!(lost.bytes, lost.records * CLASSIC.len() as u64);
    let lines = thread::spawn(move || BufReader::new(reader).lines().count());
    let counts = sink.close().counts;
    assert_eq!(counts.accepted, written);
    assert_eq!(counts.stored + counts.lost_in_all().records, written);
    assert_eq!(counts.queued, 0);
    assert_eq!(lines.join().unwrap() as u64, counts.stored);
}

#[test]
fn a_caller_that_waits_loses_nothing() {
    let (mut sink, mut reader) = to_pipe(OnFull::Block);
    let written = 5_000;
    let slow = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    for _ in 0..written {
        sink.write(&request());
    }
    let counts = sink.close().counts;
    assert_eq!((counts.accepted, counts.stored), (written, written));
    assert!(slow.join().unwrap() == CLASSIC.repeat(written as usize));
}

#[test]
fn a_reader_that_goes_away_is_a_quiet_end() {
    for on_full in [OnFull::Drop, OnFull::Block] {
        let (mut sink, reader) = to_pipe(on_full);
        sink.write(&request());
        wait_until(|| sink.counts().stored == 1);
        assert!(!sink.reader_gone());
        drop(reader);
        // Nor does a caller that waits hang.
        for _ in 0..100 {
            sink.write(&request());
        }
        wait_until(|| sink.handle().reader_gone());
        let outcome = sink.close();
        assert!(outcome.reader_gone);
        assert_eq!(outcome.counts.stored, 1);
        assert_eq!(outcome.counts.lost_in_all().records, 100);
        assert!(outcome.counts.lost(LossReason::ReaderGone).records > 0);
    }
}

#[test]
fn files_are_reopened_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut sink = LogSink::start(settings(folder.path())).unwrap();
    for (round, name) in ["first", "second"].into_iter().enumerate() {
        sink.write(&request());
        sink.flush();
        wait_until(|| sink.counts().stored == round as u64 + 1);
        fs::rename(path("http-20190901.log"), path(name)).unwrap();
        sink.handle().reopen();
    }
    assert_eq!(sink.close().counts.stored, 2);
    for name in ["first", "second"] {
        assert_eq!(fs::read_to_string(path(name)).unwrap(), CLASSIC);
    }
    assert!(!path("http-20190901.log").exists());
}

#[test]
fn a_file_of_today_that_cannot_be_written_to_is_told_of_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    // The day may change while this runs: the file of tomorrow is in the way too.
    let days = [now, now + Duration::from_secs(86_400)];
    let days = days.map(|day| day.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string());
    let start = |change: fn(&mut LogSettings)| {
        let mut settings = settings(folder.path());
        change(&mut settings);
        LogSink::start(settings)
    };
    let check = |series: &str, make: fn(&Path), change: fn(&mut LogSettings), why: &str| {
        let paths = days
            .each_ref()
            .map(|day| folder.path().join(format!("{series}-{day}.log")));
        paths.iter().for_each(|path| make(path));
        let error = start(change).unwrap_err();
        let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
        assert!(text.contains(&format!("/{series}-")), "{text}");
        assert!(text.contains(why), "{text}");
        // Records of other days may have other files.
        let of_a_capture = start(|settings| settings.live = false);
        assert_eq!(of_a_capture.unwrap().close().counts.accepted, 0);
        for path in &paths {
            assert!(fs::symlink_metadata(path).is_ok());
            fs::remove_dir(path)
                .or_else(|_| fs::remove_file(path))
                .unwrap();
        }
    };
    let a_folder = |path: &Path| fs::create_dir(path).unwrap();
    let a_link = |path: &Path| std::os::unix::fs::symlink("elsewhere", path).unwrap();
    let as_it_is = |_: &mut LogSettings| ();
    check("http", a_folder, as_it_is, "Is a directory");
    check("http", a_link, as_it_is, "it is a symbolic link");
    check(
        "http-SR",
        a_folder,
        |settings| settings.split = true,
        "Is a directory",
    );
    check(
        "conn",
        a_folder,
        |settings| settings.format = Format::Zeek,
        "Is a directory",
    );
    // What is there is left as it is, and what is not there is not made.
    let path = folder.path().join(format!("http-{}.log", days[0]));
    fs::write(&path, CLASSIC).unwrap();
    assert_eq!(start(as_it_is).unwrap().close().counts.accepted, 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), CLASSIC);
    fs::remove_file(&path).unwrap();
    assert_eq!(start(as_it_is).unwrap().close().counts.accepted, 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_in_trouble_is_counted_by_reason_and_taken_up_again() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("logs");
    let mut sink = LogSink::start(settings(&folder)).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    for _ in 0..3 {
        sink.write(&request());
        sink.flush();
    }
    wait_until(|| sink.counts().queued == 0);
    assert_eq!(
        sink.counts().lost(LossReason::Gone),
        Loss {
            records: 3,
            bytes: 3 * CLASSIC.len() as u64
        }
    );
    fs::remove_file(&folder).unwrap();
    sink.write(&request());
    let counts = sink.close().counts;
    assert_eq!((counts.accepted, counts.stored), (4, 1));
    assert_eq!(
        fs::read_to_string(folder.join("http-20190901.log")).unwrap(),
        CLASSIC
    );
}

#[test]
fn full_files_are_compressed_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || LogSettings {
        rotate: Rotate {
            max_bytes: Some(10 * CLASSIC.len() as u64),
            max_age: None,
            compress: true,
        },
        ..settings(folder.path())
    };
    let compressed = |number: u32| {
        let file = File::open(folder.path().join(format!("http-20190901.{number}.log.gz"))).ok()?;
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let mut sink = LogSink::start(settings()).unwrap();
    for _ in 0..35 {
        sink.write(&request());
    }
    sink.flush();
    for number in 1..=3 {
        wait_until(|| compressed(number).is_some());
        assert_eq!(compressed(number).unwrap(), CLASSIC.repeat(10));
    }
    drop(sink);
    // The next start takes the file of a day that is over, under the next number.
    let sink = LogSink::start(settings()).unwrap();
    wait_until(|| compressed(4).is_some());
    assert_eq!(compressed(4).unwrap(), CLASSIC.repeat(5));
    wait_until(|| fs::read_dir(folder.path()).unwrap().count() == 4);
    drop(sink);
}

#[test]
fn a_bad_setting_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs");
    let refused = LogSink::start(LogSettings {
        missing: "\x1b".to_owned(),
        ..settings(&path)
    });
    assert!(matches!(refused, Err(LogError::Missing { .. })));
    assert!(!path.exists());
}

/// The text of a file, with the times of `#open` and `#close` taken out.
fn timeless(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| match line.split_once('\t') {
        Some((word @ ("#open" | "#close"), time)) if time.len() == 19 => format!("{word}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn exchanges_and_sessions_have_their_files() {
    let check = |format, files: &[(&str, &[&str])]| {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = LogSink::start(LogSettings {
            format,
            split: true,
            ..settings(folder.path())
        })
        .unwrap();
        let takes = (sink.takes_exchanges(), sink.takes_sessions());
        let is_zeek = format == Format::Zeek;
        assert_eq!(
            takes,
            (!matches!(format, Format::Classic | Format::Json), is_zeek)
        );
        let mut interim = session();
        if let Some(details) = &mut interim.details {
            details.interim = true;
        }
        for record in [interim, session()] {
            sink.write_session(&record);
        }
        for _ in 0..2 {
            sink.write_exchange(&exchange());
            if takes.0 {
                sink.write(&request());
            }
        }
        let counts = sink.close().counts;
        assert_eq!(counts.accepted, counts.stored);
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected);
        for (name, parts) in files {
            let text = timeless(&folder.path().join(name));
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), parts.len(), "{text}");
            for (line, part) in lines.into_iter().zip(*parts) {
                assert!(line.contains(part), "{line}");
            }
        }
    };
    check(Format::Classic, &[]);
    check(Format::Json, &[]);
    check(
        Format::Combined,
        &[("http-20190901.log", &["GET /a?b=c"; 2])],
    );
    check(
        Format::Ecs,
        &[("http-20190901.log", &["\"@timestamp\":"; 2])],
    );
    let begin = ["#separator", "#set_", "#empty", "#unset"];
    let lines = |own: &[&'static str]| [&begin, own, &["#close"]].concat();
    let http = lines(&[
        "#path\thttp",
        "#open",
        "trans_depth",
        "#types",
        "\t80\t1\tGET\t",
        "\t80\t2\tGET\t",
    ]);
    let conn = lines(&["#path\tconn", "#open", "conn_state", "#types", "\tSF\t"]);
    check(
        Format::Zeek,
        &[("conn-20190901.log", &conn), ("http-20190901.log", &http)],
    );
}

#[test]
fn every_file_of_zeek_is_whole_when_it_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let most = 2_000;
    let mut sink = LogSink::start(LogSettings {
        format: Format::Zeek,
        batch_bytes: 1,
        rotate: Rotate {
            max_bytes: Some(most),
            max_age: None,
            compress: false,
        },
        on_full: OnFull::Block,
        ..settings(folder.path())
    })
    .unwrap();
    for _ in 0..50 {
        sink.write_exchange(&exchange());
    }
    assert_eq!(sink.close().counts.stored, 50);
    let (mut files, mut lines) = (0, 0);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.len() as u64 <= most, "{}", text.len());
        assert!(text.starts_with("#separator \\x09\n"), "{text}");
        assert!(text.lines().last().unwrap().starts_with("#close\t20"));
        assert_eq!(text.matches("#fields").count(), 1);
        lines += text.lines().filter(|line| !line.starts_with('#')).count();
        files += 1;
    }
    assert_eq!(lines, 50);
    assert!(files > 5, "{files}");
    // A file that is there already gets a header of its own behind what is in it.
    let mut sink = LogSink::start(LogSettings {
        format: Format::Zeek,
        ..settings(folder.path())
    })
    .unwrap();
    sink.write_exchange(&exchange());
    drop(sink);
    let text = fs::read_to_string(folder.path().join("http-20190901.log")).unwrap();
    assert_eq!(text.matches("#fields").count(), 2);
    assert_eq!(text.matches("#close").count(), 2);
}

#[test]
fn a_stream_of_zeek_has_exchanges_alone() {
    let (mut reader, writer) = io::pipe().unwrap();
    let settings = LogSettings {
        format: Format::Zeek,
        zone: Some(TimeZone::UTC),
        ..LogSettings::default()
    };
    let mut sink = LogSink::start_stream(&settings, File::from(OwnedFd::from(writer))).unwrap();
    sink.write_exchange(&exchange());
    sink.write_session(&session());
    assert_eq!(sink.close().counts.stored, 1);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let kinds: Vec<&str> = text
        .lines()
        .map(|line| line.split(['\t', ' ']).next().unwrap())
        .collect();
    let expected = [
        "#separator",
        "#set_separator",
        "#empty_field",
        "#unset_field",
        "#path",
        "#open",
        "#fields",
        "#types",
        "1567315011.002000",
        "#close",
    ];
    assert_eq!(kinds, expected);
}
