//! Network namespaces: hosts of their own on this machine.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::command::run;

/// What the names begin with; the process id and a number follow.
const PREFIX: &str = "tapline-e2e-";

/// A network namespace with its loopback interface up; deleted when dropped, with the processes that
/// still run in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Panics
    /// `ip` fails: not root, or no network namespaces.
    #[must_use]
    pub fn new() -> Self {
        static CLEAN: Once = Once::new();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        CLEAN.call_once(remove_leftovers);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        run("ip", &["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// Its name, for `ip`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` in it; the arguments are separated by spaces. Gives stdout.
    ///
    /// # Panics
    /// `ip` fails.
    pub fn ip(&self, arguments: &str) -> String {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments.split_whitespace());
        run("ip", &all)
    }

    /// A command that will run in it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a command in it to its end; gives stdout.
    ///
    /// # Panics
    /// The command fails.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut all = vec!["netns", "exec", &self.name, program];
        all.extend(arguments);
        run("ip", &all)
    }

    /// Runs `action` on a thread inside the namespace: sockets that it makes belong there for good.
    ///
    /// # Panics
    /// The namespace cannot be entered, or `action` panics.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let file = File::open(format!("/run/netns/{}", self.name)).unwrap();
                // SAFETY: the descriptor is open; only this thread changes its namespace.
                let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
                assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
                action()
            });
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Joins an interface here with one in `other` by a pair of virtual cables, both up, without
    /// checksum offload (so that captures hold true checksums) and without duplicate address
    /// detection (so that IPv6 works at once).
    ///
    /// # Panics
    /// `ip` fails.
    pub fn join(&self, name: &str, other: &Self, other_name: &str) {
        self.ip(&format!(
            "link add {name} type veth peer name {other_name} netns {}",
            other.name
        ));
        for (namespace, name) in [(self, name), (other, other_name)] {
            namespace.ip(&format!("link set {name} up"));
        }
    }

    /// Gives an interface an address with its prefix length, IPv4 or IPv6.
    ///
    /// # Panics
    /// `ip` fails.
    pub fn address(&self, interface: &str, address: &str) {
        let no_detection = if address.contains(':') { " nodad" } else { "" };
        self.ip(&format!(
            "address add {address} dev {interface}{no_detection}"
        ));
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Deletes namespaces of test programs that were killed.
fn remove_leftovers() {
    let listed = run("ip", &["netns", "list"]);
    for name in listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if let Some(owner) = owner
            && !fs::exists(format!("/proc/{owner}")).unwrap_or(true)
        {
            remove(name);
        }
    }
}

/// Ends what still runs in a namespace and deletes it. Says nothing: it runs after panics too.
fn remove(name: &str) {
    if let Ok(listed) = Command::new("ip").args(["netns", "pids", name]).output() {
        for id in String::from_utf8_lossy(&listed.stdout)
            .lines()
            .filter_map(|id| id.trim().parse().ok())
        {
            // SAFETY: takes numbers only. Only processes of tests are in these namespaces.
            unsafe { libc::kill(id, libc::SIGKILL) };
        }
    }
    drop(Command::new("ip").args(["netns", "delete", name]).output());
}
