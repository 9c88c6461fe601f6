//! The last result, kept in the data folder: a small JSON document, written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::report::Kept;

/// The name of the file in the data folder.
pub const FILE: &str = "selftest.json";

/// The file is never longer.
const BYTES_MAX: u64 = 64 << 10;

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
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert_eq!(read(&data), None);
        let kept = Kept {
            version: "1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            hooks: vec!["tc".to_owned()],
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
