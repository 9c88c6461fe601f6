//! The last result, kept in the data folder: a small JSON document, written whole or not at all.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The name of the file in the data folder.
pub const FILE: &str = "selftest.json";

/// The file is never longer.
const BYTES_MAX: u64 = 64 << 10;

/// Whether a file of this name in the data folder is ours: the result, or one that is being written.
pub(crate) fn is_own(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(FILE))
}

/// What of the last selftest is kept, and shown beside what is captured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Kept {
    /// The version that was tested.
    pub version: String,
    /// When.
    pub at: Timestamp,
    /// The hooks that were tested; `read`: none.
    pub hooks: Vec<String>,
    /// The shapes that were sent.
    #[serde(default)]
    pub shapes: Vec<String>,
    /// Whether real connections loaded each hook, too.
    #[serde(default)]
    pub load: bool,
    /// Heads that were sent, of all rows.
    #[serde(default)]
    pub sent: u64,
    /// Of these, and beside them, heads that were written; but none of those that were cut on the wire.
    #[serde(default)]
    pub written: u64,
    /// The smallest recall of all rows, over the heads that were whole on the wire.
    pub recall: f64,
    /// The smallest precision of these.
    pub precision: f64,
    /// Whether it passed.
    pub passed: bool,
}

impl Kept {
    /// Why it does not take the place of `last`, in words; `None`: it does. What failed is always kept, and is gone only
    /// with a result of no less.
    #[must_use]
    pub fn yields_to(&self, last: &Self) -> Option<&'static str> {
        let lacks = |new: &[String], last: &[String]| last.iter().any(|name| !new.contains(name));
        let is_none = |hook: &String| hook == "read";
        let hooks: Vec<String> = last
            .hooks
            .iter()
            .filter(|hook| !is_none(hook))
            .cloned()
            .collect();
        if !self.passed {
            None
        } else if !hooks.is_empty() && self.hooks.iter().all(is_none) {
            Some("one of hooks is there, and this is of none")
        } else if last.sent > 0 && self.sent == 0 {
            Some("one with heads is there, and this had none")
        } else if lacks(&self.shapes, &last.shapes) {
            Some("one of more shapes is there")
        } else if lacks(&self.hooks, &hooks) {
            Some("one of more hooks is there")
        } else if !hooks.is_empty() && last.load && !self.load {
            Some("one with load is there, and this had none")
        } else {
            None
        }
    }
}

/// Keeps a result. The folder is made where it is missing.
///
/// # Errors
/// It cannot be written.
pub fn write(folder: &Path, kept: &Kept) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(FILE);
    let fresh = folder.join(format!("{FILE}.{}", std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&fresh)?;
        serde_json::to_writer_pretty(&mut file, kept)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    })();
    if written.is_err() {
        // Nothing is to be left of what failed; that it failed is said in any case.
        drop(fs::remove_file(&fresh));
    }
    written.map(|()| path)
}

/// The last result; `None`: there is none that can be read.
#[must_use]
pub fn read(folder: &Path) -> Option<Kept> {
    let path = folder.join(FILE);
    let length = fs::metadata(&path).ok()?.len();
    if length > BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_does_not_take_the_place_of_more() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let kept = |hooks: &str, shapes: &str, sent, load| Kept {
            version: "1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            hooks: words(hooks),
            shapes: words(shapes),
            load,
            sent,
            written: sent,
            recall: 1.0,
            precision: 1.0,
            passed: true,
        };
        let check = |new: &Kept, last: &Kept, yields: bool| {
            assert_eq!(new.yields_to(last).is_some(), yields, "{new:?} {last:?}");
        };
        let full = kept("tc xdp", "plain split", 9, true);
        check(&full, &full, false);
        for less in [
            kept("tc xdp", "plain split", 0, true),
            kept("tc xdp", "plain", 9, true),
            kept("tc xdp", "plain split", 9, false),
            kept("tc", "plain split", 9, true),
            kept("read", "plain split", 9, false),
            kept("tc", "plain", 9, false),
        ] {
            check(&less, &full, true);
            check(&full, &less, false);
            let failed = |kept: &Kept| Kept {
                passed: false,
                ..kept.clone()
            };
            check(&failed(&less), &full, false);
            check(&failed(&less), &failed(&full), false);
            check(&less, &failed(&full), true);
            check(&less, &failed(&less), false);
        }
        check(
            &kept("tc", "plain", 9, false),
            &kept("read", "plain", 9, false),
            false,
        );
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert_eq!(read(&data), None);
        let kept = Kept {
            version: "1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            hooks: vec!["tc".to_owned()],
            shapes: vec!["plain".to_owned()],
            load: false,
            sent: 2,
            written: 4,
            recall: 1.0,
            precision: 0.5,
            passed: false,
        };
        for _ in 0..2 {
            write(&data, &kept).unwrap();
            assert_eq!(read(&data), Some(kept.clone()));
            assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
        }
        fs::write(data.join(FILE), "{").unwrap();
        assert_eq!(read(&data), None);
        assert!(write(Path::new("/proc/none"), &kept).is_err());
    }
}
