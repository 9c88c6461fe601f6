//! External commands: every one goes through [`Step`], which shows the command and what it wrote
//! to stderr when it fails, passes Ctrl-C on, and leaves no child behind.

use std::{
    ffi::{OsStr, OsString},
    io::{BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{interrupt, workspace};

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

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

    /// The cargo that started this program, without what an outer cargo or rustup told it.
    pub(crate) fn cargo(subcommand: &str) -> Self {
        Self::new(workspace::cargo())
            .without_cargo_variables()
            .arg(subcommand)
    }

    /// Takes away what an outer cargo or rustup set for its own child: it would choose the
    /// compiler, the flags and the target folder of the inner one.
    ///
    /// What the user chose for the host (`CARGO_HOME`, `CARGO_TARGET_DIR`, `CARGO_NET_*`, …)
    /// stays.
    pub(crate) fn without_cargo_variables(mut self) -> Self {
        for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
            let inherited = matches!(
                name.as_str(),
                "CARGO"
                    | "RUSTC"
                    | "RUSTDOC"
                    | "RUSTC_WRAPPER"
                    | "RUSTC_WORKSPACE_WRAPPER"
                    | "RUSTFLAGS"
                    | "RUSTUP_TOOLCHAIN"
                    | "RUST_RECURSION_COUNT"
                    | "RUSTC_BOOTSTRAP"
                    | "CARGO_ENCODED_RUSTFLAGS"
                    | "CARGO_MAKEFLAGS"
                    | "CARGO_PRIMARY_PACKAGE"
                    | "LD_LIBRARY_PATH"
            ) || [
                "CARGO_PKG_",
                "CARGO_MANIFEST_",
                "CARGO_BIN_",
                "CARGO_CRATE_",
            ]
            .iter()
            .any(|prefix| name.starts_with(prefix));
            if inherited {
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

    /// Takes one environment variable away from the child.
    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
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
        Ok(Running {
            child: self.spawn()?,
            shown,
        })
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
        let mut running = Running {
            child: self.spawn()?,
            shown,
        };
        let deadline = self.time_limit.map(|limit| (started + limit, limit));
        running.collect(deadline, !self.ignores_interruption, line)
    }
}

/// A command that runs. Dropping it ends the command and its children.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    shown: String,
}

impl Running {
    /// Whether the command has ended by itself, and how.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("wait for `{}`", self.shown))
    }

    /// Takes the pipe that the command writes its stdout to, where it was started with one.
    pub(crate) fn take_stdout(&mut self) -> Option<impl Read + Send + 'static> {
        self.child.stdout.take()
    }

    /// Asks the command to end (SIGTERM), waits, and ends it by force when it does not.
    ///
    /// # Errors
    /// When the system cannot tell how it ended.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus> {
        self.stop_within(GRACE)
    }

    fn stop_within(&mut self, grace: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + grace;
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.signal_group(libc::SIGTERM);
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.signal_group(libc::SIGKILL);
        self.child
            .wait()
            .with_context(|| format!("wait for `{}`", self.shown))
    }

    fn signal_group(&self, signal: i32) {
        let Ok(group) = i32::try_from(self.child.id()) else {
            return;
        };
        // SAFETY: killpg takes no memory. The child has not been waited for yet (`ended` gave
        // none), so its number still names its own group and no other process.
        unsafe { libc::killpg(group, signal) };
    }

    fn collect(
        &mut self,
        deadline: Option<(Instant, Duration)>,
        interruptible: bool,
        mut line: impl FnMut(&str),
    ) -> Result<Outcome> {
        let (sender, lines) = mpsc::channel();
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let stdout_reader = thread::spawn(move || {
            let Some(pipe) = stdout else { return };
            for bytes in BufReader::new(pipe)
                .split(b'\n')
                .map_while(std::result::Result::ok)
            {
                if sender
                    .send(String::from_utf8_lossy(&bytes).into_owned())
                    .is_err()
                {
                    return;
                }
            }
        });
        let stderr_reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = stderr {
                pipe.read_to_end(&mut bytes).ok();
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });

        let mut kept = String::new();
        let mut pause = Duration::from_millis(1);
        let status = loop {
            match lines.recv_timeout(pause) {
                Ok(text) => {
                    line(&text);
                    kept.push_str(&text);
                    kept.push('\n');
                }
                Err(reason) => {
                    if let Some(status) = self.ended()? {
                        break status;
                    }
                    if reason == mpsc::RecvTimeoutError::Disconnected {
                        thread::sleep(pause);
                    }
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
            }
            if interruptible && interrupt::signal().is_some() {
                self.stop()?;
                bail!("interrupted: `{}` was stopped", self.shown);
            }
            if let Some((at, limit)) = deadline
                && Instant::now() >= at
            {
                self.stop()?;
                bail!(
                    "`{}` was stopped: it took longer than {} s",
                    self.shown,
                    limit.as_secs()
                );
            }
        };
        // What was written just before the end is still in the pipe.
        for text in lines {
            line(&text);
            kept.push_str(&text);
            kept.push('\n');
        }
        stdout_reader.join().ok();
        let stderr = stderr_reader.join().unwrap_or_default();
        Ok(Outcome {
            status,
            stdout: kept,
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop_within(Duration::from_secs(3)).ok();
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
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_command_and_its_stderr() {
        let step = Step::new("sh").args(["-c", "echo broken pipe wrench >&2; exit 3"]);
        let message = step.stdout().unwrap_err().to_string();
        assert!(message.contains("sh -c 'echo broken"), "{message}");
        assert!(message.contains("exit status: 3"), "{message}");
        assert!(message.ends_with("broken pipe wrench"), "{message}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let message = format!("{:#}", Step::new("no-such-program").run().unwrap_err());
        assert!(
            message.contains("is no-such-program installed?"),
            "{message}"
        );
    }

    #[test]
    fn lines_come_in_order_and_all_of_them() {
        let mut seen = Vec::new();
        let status = Step::new("sh")
            .args(["-c", "for i in 1 2 3; do echo $i; done; printf 4; exit 1"])
            .lines(|line| seen.push(line.to_owned()))
            .unwrap();
        assert_eq!(seen, ["1", "2", "3", "4"]);
        assert_eq!(status.code(), Some(1));
    }

    #[test]
    fn a_time_limit_ends_the_children_of_the_child_too() {
        let folder = std::env::temp_dir().join(format!("xtask-limit-{}", std::process::id()));
        let script = format!("sleep 60 & echo $! > {}; wait", folder.display());
        let step = Step::new("sh")
            .args(["-c", &script])
            .time_limit(Duration::from_millis(300));
        let message = step.run().unwrap_err().to_string();
        assert!(message.contains("took longer"), "{message}");
        let child: i32 = std::fs::read_to_string(&folder)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        std::fs::remove_file(&folder).unwrap();
        let gone = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            let state = std::fs::read_to_string(format!("/proc/{child}/stat"));
            state.map_or(true, |line| line.contains(") Z "))
        });
        assert!(gone, "the sleeping grandchild {child} still runs");
    }

    #[test]
    fn words_are_quoted_as_a_shell_wants_them() {
        let step = Step::new("a").args(["plain-word", "two words", "it's", ""]);
        assert_eq!(step.shown(), r"a plain-word 'two words' 'it'\''s' ''");
    }
}
