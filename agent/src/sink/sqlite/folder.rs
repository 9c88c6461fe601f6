//! The folder of the database files: what is in it, whose it is, and how a file leaves it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::names::{COMPANIONS, FileName};
use crate::sink::log::make_folder;

/// Records hold addresses and targets: not for everyone. The umask may take away more.
const FILE_MODE: u32 = 0o640;
/// The file whose lock says that a process writes here.
const LOCK: &str = "tapline.lock";

/// Whether a file of this name in the folder is one of ours.
pub(crate) fn is_own(name: &OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    let mut ends = COMPANIONS.iter();
    let plain = ends.find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    name == LOCK || FileName::parse(plain).is_some()
}

/// One of our files as it lies in the folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) name: FileName,
    /// With what SQLite put beside it.
    pub(crate) bytes: u64,
}

/// Makes the folder when it is missing and takes it for this process, as long as the file is open.
/// None when the file system knows no locks.
pub(super) fn take(directory: &Path) -> Result<Option<File>, StoreError> {
    let failed = |source| StoreError::Folder {
        path: directory.to_owned(),
        source,
    };
    make_folder(directory).map_err(failed)?;
    let lock = match open(&directory.join(LOCK)) {
        Ok(lock) => lock,
        // There may be room again by the time of the first record.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse {
            path: directory.to_owned(),
        }),
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

/// Our files in the folder, the oldest day first; links, folders and foreign names are passed over.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(FileName::parse) else {
            continue;
        };
        // It may have been deleted since it was listed.
        let Some(bytes) = size(&entry.path())? else {
            continue;
        };
        let mut all = bytes;
        for companion in COMPANIONS {
            all += size(&beside(&entry.path(), companion))?.unwrap_or(0);
        }
        entries.push(Entry { name, bytes: all });
    }
    entries.sort_by_key(|entry| entry.name);
    Ok(entries)
}

/// The path as SQLite takes it for one: what begins with `file:` would be an address to it.
pub(crate) fn plain(path: &Path) -> PathBuf {
    match path.is_relative() {
        true => Path::new(".").join(path),
        false => path.to_owned(),
    }
}

/// Makes an empty file where there is none, so that it has our mode; refuses links and what is no
/// file. Gives what tells this file from another of the same name.
pub(super) fn make(path: &Path) -> io::Result<Identity> {
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(path.parent().unwrap_or_else(|| Path::new(".")))?;
            open(path)?
        }
        other => other?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(Identity(metadata.dev(), metadata.ino()))
}

/// Tells a file from another one of the same name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// That of the file of this name; None when there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Self(metadata.dev(), metadata.ino()))
    }

    /// Whether the path still names this file.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        Self::of(path) == Some(self)
    }
}

/// Gives a file that cannot be used the name `….damaged-N`, with what SQLite put beside it, so that
/// whatever can still be read of it can be read under that name.
pub(super) fn move_aside(directory: &Path, name: FileName) -> io::Result<PathBuf> {
    let path = directory.join(name.to_string());
    let mut number = 1;
    let aside = loop {
        let aside = directory.join(
            FileName {
                damaged: Some(number),
                ..name
            }
            .to_string(),
        );
        // The folder is ours: nobody takes the name in between.
        match fs::symlink_metadata(&aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break aside,
            _ => number += 1,
        }
    };
    fs::rename(&path, &aside)?;
    for companion in COMPANIONS {
        match fs::rename(beside(&path, companion), beside(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

/// Deletes a file with what SQLite put beside it.
pub(super) fn delete(directory: &Path, name: FileName) -> io::Result<()> {
    let path = directory.join(name.to_string());
    // Beginning with the database: without it the others are nothing.
    for path in std::iter::once(path.clone())
        .chain(COMPANIONS.iter().map(|companion| beside(&path, companion)))
    {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

/// The size of a regular file; None when there is none.
fn size(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path, companion: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(companion);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::names::Day;
    use super::*;

    fn name(day: i64) -> FileName {
        FileName {
            day: Day(day),
            damaged: None,
        }
    }

    #[test]
    fn a_folder_has_one_owner() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        let first = take(&folder).unwrap();
        assert!(matches!(take(&folder), Err(StoreError::InUse { .. })));
        drop(first);
        assert!(take(&folder).unwrap().is_some());
    }

    #[test]
    fn our_files_are_listed_moved_and_deleted_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("tapline-19700102.db", "12"),
            ("tapline-19700101.db", "1"),
            ("tapline-19700101.db-wal", "234"),
            ("tapline-19700101.db-shm", "5"),
            ("tapline-19700101.db.damaged-1", ""),
            ("other.db", ""),
        ] {
            fs::write(path(name), text).unwrap();
        }
        fs::create_dir(path("tapline-19700103.db")).unwrap();
        symlink("other.db", path("tapline-19700104.db")).unwrap();
        let entries = list(folder.path()).unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|entry| (entry.name.to_string(), entry.bytes))
            .collect();
        let expected = [
            ("tapline-19700101.db", 5),
            ("tapline-19700101.db.damaged-1", 0),
            ("tapline-19700102.db", 2),
        ];
        assert_eq!(
            found,
            expected.map(|(name, bytes)| (name.to_owned(), bytes))
        );

        let aside = move_aside(folder.path(), name(0)).unwrap();
        assert_eq!(aside, path("tapline-19700101.db.damaged-2"));
        assert_eq!(
            fs::read(path("tapline-19700101.db.damaged-2-wal")).unwrap(),
            b"234"
        );
        assert!(path("tapline-19700101.db.damaged-2-shm").exists());
        assert!(!path("tapline-19700101.db-wal").exists());
        let damaged = FileName {
            damaged: Some(2),
            ..name(0)
        };
        delete(folder.path(), damaged).unwrap();
        delete(folder.path(), damaged).unwrap();
        assert!(!path("tapline-19700101.db.damaged-2-wal").exists());
        assert!(path("tapline-19700101.db.damaged-1").exists());
    }

    #[test]
    fn links_are_not_written_to_and_other_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tapline-19700101.db");
        symlink("target", &path).unwrap();
        make(&path).unwrap_err();
        assert!(!folder.path().join("target").exists());
        fs::remove_file(&path).unwrap();
        let first = make(&path).unwrap();
        assert!(first.is_at(&path));
        fs::rename(&path, folder.path().join("kept")).unwrap();
        assert!(!first.is_at(&path));
        make(&path).unwrap();
        assert!(!first.is_at(&path));
    }
}
