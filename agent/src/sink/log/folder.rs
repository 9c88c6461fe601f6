//! The few steps on a folder of log files that must not go wrong: opening, renaming, listing.

use std::{
    ffi::CString,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::names::FileName;

/// Log lines hold addresses and targets: not for everyone. The umask may take away more.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// The files that lines go to now: the writer fills this, and what deletes files looks at it.
#[derive(Debug, Default)]
pub(super) struct LiveFiles(Mutex<Vec<FileName>>);

impl LiveFiles {
    /// While the guard is held, no file becomes live.
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<FileName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of our files as it lies in the folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: FileName,
    pub(super) bytes: u64,
}

/// Our regular files in the folder; links, folders and foreign names are passed over.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(FileName::parse) else {
            continue;
        };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => entries.push(Entry {
                name,
                bytes: metadata.len(),
            }),
            Ok(_) => {}
            // Deleted by somebody else since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// Makes the folder and those above it where they are missing.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(directory)
}

/// Locks the folder for this process: a second one that renames and deletes in it would lose lines
/// of the first. None when the file system knows no locks; an error only when somebody has it.
pub(super) fn lock(directory: &Path) -> io::Result<Option<File>> {
    let handle = File::open(directory)?;
    match handle.try_lock() {
        Ok(()) => Ok(Some(handle)),
        Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

/// Opens a file for appending, makes it when it is missing; refuses links and what is no file.
pub(super) fn open_append(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().create(true))
}

/// The same for one that is there.
pub(super) fn open_present(path: &Path) -> io::Result<File> {
    open(path, &mut OpenOptions::new())
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let opened = options
        .read(true)
        .append(true)
        .mode(FILE_MODE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::other("it is a symbolic link, and none is followed"),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Makes a file that must not exist yet.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
}

/// Whether the file ends in the middle of a line.
pub(super) fn ends_torn(file: &File, size: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    if let Some(at) = size.checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    Ok(last != *b"\n")
}

/// Whether the path still names the open file.
pub(super) fn is_same(path: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Renames, and fails with `AlreadyExists` rather than write over another file.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let (from_text, to_text) = (path_text(from)?, path_text(to)?);
    // SAFETY: both pointers are to strings that end in NUL and live until the call returns; the
    // call keeps neither.
    let result = unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            from_text.as_ptr(),
            libc::AT_FDCWD,
            to_text.as_ptr(),
            libc::RENAME_NOREPLACE,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // Some file systems (NFS) do not know the flag: then as well as it goes, the folder is locked.
    if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) {
        if fs::symlink_metadata(to).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        return fs::rename(from, to);
    }
    Err(error)
}

fn path_text(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn renaming_never_writes_over_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::write(&from, "from").unwrap();
        fs::write(&to, "to").unwrap();
        let error = rename_new(&from, &to).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"to");
        fs::remove_file(&to).unwrap();
        rename_new(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"from");
    }

    #[test]
    fn links_and_folders_are_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let [target, link] = ["target", "link"].map(|name| folder.path().join(name));
        symlink(&target, &link).unwrap();
        open_append(&link).unwrap_err();
        assert!(!target.exists());
        open_append(folder.path()).unwrap_err();
    }

    #[test]
    fn a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        let second = lock(folder.path()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        assert!(lock(folder.path()).unwrap().is_some());
    }

    #[test]
    fn only_our_files_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("http-20190901.log"), "12345").unwrap();
        fs::write(path("http-20190901.log.1"), "").unwrap();
        fs::create_dir(path("http-20190902.log")).unwrap();
        symlink("http-20190901.log", path("http-20190903.log")).unwrap();
        let entries = list(folder.path()).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].name.to_string(), "http-20190901.log");
        assert_eq!(entries[0].bytes, 5);
    }
}
