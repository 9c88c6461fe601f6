use std::{fs, sync::mpsc::sync_channel, thread};

use jiff::civil::date;
use tempfile::TempDir;

use super::{open_file::Tear, *};
use crate::http::head::Kind;
use crate::sink::log::names::Topic;

const DAY: Date = date(2019, 9, 1);
const FOREVER: Rotate = Rotate {
    max_bytes: None,
    max_age: None,
    compress: false,
};

fn on(day: i8) -> Series {
    Series {
        topic: Topic::Http,
        day: date(2019, 9, day),
    }
}

fn start(directory: &Path, rotate: Rotate) -> LogWriter {
    let live = Arc::<LiveFiles>::default();
    let (wake, _) = sync_channel(1);
    LogWriter::open(directory, rotate, live, wake, DAY).unwrap()
}

fn write(writer: &mut LogWriter, series: Series, lines: &str) {
    let (done, error) = writer.write(series, lines.as_bytes());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(done, lines.len());
}

/// Names and contents of all files of the folder are exactly these, in the order of names.
#[track_caller]
fn check(folder: &TempDir, expected: &[(&str, &str)]) {
    let mut found: Vec<(String, String)> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&a[..], &b[..])).collect();
    assert_eq!(found, expected);
}

#[test]
fn lines_go_to_the_file_of_their_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = start(folder.path(), FOREVER);
    write(&mut writer, on(1), "a\n");
    write(&mut writer, on(2), "b\n");
    write(&mut writer, on(1), "late\n");
    write(&mut writer, on(3), "c\n");
    assert_eq!(writer.open.len(), 2);
    write(&mut writer, on(2), "late\n");
    assert_eq!(writer.open.len(), 2);
    let split = Series {
        topic: Topic::kind(Kind::ServerResponse),
        ..on(1)
    };
    write(&mut writer, split, "d\n");
    assert_eq!(writer.live.lock().len(), 3);
    writer.close().unwrap();
    check(
        &folder,
        &[
            ("http-20190901.log", "a\nlate\n"),
            ("http-20190902.log", "b\nlate\n"),
            ("http-20190903.log", "c\n"),
            ("http-SR-20190901.log", "d\n"),
        ],
    );
}

#[test]
fn a_second_start_appends_and_ends_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("http-20190901.log"), "a\ntor").unwrap();
    for (line, compress) in [("b\n", false), ("c\n", true)] {
        let rotate = Rotate {
            compress,
            ..FOREVER
        };
        let mut writer = start(folder.path(), rotate);
        write(&mut writer, on(1), line);
        writer.close().unwrap();
    }
    check(&folder, &[("http-20190901.log", "a\ntor\nb\nc\n")]);
}

#[test]
fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), FOREVER);
    let second = LogWriter::open(
        folder.path(),
        FOREVER,
        Arc::default(),
        sync_channel(1).0,
        DAY,
    );
    assert!(matches!(second, Err(LogError::InUse { .. })), "{second:?}");
    drop(first);
    start(folder.path(), FOREVER);
}

