//! The program under test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::command::{Process, Program};
use super::head::{Head, heads_of, summaries};
use super::namespace::Namespace;
use super::wait::within;

/// The program's file: what TAPLINE_BIN names, else the release build of this workspace.
///
/// # Panics
/// There is none.
#[must_use]
pub fn program() -> PathBuf {
    let path = std::env::var_os("TAPLINE_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/tapline"),
        PathBuf::from,
    );
    path.canonicalize().unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build it: cargo build --release",
            path.display()
        )
    })
}

/// `tapline run` in a namespace, writing JSON lines to a folder of its own; killed when dropped.
#[derive(Debug)]
pub struct Tapline {
    process: Process,
    folder: TempDir,
}

impl Tapline {
    /// Starts it with these flags (separated by spaces) and waits until it captures.
    ///
    /// # Panics
    /// It ends before.
    #[must_use]
    pub fn start(namespace: &Namespace, flags: &str) -> Self {
        Self::start_with(namespace, flags, &[])
    }

    /// As [`Tapline::start`], with environment variables.
    ///
    /// # Panics
    /// It ends before it captures.
    #[must_use]
    pub fn start_with(namespace: &Namespace, flags: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // For runs that become another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Self::command(namespace, "run");
        command.envs(variables.iter().copied());
        command
            .args(["--json", "--format", "json", "--log-dir"])
            .arg(folder.path().join("log"));
        command.args(flags.split_whitespace());
        let mut process = Program::new(command).start();
        process.wait_for_stderr("stop with Ctrl-C");
        Self { process, folder }
    }

    /// The program with a subcommand, in a namespace, without any TAPLINE_ variable of ours.
    #[must_use]
    pub fn command(namespace: &Namespace, subcommand: &str) -> Command {
        let mut command = namespace.command(&program().display().to_string());
        command.arg(subcommand);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TAPLINE_") {
                command.env_remove(name);
            }
        }
        // Tests that want a store ask for one, in a folder of their own.
        command.env("TAPLINE_STORE_ENABLED", "false");
        command
    }

    /// The folder of its lines.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The process.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The heads that it wrote so far.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        heads_in(&self.folder())
    }

    /// Waits until it wrote so many heads, and gives them.
    ///
    /// # Panics
    /// It does not within 15 s.
    #[must_use]
    pub fn wait_for_heads(&self, count: usize) -> Vec<Head> {
        within(&format!("{count} heads"), || {
            let heads = self.heads();
            (heads.len() >= count).then_some(heads)
        })
    }

    /// Stops it in order and checks its account: every identity of the ledger holds exactly.
    ///
    /// # Panics
    /// It ends with another code than 0, or an identity does not hold.
    #[must_use]
    pub fn stop(self) -> Ended {
        self.process.signal(libc::SIGTERM);
        self.ended()
    }

    /// Waits until it ends by itself and checks its account, as [`Tapline::stop`].
    ///
    /// # Panics
    /// As [`Tapline::stop`].
    #[must_use]
    pub fn ended(self) -> Ended {
        let folder = self.folder();
        let (ended, _kept) = self.account();
        Ended {
            heads: heads_in(&folder),
            ..ended
        }
    }

    /// As [`Tapline::stop`], for a run that wrote more lines than are worth reading: they are counted alone.
    ///
    /// # Panics
    /// As [`Tapline::stop`], and where there are more or fewer lines than the account says.
    #[must_use]
    pub fn stop_unread(self) -> Ended {
        self.process.signal(libc::SIGTERM);
        let folder = self.folder();
        let (ended, _kept) = self.account();
        let lines: u64 = files_in(&folder)
            .iter()
            .map(|path| fs::read(path).unwrap())
            .map(|text| text.iter().filter(|byte| **byte == b'\n').count() as u64)
            .sum();
        assert_eq!(lines, ended.count("lines/stored"), "{:#}", ended.ledger);
        ended
    }

    /// Its account, checked, without its lines; and the folder in which they are.
    fn account(self) -> (Ended, TempDir) {
        let Self { process, folder } = self;
        let done = process.end_within(20);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let ledger: Value = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?}", done.stdout));
        let ended = Ended {
            heads: Vec::new(),
            ledger,
            stderr: done.stderr,
        };
        ended.check_account();
        (ended, folder)
    }
}

/// What a run left.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its lines.
    pub heads: Vec<Head>,
    /// Its account.
    pub ledger: Value,
    /// What it said.
    pub stderr: String,
}

impl Ended {
    /// A number of the ledger: `records/received`; 0 if it is not there.
    #[must_use]
    pub fn count(&self, path: &str) -> u64 {
        self.ledger
            .pointer(&format!("/{path}"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    }

    /// The sum of a map of the ledger, or of one member of each item of a list.
    #[must_use]
    pub fn sum(&self, path: &str, member: Option<&str>) -> u64 {
        let number = |value: &Value| match member {
            Some(member) => value[member].as_u64().unwrap_or(0),
            None => value.as_u64().unwrap_or(0),
        };
        match self.ledger.pointer(&format!("/{path}")) {
            Some(Value::Object(members)) => members.values().map(number).sum(),
            Some(Value::Array(items)) => items.iter().map(number).sum(),
            _ => 0,
        }
    }

    /// The summaries of the heads.
    #[must_use]
    pub fn summaries(&self) -> Vec<String> {
        summaries(&self.heads)
    }

    fn check_account(&self) {
        let check = |what: &str, left: u64, right: u64| {
            assert_eq!(left, right, "{what}: {:#}", self.ledger);
        };
        let [numbered, received, lost] =
            ["records/numbered", "records/received", "records/lost/ring"]
                .map(|path| self.count(path));
        check("records", numbered, received + lost);
        check(
            "records by CPU",
            self.sum("cpus", Some("records")),
            numbered,
        );
        for (index, cpu) in self.ledger["cpus"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let [records, received, lost] =
                ["records", "received", "lost"].map(|name| cpu[name].as_u64().unwrap());
            check(&format!("records of CPU {index}"), records, received + lost);
        }
        check("lost by CPU", self.sum("cpus", Some("lost")), lost);
        check(
            "packets by CPU",
            self.sum("cpus", Some("packets")),
            self.count("packets"),
        );
        let by_protocol =
            self.sum("packets_by/incoming", None) + self.sum("packets_by/outgoing", None);
        check("packets by protocol", by_protocol, self.count("packets"));
        let [found, whole, partial] =
            ["heads/found", "heads/whole", "heads/partial"].map(|path| self.count(path));
        check("heads", found, whole + partial);
        check("heads by kind", self.sum("heads/kinds", None), found);
        let others = self.count("heads/copies") + self.count("heads/look_alikes");
        check(
            "start lines",
            self.count("heads/start_lines"),
            found + others,
        );
        check(
            "lines",
            self.count("lines/accepted"),
            self.count("lines/stored") + self.count("lines/lost"),
        );
        // What it says of itself must be the same.
        let identities = self.ledger["identities"].as_object().unwrap();
        assert!(identities.len() >= 4, "{:#}", self.ledger);
        for (name, identity) in identities {
            assert_eq!(identity["holds"], true, "{name}: {:#}", self.ledger);
        }
    }
}

/// All lines of a folder, its files by name.
fn heads_in(folder: &Path) -> Vec<Head> {
    files_in(folder)
        .iter()
        .flat_map(|path| heads_of(&String::from_utf8_lossy(&fs::read(path).unwrap())))
        .collect()
}

/// The files of lines in a folder, by name.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    paths
}
