//! Patterns of names among what is followed: files that they match now, and those that appear later.
//! Files of a rotation that nobody writes to any more are left out, since their lines were read when
//! they had another name; so is what is no regular file.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::engine::Watched;
use crate::analysis::input::family::is_put_away;
use crate::analysis::input::{NoFiles, Place, is_pattern, matches};

/// How often it is looked for new files.
const LOOK: Duration = Duration::from_secs(1);

/// How long a file that is not there any more is followed.
const LINGER: Duration = Duration::from_secs(15);

/// Files that are followed at most.
const MOST: usize = 100;

/// Patterns, and what was said of what they match.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    patterns: Vec<String>,
    looked: Option<Instant>,
    /// What was said to be passed over.
    passed: Vec<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Files that are to be followed.
    pub(super) new: Vec<PathBuf>,
    /// The places of those that are not to be followed any more, in their order.
    pub(super) left: Vec<usize>,
    /// What is passed over, and why; each is said once.
    pub(super) passed: Vec<(PathBuf, &'static str)>,
}

/// Patterns and names of files apart.
pub(super) fn among(names: &[PathBuf]) -> (Patterns, Vec<PathBuf>) {
    let is_one = |path: &&PathBuf| path.to_str().is_some_and(is_pattern);
    let (patterns, files): (Vec<&PathBuf>, Vec<&PathBuf>) = names.iter().partition(is_one);
    let patterns = Patterns {
        patterns: patterns
            .into_iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        ..Patterns::default()
    };
    (patterns, files.into_iter().cloned().collect())
}

/// Whether all patterns are patterns.
///
/// # Errors
/// One is none.
pub fn check(names: &[PathBuf]) -> Result<(), NoFiles> {
    let (patterns, _) = among(names);
    patterns
        .patterns
        .iter()
        .try_for_each(|pattern| matches(pattern).map(drop))
}

/// The files that the names and patterns stand for now; what is no regular file is none.
pub(super) fn files(names: &[PathBuf]) -> Vec<Place> {
    let (patterns, mut files) = among(names);
    files.retain(|path| path.is_file());
    for found in patterns
        .patterns
        .iter()
        .flat_map(|pattern| matches(pattern))
    {
        let path = |place| match place {
            Place::File(path) => Some(path),
            Place::Stdin => None,
        };
        let paths = found.places.into_iter().filter_map(path);
        files.extend(paths.filter(|path| !is_put_away(path)));
    }
    files.truncate(MOST);
    files.into_iter().map(Place::File).collect()
}

impl Patterns {
    /// Looks at what is there, if it is time to; `None`: it is not.
    pub(super) fn look(&mut self, now: Instant, files: &mut [Watched]) -> Option<Looked> {
        let is_time = |before| now.saturating_duration_since(before) >= LOOK;
        if self.patterns.is_empty() || !self.looked.is_none_or(is_time) {
            return None;
        }
        self.looked = Some(now);
        let gone = files.iter_mut().map(|file| is_over(file, now));
        let mut looked = Looked {
            left: (0..)
                .zip(gone)
                .filter(|one| one.1)
                .map(|one| one.0)
                .collect(),
            ..Looked::default()
        };
        for pattern in &self.patterns {
            let Ok(found) = matches(pattern) else {
                continue;
            };
            for path in found.skipped {
                pass(&mut self.passed, &mut looked, path, "it is no regular file");
            }
            for place in found.places {
                let Place::File(path) = place else { continue };
                let is_known = files.iter().any(|file| file.follower.path() == path);
                if is_known || looked.new.contains(&path) || is_put_away(&path) {
                    continue;
                }
                // A file that was renamed is read to its end under the name that it had.
                let Ok(metadata) = fs::metadata(&path) else {
                    continue;
                };
                if files.iter().any(|file| file.follower.reads(&metadata)) {
                    continue;
                }
                match files.len() + looked.new.len() < MOST {
                    true => looked.new.push(path),
                    false => pass(
                        &mut self.passed,
                        &mut looked,
                        path,
                        "there are more files than are followed (100)",
                    ),
                }
            }
        }
        Some(looked)
    }
}

