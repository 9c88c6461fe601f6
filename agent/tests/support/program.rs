//! The program as its users start it: `tapline gen …`.

use std::ffi::OsStr;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};

/// A generator with these arguments, and nothing in its environment.
pub(crate) fn generator<A: AsRef<OsStr>>(
    name: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command.args(["gen", name]).args(arguments).env_clear();
    command
}

/// The same, where no file may be longer than so many blocks of 512 or 1024 bytes: as on a disk with no
/// more room.
pub(crate) fn limited<A: AsRef<OsStr>>(
    name: &str,
    blocks: u32,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tapline")])
        .args(["gen", name])
        .args(arguments)
        .env_clear();
    command
}

/// A program that ends with the test, whatever happens.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts it; what it says is kept for us.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// Sends a signal by its name, like `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end; its code, and the rest of what it said on stderr.
    pub(crate) fn end(&mut self) -> (i32, String) {
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().code().unwrap(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
