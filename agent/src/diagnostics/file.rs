//! A file of bounded size: when it is full it becomes `FILE.1`, what was `FILE.1` becomes `FILE.2`,
//! and so on; the oldest goes.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes of a file at most; a longer line stands alone in its file.
const SIZE_MAX: u64 = 16 << 20;
/// Files that are kept beside the current one.
const KEPT: u32 = 3;

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    file: File,
    size: u64,
    size_max: u64,
}

impl RotatedFile {
    /// Opens the file, or makes it (readable by owner and group) with the folders above it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_size(path, SIZE_MAX)
    }

    fn with_size(path: &Path, size_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let (file, size) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            size_max,
        })
    }

    /// Appends a line in one write.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        if self.size > 0 && self.size.saturating_add(length) > self.size_max {
            self.rotate();
        }
        self.file.write_all(line)?;
        self.size = self.size.saturating_add(length);
        Ok(())
    }

    /// Opens the file of this name anew; on failure the old one stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.size) = open(&self.path)?;
        Ok(())
    }

    /// Moves the files on and begins a new one. Where that fails, the full file goes on: a message
    /// too many in it is better than one lost.
    fn rotate(&mut self) {
        for number in (1..KEPT).rev() {
            // Most are not there most of the time.
            drop(fs::rename(self.numbered(number), self.numbered(number + 1)));
        }
        if fs::rename(&self.path, self.numbered(1)).is_ok() {
            drop(self.reopen());
        } else {
            // Try again after as many bytes, not with every line.
            self.size = 0;
        }
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o640).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::RotatedFile;

    #[test]
    fn full_files_move_on_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/tapline.log");
        let mut file = RotatedFile::with_size(&path, 20).unwrap();
        for number in 0..12 {
            file.write(format!("line {number:03}\n").as_bytes())
                .unwrap();
        }
        let check = |suffix: &str, expected: &str| {
            let name = format!("{}{suffix}", path.display());
            assert_eq!(
                fs::read_to_string(&name).unwrap_or_default(),
                expected,
                "{name}"
            );
        };
        check("", "line 010\nline 011\n");
        check(".1", "line 008\nline 009\n");
        check(".2", "line 006\nline 007\n");
        check(".3", "line 004\nline 005\n");
        check(".4", "");
    }

    #[test]
    fn what_is_there_is_kept_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "old old old\n").unwrap();
        let mut file = RotatedFile::with_size(&path, 20).unwrap();
        file.write(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old old old\nnew\n");
        file.write(b"newer\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "newer\n");
    }

    #[test]
    fn a_line_longer_than_a_file_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut file = RotatedFile::with_size(&path, 20).unwrap();
        let long = "x".repeat(100);
        file.write(long.as_bytes()).unwrap();
        file.write(b"short\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short\n");
        assert_eq!(fs::read_to_string(folder.path().join("x.1")).unwrap(), long);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut file = RotatedFile::open(&path).unwrap();
        file.write(b"before\n").unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        file.reopen().unwrap();
        file.write(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        let moved = fs::read_to_string(folder.path().join("moved")).unwrap();
        assert_eq!(moved, "before\n");
    }

    #[test]
    fn a_folder_that_goes_away_loses_no_earlier_line() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("deep");
        let mut file = RotatedFile::with_size(&deep.join("x"), 10).unwrap();
        file.write(b"before\n").unwrap();
        fs::remove_dir_all(&deep).unwrap();
        // The open file takes the lines; nothing panics, nothing is refused.
        for _ in 0..10 {
            file.write(b"after\n").unwrap();
        }
        assert!(file.reopen().is_err());
    }
}
