//! Who owns the filters on an interface, where the kernel does not know.
//!
//! A filter of clsact stays when its process is killed. While a process lives it holds a lock, named
//! after the interface and its network namespace; who gets the lock may take off what is left there.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use super::has_tcx;

/// A held lock; released when dropped, or when the process ends in any way.
#[derive(Debug)]
pub(super) struct Owner {
    #[expect(dead_code, reason = "held: closing it releases the lock")]
    file: File,
}

impl Owner {
    /// The lock of the interface; `None` where the kernel takes filters off by itself, when another
    /// process has it, or there is nowhere to put it.
    pub(super) fn of(index: u32) -> Option<Self> {
        if has_tcx() {
            return None;
        }
        let namespace = fs::metadata("/proc/self/ns/net").ok()?.ino();
        let folder = PathBuf::from("/run/tapline");
        fs::create_dir_all(&folder).ok()?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(folder.join(format!("tc-{namespace}-{index}.lock")))
            .ok()?;
        file.try_lock().ok()?;
        Some(Self { file })
    }
}
