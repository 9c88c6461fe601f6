//! A command that runs: collecting what it prints, and ending it with all its children.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, ExitStatus},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{interrupt, process::Outcome};

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// A command that runs. Dropping it ends the command and its children.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    shown: String,
}

impl Running {
    /// Takes over a child that leads a process group of its own.
    pub(super) fn new(child: Child, shown: String) -> Self {
        Self { child, shown }
    }

    /// The number of its process, which is that of its process group too.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

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

    /// Waits for the end, and calls `line` for each line of stdout as it comes. It is ended
    /// before at a deadline (which comes with its length, for the message) and, when
    /// `interruptible`, at Ctrl-C.
    pub(super) fn collect(
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
