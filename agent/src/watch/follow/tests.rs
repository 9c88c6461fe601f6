//! Files that are treated as writers and rotators treat them.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::*;

/// A folder with a file that is followed, and what was given so far.
struct Case {
    folder: tempfile::TempDir,
    follower: Follower,
    lines: Vec<String>,
    events: Vec<Event>,
    now: Instant,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let follower = Follower::new(&folder.path().join("access.log"));
        Self {
            folder,
            follower,
            lines: Vec::new(),
            events: Vec::new(),
            now: Instant::now(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// What comes now, and what was noticed.
    fn poll(&mut self) -> (Vec<String>, Vec<Event>) {
        self.lines.clear();
        self.events.clear();
        let (lines, events) = (&mut self.lines, &mut self.events);
        let mut line =
            |line: Line<'_>| lines.push(String::from_utf8_lossy(line.bytes).into_owned());
        let mut event = |event| events.push(event);
        while self
            .follower
            .poll(self.now, u64::MAX, &mut line, &mut event)
            .unwrap()
        {}
        (self.lines.clone(), self.events.clone())
    }

    fn check(&mut self, lines: &[&str], events: &[Event]) {
        let (found, noticed) = self.poll();
        assert_eq!(found, lines);
        assert_eq!(noticed, events);
    }
}

#[test]
fn what_is_appended_comes_once_and_whole() {
    let mut case = Case::new();
    case.check(&[], &[Event::Missing]);
    case.check(&[], &[]);
    case.append("access.log", "one\ntwo\nthr");
    case.check(&["one", "two"], &[Event::Opened]);
    case.check(&[], &[]);
    case.append("access.log", "ee\n\nfour\n");
    case.check(&["three", "", "four"], &[]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_on() {
    let mut case = Case::new();
    case.append("access.log", "one\n");
    case.check(&["one"], &[Event::Opened]);
    case.append("access.log", "two\n");
    fs::rename(case.path("access.log"), case.path("access.log.1")).unwrap();
    // There is none of the name: the open one goes on.
    case.check(&["two"], &[]);
    case.append("access.log.1", "three\n");
    case.append("access.log", "four\n");
    case.check(&["three", "four"], &[Event::Renamed, Event::Opened]);
    // Its writer has the old one open still.
    case.append("access.log.1", "five\n");
    case.append("access.log", "six\n");
    case.check(&["five", "six"], &[]);
    case.append("access.log.1", "without an end");
    case.check(&[], &[]);
    case.now += LINGER;
    case.check(&["without an end"], &[]);
    case.append("access.log.1", " that comes too late\n");
    case.check(&[], &[]);
}

#[test]
fn a_compressed_or_deleted_file_is_read_to_its_end() {
    let mut case = Case::new();
    case.append("access.log", "one\n");
    case.check(&["one"], &[Event::Opened]);
    case.append("access.log", "two\n");
    fs::remove_file(case.path("access.log")).unwrap();
    case.append("access.log", "three\n");
    case.check(&["two", "three"], &[Event::Renamed, Event::Opened]);
}

#[test]
fn of_a_truncated_file_the_copy_has_the_rest() {
    for compressed in [false, true] {
        let mut case = Case::new();
        case.append("access.log", "one\ntwo\n");
        case.check(&["one", "two"], &[Event::Opened]);
        case.append("access.log", "three\nfour\n");
        let bytes = fs::read(case.path("access.log")).unwrap();
        match compressed {
            true => {
                let file = File::create(case.path("access.log.1.gz")).unwrap();
                let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                encoder.write_all(&bytes).unwrap();
                encoder.finish().unwrap();
            }
            false => fs::write(case.path("access.log.1"), &bytes).unwrap(),
        }
        let truncate = OpenOptions::new().write(true).open(case.path("access.log"));
        truncate.unwrap().set_len(0).unwrap();
        case.append("access.log", "five\n");
        case.check(
            &["three", "four", "five"],
            &[Event::Truncated { lost: false }],
        );
    }
}

#[test]
fn a_truncated_file_that_has_grown_beyond_the_place_is_seen() {
    let mut case = Case::new();
    case.append("access.log", "one\n");
    case.check(&["one"], &[Event::Opened]);
    fs::write(case.path("access.log"), "another\nand more\n").unwrap();
    case.check(&["another", "and more"], &[Event::Truncated { lost: true }]);
}

#[test]
fn a_line_that_is_too_long_is_cut() {
    let mut case = Case::new();
    case.append("access.log", &"x".repeat(3 << 20));
    case.append("access.log", "\nnext\n");
    let (lines, _) = case.poll();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), LONGEST);
    assert_eq!(lines[1], "next");
}

#[test]
fn places_are_those_in_the_file() {
    let mut case = Case::new();
    case.append("access.log", "one\ntwo\n");
    let mut places = Vec::new();
    let mut line = |line: Line<'_>| places.push(line.offset);
    // Byte by byte.
    while case
        .follower
        .poll(case.now, 1, &mut line, &mut |_| {})
        .unwrap()
    {}
    assert_eq!(places, [0, 4]);
}

#[test]
fn what_is_no_file_is_an_error() {
    let mut case = Case::new();
    fs::create_dir(case.path("access.log")).unwrap();
    let error = case.follower.poll(case.now, 1, &mut |_| {}, &mut |_| {});
    assert!(error.is_err());
}

#[test]
fn the_last_line_is_given_at_the_end() {
    let mut case = Case::new();
    case.append("access.log", "one\nlast");
    case.check(&["one"], &[Event::Opened]);
    let mut lines = Vec::new();
    case.follower
        .end(&mut |line| lines.push(line.bytes.to_vec()));
    assert_eq!(lines, [b"last".to_vec()]);
}
