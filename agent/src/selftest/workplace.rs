//! A folder for the files of a selftest, gone with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What the names begin with; the process id follows.
const PREFIX: &str = "tapline-selftest-";

/// A folder that only this user can look into; deleted when dropped.
#[derive(Debug)]
pub(super) struct Workplace(PathBuf);

impl Workplace {
    /// Makes it among the temporary files, and deletes those that processes left that were killed.
    ///
    /// # Errors
    /// It cannot be made, or is there already.
    pub(super) fn new() -> io::Result<Self> {
        let all = std::env::temp_dir();
        for entry in fs::read_dir(&all)?.flatten() {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            if let Some(id) = id.and_then(|id| id.parse::<u32>().ok())
                && !Path::new(&format!("/proc/{id}")).exists()
            {
                // Somebody else's cannot be deleted, and need not be.
                drop(fs::remove_dir_all(entry.path()));
            }
        }
        let path = all.join(format!("{PREFIX}{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // It is among the temporary files: what cannot be deleted now is later.
        drop(fs::remove_dir_all(&self.0));
    }
}