#[test]
fn a_missing_folder_is_made_and_an_impossible_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    start(&folder.path().join("a/b"), FOREVER);
    assert!(folder.path().join("a/b").is_dir());
    fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/logs");
    let refused = LogWriter::open(&path, FOREVER, Arc::default(), sync_channel(1).0, DAY);
    assert!(
        matches!(refused, Err(LogError::Folder { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_full_file_is_put_aside_and_no_number_is_used_twice() {
    let rotate = Rotate {
        max_bytes: Some(10),
        ..FOREVER
    };
    let folder = tempfile::tempdir().unwrap();
    let mut writer = start(folder.path(), rotate);
    write(&mut writer, on(1), "aaaa\nbbbb\ncccc\n");
    write(&mut writer, on(1), "d\n");
    write(&mut writer, on(1), "longer than a file\ne\n");
    check(
        &folder,
        &[
            ("http-20190901.1.log", "aaaa\nbbbb\n"),
            ("http-20190901.2.log", "cccc\nd\n"),
            ("http-20190901.3.log", "longer than a file\n"),
            ("http-20190901.log", "e\n"),
        ],
    );
    // A number that was given is not given again, though its file is gone.
    for number in 1..=3 {
        fs::remove_file(folder.path().join(format!("http-20190901.{number}.log"))).unwrap();
    }
    write(&mut writer, on(1), "ffffffff\n");
    writer.close().unwrap();

    // Nor after a restart, whatever became of the file; numbers of other days do not count.
    for (from, to) in [
        ("http-20190901.4.log", "http-20190901.7.log.gz"),
        ("http-20190901.7.log.gz", "http-20190901.7.log.gz"),
    ] {
        fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    }
    fs::write(folder.path().join("http-20190902.9.log"), "").unwrap();
    fs::write(folder.path().join("http-20190901.99.log.old"), "").unwrap();
    let mut writer = start(folder.path(), rotate);
    write(&mut writer, on(1), "gggg\n");
    writer.close().unwrap();
    check(
        &folder,
        &[
            ("http-20190901.7.log.gz", "e\n"),
            ("http-20190901.8.log", "ffffffff\n"),
            ("http-20190901.99.log.old", ""),
            ("http-20190901.log", "gggg\n"),
            ("http-20190902.9.log", ""),
        ],
    );
}

#[test]
fn an_old_file_is_put_aside() {
    let age = Duration::from_secs(3600);
    let folder = tempfile::tempdir().unwrap();
    let mut writer = start(
        folder.path(),
        Rotate {
            max_age: Some(age),
            ..FOREVER
        },
    );
    write(&mut writer, on(1), "a\n");
    writer.tick(Instant::now() + age / 2, DAY);
    write(&mut writer, on(1), "b\n");
    writer.tick(Instant::now() + age, DAY);
    check(&folder, &[("http-20190901.1.log", "a\nb\n")]);
    // Found by a write, too, and by the time when the file was made.
    write(&mut writer, on(1), "c\n");
    writer.open[0].age_when_opened = age;
    write(&mut writer, on(1), "d\n");
    check(
        &folder,
        &[
            ("http-20190901.1.log", "a\nb\n"),
            ("http-20190901.2.log", "c\n"),
            ("http-20190901.log", "d\n"),
        ],
    );
}

#[test]
fn the_age_counts_from_the_making_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let rotate = Rotate {
        max_age: Some(Duration::from_millis(200)),
        ..FOREVER
    };
    let path = folder.path().join("http-20190901.log");
    fs::write(&path, "a\n").unwrap();
    if fs::metadata(&path).unwrap().created().is_err() {
        println!("left out: this file system does not keep when a file was made");
        return;
    }
    thread::sleep(Duration::from_millis(300));
    let mut writer = start(folder.path(), rotate);
    write(&mut writer, on(1), "b\n");
    check(
        &folder,
        &[("http-20190901.1.log", "a\n"), ("http-20190901.log", "b\n")],
    );
}

#[test]
fn days_that_are_over_are_put_aside_for_compression() {
    let folder = tempfile::tempdir().unwrap();
    let compress = Rotate {
        compress: true,
        ..FOREVER
    };
    fs::write(folder.path().join("http-20190830.log"), "old\n").unwrap();
    start(folder.path(), FOREVER).close().unwrap();
    check(&folder, &[("http-20190830.log", "old\n")]);

    let mut writer = start(folder.path(), compress);
    write(&mut writer, on(1), "a\n");
    // Midnight: late lines may come for a while.
    let now = Instant::now();
    writer.tick(now, date(2019, 9, 2));
    write(&mut writer, on(1), "late\n");
    check(
        &folder,
        &[
            ("http-20190830.1.log", "old\n"),
            ("http-20190901.log", "a\nlate\n"),
        ],
    );
    writer.tick(Instant::now() + LATE, date(2019, 9, 2));
    write(&mut writer, on(1), "very late\n");
    check(
        &folder,
        &[
            ("http-20190830.1.log", "old\n"),
            ("http-20190901.1.log", "a\nlate\n"),
            ("http-20190901.log", "very late\n"),
        ],
    );
}

#[test]
fn a_renamed_file_is_left_at_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = start(folder.path(), FOREVER);
    write(&mut writer, on(1), "a\n");
    let path = |name: &str| folder.path().join(name);
    fs::rename(path("http-20190901.log"), path("moved")).unwrap();
    write(&mut writer, on(1), "b\n");
    writer.reopen();
    write(&mut writer, on(1), "c\n");
    check(
        &folder,
        &[("http-20190901.log", "c\n"), ("moved", "a\nb\n")],
    );
}

#[test]
fn what_others_put_in_the_place_of_a_file_is_not_renamed() {
    let folder = tempfile::tempdir().unwrap();
    let rotate = Rotate {
        max_bytes: Some(4),
        ..FOREVER
    };
    let mut writer = start(folder.path(), rotate);
    write(&mut writer, on(1), "aaa\n");
    let path = |name: &str| folder.path().join(name);
    fs::rename(path("http-20190901.log"), path("moved")).unwrap();
    fs::write(path("http-20190901.log"), "").unwrap();
    write(&mut writer, on(1), "bbb\n");
    check(
        &folder,
        &[("http-20190901.log", "bbb\n"), ("moved", "aaa\n")],
    );
}

#[test]
fn a_folder_that_vanishes_is_made_again() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("logs");
    let mut writer = start(&folder, FOREVER);
    write(&mut writer, on(1), "a\n");
    fs::remove_dir_all(&folder).unwrap();
    write(&mut writer, on(1), "b\n");
    let path = folder.join("http-20190901.log");
    assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
    // A file alone, too.
    fs::remove_file(&path).unwrap();
    write(&mut writer, on(1), "c\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "c\n");
    // What cannot be made is an error, until it can.
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let (done, error) = writer.write(on(1), b"lost\n");
    assert_eq!(
        (done, error.unwrap().kind()),
        (0, io::ErrorKind::NotADirectory)
    );
    assert!(writer.live.lock().is_empty());
    fs::remove_file(&folder).unwrap();
    write(&mut writer, on(1), "d\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "d\n");
}

#[test]
fn what_got_out_of_a_broken_line_is_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = start(folder.path(), FOREVER);
    let path = folder.path().join("http-20190901.log");
    write(&mut writer, on(1), "one\n");
    fs::write(&path, "one\ntw").unwrap();
    writer.open[0].tear = Tear::Cut { good: 4, end: 6 };
    write(&mut writer, on(1), "three\n");
    check(&folder, &[("http-20190901.log", "one\nthree\n")]);

    // Unless others wrote behind it: then it is ended.
    fs::write(&path, "one\ntwXX").unwrap();
    writer.open[0].tear = Tear::Cut { good: 4, end: 6 };
    write(&mut writer, on(1), "three\n");
    check(&folder, &[("http-20190901.log", "one\ntwXX\nthree\n")]);
}

/// A few KiB of file system that only this thread and those it starts can see.
fn with_small_disk(test: impl FnOnce(&Path) + Send + 'static) {
    let body = move || {
        let folder = tempfile::tempdir().unwrap();
        let text = |text: &str| std::ffi::CString::new(text).unwrap();
        let (root, place) = (text("/"), text(folder.path().to_str().unwrap()));
        let (kind, size) = (text("tmpfs"), text("size=64k"));
        let nothing = std::ptr::null();
        // SAFETY: the pointers are null or to strings that end in NUL and outlive the calls. The
        // namespace is of this thread alone and ends with it.
        let mounted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    nothing,
                    root.as_ptr(),
                    nothing,
                    libc::MS_REC | libc::MS_PRIVATE,
                    nothing.cast(),
                ) == 0
                && libc::mount(
                    kind.as_ptr(),
                    place.as_ptr(),
                    kind.as_ptr(),
                    0,
                    size.as_ptr().cast(),
                ) == 0
        };
        if mounted {
            test(folder.path());
            // SAFETY: as above.
            unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) };
        } else {
            let error = io::Error::last_os_error();
            println!("left out: a small file system cannot be mounted: {error}");
        }
    };
    thread::spawn(body).join().unwrap();
}

#[test]
fn a_full_disk_tears_no_line_and_ends_by_itself() {
    with_small_disk(|folder| {
        let mut writer = start(folder, FOREVER);
        let ballast = folder.join("ballast");
        fs::write(&ballast, vec![0; 20_000]).unwrap();
        let lines = format!("{}\n", "x".repeat(76)).repeat(50);
        let mut stored = 0;
        let error = loop {
            let (done, error) = writer.write(on(1), lines.as_bytes());
            stored += done;
            if let Some(error) = error {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let path = folder.join("http-20190901.log");
        let check_file = |stored: usize| {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.len(), stored);
            assert!(text.ends_with('\n'));
            assert!(text.lines().all(|line| line.len() == 76));
        };
        check_file(stored);
        assert_ne!(
            stored % lines.len(),
            0,
            "no write broke off: the test proves nothing"
        );
        // Still full.
        let (done, error) = writer.write(on(1), lines.as_bytes());
        assert!(error.is_some());
        check_file(stored + done);
        // Room again.
        fs::remove_file(&ballast).unwrap();
        write(&mut writer, on(1), &lines);
        check_file(stored + done + lines.len());
        // A new file of another day.
        write(&mut writer, on(2), "a\n");
        writer.close().unwrap();
    });
}
