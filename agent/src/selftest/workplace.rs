//! A folder for the files of a selftest, gone with it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::TempDir;

/// What the names begin with; what follows nobody can guess.
const PREFIX: &str = "tapline-selftest-";

/// A file in the folder that is locked as long as somebody works there; it has its name only once it is.
const LOCK: &str = "lock";

/// A folder that only this user can look into; deleted when dropped.
#[derive(Debug)]
pub(super) struct Workplace {
    folder: TempDir,
    /// Held until the folder is gone.
    _lock: File,
}

impl Workplace {
    /// Makes it among the temporary files, and deletes those of this user that processes left that were
    /// killed.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new() -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    fn new_in(all: &Path) -> io::Result<Self> {
        for entry in fs::read_dir(all)?.flatten() {
            let name = entry.file_name();
            let is_named = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
            if is_named && is_left(&entry.path()) {
                // What cannot be deleted is no hindrance.
                drop(fs::remove_dir_all(entry.path()));
            }
        }
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(all)?;
        let fresh = folder.path().join("lock.new");
        let lock = File::create_new(&fresh)?;
        lock.lock()?;
        fs::rename(&fresh, folder.path().join(LOCK))?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether it is a folder of this user that nobody works in any more.
fn is_left(folder: &Path) -> bool {
    // SAFETY: takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let is_ours = fs::symlink_metadata(folder)
        .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
    let lock = || {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(folder.join(LOCK))
    };
    is_ours && lock().is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_of_ours_is_deleted() {
        let all = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let path = all.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join(LOCK), "").unwrap();
            path
        };
        let (left, other) = (made("tapline-selftest-1"), made("other"));
        let unlocked = all.path().join("tapline-selftest-2");
        fs::create_dir(&unlocked).unwrap();
        let link = all.path().join("tapline-selftest-3");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        let at_work = Workplace::new_in(all.path()).unwrap();
        assert!(!left.exists());
        let second = Workplace::new_in(all.path()).unwrap();
        for kept in [&other, &unlocked, &link] {
            assert!(kept.exists(), "{}", kept.display());
        }
        assert!(at_work.path().exists() && at_work.path() != second.path());
        let mode = fs::metadata(second.path()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = at_work.path().to_owned();
        drop(at_work);
        assert!(!path.exists());
        // SAFETY: takes nothing and cannot fail.
        if unsafe { libc::geteuid() } == 0 {
            let foreign = made("tapline-selftest-4");
            std::os::unix::fs::chown(&foreign, Some(65_534), None).unwrap();
            assert!(!is_left(&foreign));
        }
    }
}