/// Says once that something is passed over; what is said is bounded too.
fn pass(passed: &mut Vec<PathBuf>, looked: &mut Looked, path: PathBuf, why: &'static str) {
    if passed.len() < MOST && !passed.contains(&path) {
        passed.push(path.clone());
        looked.passed.push((path, why));
    }
}

/// Whether a file that a pattern found is gone for good.
fn is_over(file: &mut Watched, now: Instant) -> bool {
    if !file.is_found || file.follower.path().exists() {
        file.gone = None;
        return false;
    }
    let since = *file.gone.get_or_insert(now);
    now.saturating_duration_since(since) >= LINGER
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;

    use super::*;
    use crate::watch::engine::{Counting, Engine};

    const LINE: &str =
        "192.0.2.7 - - [01/Nov/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 10 \"-\" \"curl\"\n";

    struct Case {
        folder: tempfile::TempDir,
        engine: Engine,
        now: Instant,
    }

    impl Case {
        fn new(names: &[&str], folder: tempfile::TempDir) -> Self {
            let names: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
            Self {
                engine: Engine::new(&names, Counting::default(), None, 1_800_000_000),
                folder,
                now: Instant::now(),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, lines: usize) {
            fs::write(self.path(name), LINE.repeat(lines)).unwrap();
        }

        /// The lines after some seconds of rounds, the names that are followed, and what is passed over.
        fn after(&mut self, seconds: u64) -> (u64, Vec<String>, Vec<String>) {
            let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
            let mut passed = Vec::new();
            for _ in 0..=seconds {
                let round = self
                    .engine
                    .round(self.now, Timestamp::UNIX_EPOCH, &mut |_| {});
                passed.extend(round.passed.iter().map(|(path, _)| name(path)));
                self.now += Duration::from_secs(1);
            }
            let report = self.engine.report();
            assert_eq!(report.lines.read, self.engine.lines());
            let sources = report.sources.iter();
            let sources = sources.map(|source| name(Path::new(&source.name)));
            (report.lines.read, sources.collect(), passed)
        }
    }

    #[test]
    fn files_that_appear_later_are_followed_and_rotated_ones_are_not_read_twice() {
        let mut case = Case::new(&["*.log*"], tempfile::tempdir().unwrap());
        assert_eq!(case.after(1), (0, vec![], vec![]));
        case.write("a.log", 3);
        case.write("a.log.1", 50);
        case.write("old.log.gz", 50);
        fs::create_dir(case.path("d.log")).unwrap();
        let expected = (3, vec!["a.log".to_owned()], vec!["d.log".to_owned()]);
        assert_eq!(case.after(1), expected);
        // Renamed, as logrotate does it, and for a while no file has the name.
        fs::rename(case.path("a.log"), case.path("a.log.1")).unwrap();
        assert_eq!(case.after(2), (3, vec!["a.log".to_owned()], vec![]));
        case.write("a.log", 2);
        case.write("http-20261101.log", 4);
        let both = vec!["a.log".to_owned(), "http-20261101.log".to_owned()];
        assert_eq!(case.after(2), (9, both.clone(), vec![]));
        // Copied and truncated.
        fs::copy(case.path("a.log"), case.path("a.log.2")).unwrap();
        case.write("a.log", 1);
        assert_eq!(case.after(2), (10, both, vec![]));
        // One that is gone is left, and its lines stay counted.
        fs::remove_file(case.path("http-20261101.log")).unwrap();
        assert_eq!(case.after(30), (10, vec!["a.log".to_owned()], vec![]));
    }

    #[test]
    fn not_more_files_than_can_be_followed() {
        let mut case = Case::new(&["named", "*.log"], tempfile::tempdir().unwrap());
        for number in 0..MOST + 20 {
            case.write(&format!("{number:03}.log"), 1);
        }
        let (lines, sources, passed) = case.after(2);
        assert_eq!((lines as usize, sources.len()), (MOST - 1, MOST));
        assert_eq!(passed.len(), 21);
        assert!(check(&[PathBuf::from("a***")]).is_err());
        assert!(check(&[PathBuf::from("*.log")]).is_ok());
    }
}
