//! Folders that must stay writable when privileges go.

use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::{PrivilegeError, User};

/// Makes `folder`, and the files in it that `is_ours` knows by name, writable for `user`. To be
/// called as root, before privileges are given up, for the folders of logs and stores.
///
/// A folder that the user can write already keeps its owner. One that holds anything else than our
/// files is refused, so that `--log-dir /var/log` does not give `/var/log` away. Files with a second
/// name elsewhere (hard links), symbolic links and what is no file are left alone: whoever may write
/// in the folder must not choose what is given to him.
///
/// # Errors
/// The folder holds something foreign, or a step failed.
pub fn chown_for(
    user: &User,
    folder: &Path,
    is_ours: impl Fn(&OsStr) -> bool,
) -> Result<(), PrivilegeError> {
    let failed = |error: io::Error| {
        PrivilegeError::system(
            format!(
                "give the folder {} to user {:?}",
                folder.display(),
                user.name
            ),
            error,
        )
    };
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(folder)
        .map_err(failed)?;
    let give_folder = !can_write(user, &opened.metadata().map_err(failed)?);

    // By way of the descriptor: the path may lead elsewhere a moment later.
    let pinned = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    let mut ours = Vec::new();
    for entry in std::fs::read_dir(&pinned).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_ours(&entry.file_name()) {
            ours.push(entry.path());
        } else if give_folder {
            return Err(PrivilegeError::ForeignFile {
                folder: folder.to_owned(),
                user: user.name.clone(),
                entry: entry.file_name().to_string_lossy().into_owned(),
            });
        }
    }
    for path in ours {
        if let Some(file) = open_plain_file(&path).map_err(failed)? {
            give(user, &file).map_err(failed)?;
        }
    }
    if give_folder {
        give(user, &opened).map_err(failed)?;
    }
    Ok(())
}

/// Checks that files can be made in `folder` with the privileges there are now.
///
/// # Errors
/// They cannot; the error says what to do.
pub fn ensure_writable(folder: &Path) -> Result<(), PrivilegeError> {
    let not_writable = |source| PrivilegeError::NotWritable {
        folder: folder.to_owned(),
        source,
    };
    let path = CString::new(folder.as_os_str().as_bytes())
        .map_err(|error| not_writable(io::Error::from(error)))?;
    // SAFETY: the path ends with NUL and is only read.
    let result = unsafe {
        libc::faccessat(
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::W_OK | libc::X_OK,
            libc::AT_EACCESS,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(not_writable(io::Error::last_os_error()))
    }
}

/// Opens a plain file that has this name only; `None` for anything else.
fn open_plain_file(path: &Path) -> io::Result<Option<File>> {
    let plain = |metadata: &Metadata| metadata.is_file() && metadata.nlink() == 1;
    // Looked at before it is opened: opening a device may do something.
    if !plain(&std::fs::symlink_metadata(path)?) {
        return Ok(None);
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    Ok(plain(&file.metadata()?).then_some(file))
}

fn give(user: &User, file: &File) -> io::Result<()> {
    if file.metadata()?.uid() == user.uid {
        return Ok(());
    }
    fchown(file, Some(user.uid), Some(user.gid))
}

/// Whether the permission bits let this user make files in a folder.
fn can_write(user: &User, folder: &Metadata) -> bool {
    const WRITE_AND_ENTER: u32 = 0o3;
    let shift = if folder.uid() == user.uid {
        6
    } else if user.groups.contains(&folder.gid()) {
        3
    } else {
        0
    };
    folder.mode() >> shift & WRITE_AND_ENTER == WRITE_AND_ENTER
}
