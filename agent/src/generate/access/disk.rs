//! The disk guard: while less is free than should be, the oldest files that were put aside are deleted.
//! The logs that are being written, and files of others, are never touched.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::backups::Backups;

/// Looks at the disk now and then, in a thread of its own.
#[derive(Debug)]
pub struct Guard {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Enough is free.
    Enough,
    /// So many files were deleted, and so much is free now.
    Deleted(usize, u64),
    /// There is nothing more to delete, and so much is free.
    Short(u64),
}

impl Guard {
    /// Starts it: it looks at once, then every `interval`. `say` is told what it does.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        folder: PathBuf,
        logs: Vec<Arc<Backups>>,
        least: u64,
        interval: Duration,
        say: Sender<String>,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let work = move || {
            loop {
                let said = match look(&logs, least, || free(&folder)) {
                    Ok(Look::Enough) => None,
                    Ok(Look::Deleted(files, free)) => Some(format!(
                        "Low disk space: {files} old log files were deleted, {} are free",
                        gigabytes(free)
                    )),
                    Ok(Look::Short(free)) => Some(format!(
                        "Low disk space: {} are free, and there is no old log file left to delete",
                        gigabytes(free)
                    )),
                    Err(error) => Some(format!("The disk could not be looked at: {error}")),
                };
                if let Some(said) = said {
                    drop(say.send(said));
                }
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(work)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Ends it.
    pub fn finish(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Deletes the oldest files until `least` bytes are free, as `free` tells, or none is left.
///
/// # Errors
/// The disk cannot be looked at, or a file cannot be deleted.
pub fn look(
    logs: &[Arc<Backups>],
    least: u64,
    free: impl Fn() -> io::Result<u64>,
) -> io::Result<Look> {
    let mut now = free()?;
    if now >= least {
        return Ok(Look::Enough);
    }
    let mut files = Vec::new();
    for log in logs {
        files.extend(
            log.files()?
                .into_iter()
                .map(|(time, file)| (time, file, log)),
        );
    }
    files.sort_by(|(one, file, _), (other, another, _)| {
        (one, &file.path).cmp(&(other, &another.path))
    });
    let mut deleted = 0;
    for (time, file, log) in files {
        if now >= least {
            break;
        }
        deleted += usize::from(log.delete(&file, time)?);
        now = free()?;
    }
    Ok(match now >= least {
        true => Look::Deleted(deleted, now),
        false => Look::Short(now),
    })
}

/// Bytes that are free to us on the disk of a folder.
fn free(folder: &Path) -> io::Result<u64> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    let mut told = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with 0, and there is room for one statvfs.
    let result = unsafe { libc::statvfs(path.as_ptr(), told.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded and has filled it.
    let told = unsafe { told.assume_init() };
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.2}GB", bytes as f64 / 1_073_741_824.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, File};
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_oldest_go_first_and_live_logs_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["access.log", "error.log"];
        let logs = names.map(|name| Arc::new(Backups::new(folder.path(), name, 5, true)));
        for (age, name) in [
            "access.log",
            "access.log.1",
            "error.log.1.gz",
            "access.log.2.gz",
            "other.log.1.gz",
            "access.log.1.bak",
            "error.log",
        ]
        .into_iter()
        .enumerate()
        {
            let file = File::create(folder.path().join(name)).unwrap();
            let time = SystemTime::now() - Duration::from_secs(1000 * (age as u64 + 1));
            file.set_modified(time).unwrap();
        }
        let there = |name: &str| folder.path().join(name).exists();
        let free = Cell::new(100);
        let more = || {
            free.set(free.get() + 10);
            Ok(free.get())
        };
        assert_eq!(look(&logs, 100, more).unwrap(), Look::Enough);
        assert_eq!(look(&logs, 130, more).unwrap(), Look::Deleted(1, 130));
        assert!(!there("access.log.2.gz") && there("error.log.1.gz"));
        assert_eq!(look(&logs, 1_000_000, more).unwrap(), Look::Short(160));
        for name in [
            "access.log",
            "error.log",
            "other.log.1.gz",
            "access.log.1.bak",
        ] {
            assert!(there(name), "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        assert_eq!(look(&logs, 1_000_000, more).unwrap(), Look::Short(170));
    }

    #[test]
    fn a_disk_has_room() {
        assert!(free(Path::new("/")).unwrap() > 0);
        assert!(free(Path::new("/nowhere/at/all")).is_err());
    }
}
