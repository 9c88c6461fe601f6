//! What fires, kept in the data folder, so that it fires on when the program is started again: a small
//! JSON document, written whole or not at all. Who was told of what is in it, too.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The name of the file in the data folder.
pub const FILE: &str = "alerts.json";

/// The file is never longer.
const BYTES_MAX: u64 = 256 << 10;

/// Its form.
const VERSION: u32 = 1;

/// Whether a file of this name in the data folder is ours: what fires, or such a file that is being written.
pub(crate) fn is_own(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(FILE))
}

/// One time that a rule fired.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The rule's name.
    pub rule: String,
    /// When it began to fire.
    pub started: Timestamp,
    /// When it was over; `None`: it fires.
    pub ended: Option<Timestamp>,
    /// The value when it began, or when it was over.
    pub value: Option<f64>,
    /// The worst value.
    pub peak: Option<f64>,
    /// How many of its words, that it fires and that it is over, are with whoever is told, or given up.
    pub told: u8,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    alerts: Vec<Kept>,
}

/// Why what was kept cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The file cannot be read.
    #[error("cannot read {}, where alerts are kept: those that fired are told anew", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Tapline has not written it.
    #[error("{} is not as alerts are kept: those that fired are told anew, and it is written over", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is no file, or longer than any that Tapline writes, or of another version.
    #[error("{} is not as alerts are kept ({why}): those that fired are told anew, and it is written over", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file cannot be written.
    #[error("cannot write {}: alerts that fire now are told anew when the program is started again", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What was kept in a folder; nothing where there is no file.
///
/// # Errors
/// It cannot be read, or was not written by Tapline.
pub fn read(folder: &Path) -> Result<Vec<Kept>, KeepError> {
    let path = folder.join(FILE);
    let failed = |source| KeepError::Read {
        path: path.clone(),
        source,
    };
    let strange = |why| KeepError::Strange {
        path: path.clone(),
        why,
    };
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
        // Reading a pipe would never end.
        Ok(data) if !data.is_file() => return Err(strange("it is no file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(&path).map_err(failed)?;
    let length = file.take(BYTES_MAX + 1).read_to_end(&mut bytes);
    if length.map_err(failed)? as u64 > BYTES_MAX {
        return Err(strange("it is too long"));
    }
    let document: Document = serde_json::from_slice(&bytes).map_err(|source| KeepError::Form {
        path: path.clone(),
        source,
    })?;
    match document.version {
        VERSION => Ok(document.alerts),
        _ => Err(strange("it is of another version of Tapline")),
    }
}

/// Keeps these, in the place of what was kept.
///
/// # Errors
/// The file cannot be written; the one before it is as it was.
pub fn write(folder: &Path, alerts: &[Kept]) -> Result<(), KeepError> {
    let path = folder.join(FILE);
    let fresh = folder.join(format!("{FILE}.{}", std::process::id()));
    let document = Document {
        version: VERSION,
        alerts: alerts.to_vec(),
    };
    let written = (|| {
        let mut file = fs::File::create(&fresh)?;
        serde_json::to_writer_pretty(&mut file, &document)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    })();
    written.map_err(|source| {
        // Nothing is to be left of what failed; that it failed is said.
        drop(fs::remove_file(&fresh));
        KeepError::Write { path, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept {
            rule: "errors".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            ended: None,
            value: Some(7.5),
            peak: Some(50.0),
            told: 1,
        }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        write(folder.path(), &[kept(), kept()]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [kept(), kept()]);
        write(folder.path(), &[]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_none_of_ours_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let check = |content: &[u8], says: &str| {
            fs::write(&path, content).unwrap();
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(FILE), "{error}");
        };
        write(folder.path(), &[kept()]).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() - 2 {
            check(&whole[..length], "is not as alerts are kept");
        }
        check(b"{\"version\": 2, \"alerts\": []}", "another version");
        check(b"{\"version\": 1, \"alerts\": [], \"more\": 1}", "not as");
        check(b"{\"version\": 1, \"alerts\": [{\"rule\": 1}]}", "not as");
        check(b"\xff\xfe\x00", "not as");
        check("[".repeat(100_000).as_bytes(), "not as");
        check(&vec![b' '; (256 << 10) + 1], "too long");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no file"), "{error}");
        assert!(write(folder.path(), &[]).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
