//! Commands that end by themselves, and processes that run until they are ended.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::wait::within;

/// What a command that ended left.
#[derive(Clone, Debug)]
pub struct Done {
    /// The exit code; `None`: a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Done {
    fn new(status: ExitStatus, stdout: String, stderr: String) -> Self {
        Self {
            code: status.code(),
            signal: status.signal(),
            stdout,
            stderr,
        }
    }
}

/// Runs a command to its end and gives its stdout.
///
/// # Panics
/// It cannot start, or ends with another code than 0.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program with its arguments, to be started.
#[derive(Debug)]
pub struct Program(Command);

impl Program {
    /// `command` as it is, with nothing on stdin and both outputs collected.
    #[must_use]
    pub fn new(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command)
    }

    /// As [`Program::new`], with stdout as it is set in `command`.
    #[must_use]
    pub fn with_own_stdout(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        Self(command)
    }

    /// As [`Program::new`], with both outputs as they are set in `command`.
    #[must_use]
    pub fn with_own_outputs(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self(command)
    }

    /// Starts it.
    ///
    /// # Panics
    /// It cannot start.
    #[must_use]
    pub fn start(mut self) -> Process {
        let mut child = self
            .0
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.0));
        let stdout = child.stdout.take().map(Collected::new);
        let stderr = child.stderr.take().map(Collected::new);
        Process {
            child,
            stdout,
            stderr,
            ended: false,
        }
    }

    /// Starts it and waits for its end.
    ///
    /// # Panics
    /// It cannot start, or does not end within a minute.
    #[must_use]
    pub fn output(self) -> Done {
        self.start().end_within(60)
    }
}

/// A process that runs; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Option<Collected>,
    stderr: Option<Collected>,
    ended: bool,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// It is gone.
    pub fn signal(&self, signal: i32) {
        let id = i32::try_from(self.id()).unwrap();
        // SAFETY: takes numbers only; the child is not waited for yet, so the number is still its.
        let result = unsafe { libc::kill(id, signal) };
        assert_eq!(result, 0, "signal {signal} to {id}");
    }

    /// What it wrote to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout
            .as_ref()
            .map(Collected::text)
            .unwrap_or_default()
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr
            .as_ref()
            .map(Collected::text)
            .unwrap_or_default()
    }

    /// Waits until stderr holds `text`.
    ///
    /// # Panics
    /// The process ends before, or 15 s pass.
    pub fn wait_for_stderr(&mut self, text: &str) {
        within(&format!("{text:?} on stderr"), || {
            if self.stderr().contains(text) {
                return Some(());
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                self.ended = true;
                panic!(
                    "ended with {status} before it said {text:?}: {}",
                    self.stderr()
                );
            }
            None
        });
    }

    /// Whether it has this file open.
    ///
    /// # Panics
    /// The system does not tell.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap();
        descriptors
            .filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok())
            .any(|open| open == path)
    }

    /// Whether it runs still.
    ///
    /// # Panics
    /// The system does not tell.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It does not end within this time.
    #[must_use]
    pub fn end_within(mut self, seconds: u64) -> Done {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                std::time::Instant::now() < until,
                "process {} did not end within {seconds} s; stderr: {}",
                self.id(),
                self.stderr()
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        self.ended = true;
        let finish = |collected: Option<Collected>| collected.map(Collected::finish);
        Done::new(
            status,
            finish(self.stdout.take()).unwrap_or_default(),
            finish(self.stderr.take()).unwrap_or_default(),
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// What comes out of a pipe, collected by a thread.
#[derive(Debug)]
struct Collected {
    text: Arc<Mutex<String>>,
    thread: JoinHandle<()>,
}

impl Collected {
    fn new(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length > 0)
            {
                into.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, thread }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn finish(self) -> String {
        self.thread.join().unwrap();
        self.text.lock().unwrap().clone()
    }
}
