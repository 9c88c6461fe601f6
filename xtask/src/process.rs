//! External commands: every one goes through [`Step`], which shows the command and what it wrote
//! to stderr when it fails, passes Ctrl-C on, and leaves no child behind.

mod running;

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

pub(crate) use running::Running;

use crate::workspace;

/// One external command, not yet run.
#[derive(Debug)]
pub(crate) struct Step {
    command: Command,
    time_limit: Option<Duration>,
    ignores_interruption: bool,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// All it wrote to stdout, where that was not passed through.
    pub(crate) stdout: String,
    /// All it wrote to stderr, where that was not passed through.
    pub(crate) stderr: String,
}

impl Step {
    /// A command with no arguments yet, run in the current folder.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        // A group of its own, so that the end reaches the children of children too.
        command.stdin(Stdio::null()).process_group(0);
        die_with_parent(&mut command);
        Self {
            command,
            time_limit: None,
            ignores_interruption: false,
        }
    }

    /// The cargo that started this program, with the toolchain and the settings of the user.
    ///
    /// What cargo said about the package `xtask` is taken away: it is not about the packages that
    /// are built now.
    pub(crate) fn cargo(subcommand: &str) -> Self {
        Self::new(workspace::cargo())
            .without_variables(is_about_a_package)
            .arg(subcommand)
    }

    /// Takes away what chooses a compiler and its flags, by the user, by rustup or by an outer
    /// cargo. What is true for every compiler (`CARGO_HOME`, `CARGO_NET_*`, …) stays.
    pub(crate) fn without_toolchain_variables(self) -> Self {
        self.without_variables(|name| chooses_a_toolchain(name) || is_about_a_package(name))
    }

    fn without_variables(mut self, unwanted: impl Fn(&str) -> bool) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(&unwanted) {
                self.command.env_remove(name);
            }
        }
        self
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets one environment variable of the child.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs the command in `folder`.
    pub(crate) fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Ends the command when it takes longer than this.
    pub(crate) fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Runs the command to its end also after Ctrl-C: it cleans up.
    pub(crate) fn without_interruption(mut self) -> Self {
        self.ignores_interruption = true;
        self
    }

    /// The command as a person would type it.
    pub(crate) fn shown(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// Runs the command with its output passed through.
    ///
    /// # Errors
    /// When it cannot start, ends with anything but 0, takes too long, or Ctrl-C came.
    pub(crate) fn run(mut self) -> Result<()> {
        self.command
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit());
        let outcome = self.finish(|_| {})?;
        self.check(&outcome)
    }

    /// Runs the command with its output kept and gives its stdout.
    ///
    /// # Errors
    /// As [`Step::run`]; the message holds what the command wrote to stderr.
    pub(crate) fn stdout(mut self) -> Result<String> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let outcome = self.finish(|_| {})?;
        self.check(&outcome)?;
        Ok(outcome.stdout)
    }

    /// Runs the command with its output kept, whatever its exit code.
    ///
    /// # Errors
    /// When it cannot start, takes too long, or Ctrl-C came.
    pub(crate) fn outcome(mut self) -> Result<Outcome> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.finish(|_| {})
    }

    /// Runs the command, calls `line` for each line of its stdout as it comes, and passes its
    /// stderr through. Gives how it ended, whatever its exit code.
    ///
    /// # Errors
    /// When it cannot start, takes too long, or Ctrl-C came.
    pub(crate) fn lines(mut self, line: impl FnMut(&str)) -> Result<ExitStatus> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        Ok(self.finish(line)?.status)
    }

    /// Starts the command and leaves it running; it ends when the result is dropped.
    ///
    /// # Errors
    /// When it cannot start.
    pub(crate) fn start(mut self, stdout: Stdio, stderr: Stdio) -> Result<Running> {
        self.command.stdout(stdout).stderr(stderr);
        let shown = self.shown();
        Ok(Running::new(self.spawn()?, shown))
    }

    /// Replaces this program by the command, so that signals go straight to it.
    ///
    /// # Errors
    /// When the command cannot start; it does not return otherwise.
    pub(crate) fn exec(self) -> Result<std::convert::Infallible> {
        let shown = self.shown();
        // A fresh command: the process group and the link to a parent are for children only.
        let mut command = Command::new(self.command.get_program());
        command.args(self.command.get_args());
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        Err(command.exec()).with_context(|| format!("start `{shown}`"))
    }

    fn spawn(&mut self) -> Result<Child> {
        let program = PathBuf::from(self.command.get_program());
        self.command.spawn().with_context(|| {
            format!(
                "start `{}` (is {} installed?)",
                self.shown(),
                program.display()
            )
        })
    }

    fn check(&self, outcome: &Outcome) -> Result<()> {
        if outcome.status.success() {
            return Ok(());
        }
        let mut message = format!("`{}` failed with {}", self.shown(), outcome.status);
        let said = outcome.stderr.trim();
        if !said.is_empty() {
            message.push_str(":\n");
            message.push_str(said);
        }
        bail!(message)
    }

    fn finish(&mut self, line: impl FnMut(&str)) -> Result<Outcome> {
        let started = Instant::now();
        let shown = self.shown();
        let mut running = Running::new(self.spawn()?, shown);
        let deadline = self.time_limit.map(|limit| (started + limit, limit));
        running.collect(deadline, !self.ignores_interruption, line)
    }
}

/// Asks the kernel to end the child when this program dies, even by `kill -9`.
fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
}

fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What cargo tells a program that it runs.
fn is_about_a_package(name: &str) -> bool {
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_PACKAGE",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

fn chooses_a_toolchain(name: &str) -> bool {
    matches!(
        name,
        "CARGO"
            | "RUSTC"
            | "RUSTDOC"
            | "RUSTC_WRAPPER"
            | "RUSTC_WORKSPACE_WRAPPER"
            | "RUSTC_BOOTSTRAP"
            | "RUSTFLAGS"
            | "RUST_RECURSION_COUNT"
            | "RUSTUP_TOOLCHAIN"
            | "CARGO_ENCODED_RUSTFLAGS"
            | "CARGO_MAKEFLAGS"
            | "CARGO_TARGET_DIR"
            | "LD_LIBRARY_PATH"
    ) || [
        "CARGO_BUILD_",
        "CARGO_TARGET_",
        "CARGO_PROFILE_",
        "CARGO_UNSTABLE_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

/// `PATH` with `folder` in front.
pub(crate) fn path_with(folder: &Path) -> OsString {
    let mut path = folder.as_os_str().to_owned();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

#[cfg(test)]
mod tests;
