//! What captures: tapline with one of its hooks, or another program that logs or counts HTTP.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::{
    bench::{
        capture::{site::Site, usage},
        sessions::crowd::IDLE,
    },
    demo::namespaces::SERVER_INTERFACE,
    interrupt,
    process::{Running, Step},
};

/// How long a capturer may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that captures.
#[derive(Clone, Debug)]
pub(crate) struct Capturer {
    /// What it is called in results.
    pub(crate) name: String,
    kind: Kind,
    program: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Tapline {
        hook: String,
    },
    /// Exchanges, sessions and the store beside the lines.
    TaplineWithStore,
    /// The same, with room for very many flows that are soon over.
    TaplineInCrowd,
    Httpry,
    Tcpdump,
    Tshark,
}

impl Capturer {
    /// The agent, with this hook.
    pub(crate) fn tapline(program: &Path, hook: &str) -> Self {
        Self {
            name: format!("tapline {hook}"),
            kind: Kind::Tapline {
                hook: hook.to_owned(),
            },
            program: program.to_owned(),
        }
    }

    /// The agent with all that it does: exchanges and sessions into the store, lines into files.
    pub(crate) fn tapline_with_store(program: &Path) -> Self {
        Self {
            name: "tapline, store".to_owned(),
            kind: Kind::TaplineWithStore,
            program: program.to_owned(),
        }
    }

    /// The agent with all that it does, and room for very many flows.
    pub(crate) fn tapline_in_crowd(program: &Path) -> Self {
        Self {
            name: "tapline, flows".to_owned(),
            kind: Kind::TaplineInCrowd,
            program: program.to_owned(),
        }
    }

    /// Another program, by its name.
    pub(crate) fn peer(name: &str, program: &Path) -> Self {
        Self {
            name: name.to_owned(),
            kind: match name {
                "httpry" => Kind::Httpry,
                "tcpdump" => Kind::Tcpdump,
                _ => Kind::Tshark,
            },
            program: program.to_owned(),
        }
    }

    /// Whether the targets are for it: they are for the hooks that are taken by themselves.
    pub(crate) fn is_judged(&self) -> bool {
        matches!(&self.kind, Kind::Tapline { hook } if hook != "xdp")
    }

    /// Starts it on the server's side and waits until it captures.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(&self, site: &Site) -> Result<Capturing> {
        let folder = site.fresh_folder()?;
        let step = site.in_server(&self.program).folder(&folder);
        let step = match &self.kind {
            Kind::Tapline { hook } => step
                .args(["run", "--json", "-i", SERVER_INTERFACE, "--attach", hook])
                .args(["--ring", "16MiB", "--log-dir", "logs", "--no-store"]),
            Kind::TaplineWithStore => step
                .args(["run", "--json", "-i", SERVER_INTERFACE, "--attach", "tc"])
                .args(["--ring", "16MiB", "--log-dir", "logs", "--store"])
                .args(["--data-dir", "data"]),
            Kind::TaplineInCrowd => step
                .args(["run", "--json", "-i", SERVER_INTERFACE, "--attach", "tc"])
                .args(["--ring", "16MiB", "--log-dir", "logs", "--store"])
                .args(["--data-dir", "data", "--flows", "262144"])
                .env("TAPLINE_SESSIONS_IDLE_UDP", format!("{}s", IDLE.as_secs())),
            Kind::Httpry => step.args(["-i", SERVER_INTERFACE, "-o", "lines", "tcp port 80"]),
            Kind::Tcpdump => step
                .args(["-i", SERVER_INTERFACE, "-w", "/dev/null", "port", "80"])
                // Debian's becomes another user, who could not write here.
                .args(["-Z", "root"]),
            Kind::Tshark => tshark(step),
        };
        let out = create(&folder.join("stdout"))?;
        let said = create(&folder.join("stderr"))?;
        let running = step.start(Stdio::from(out), Stdio::from(said))?;
        let mut capturing = Capturing {
            kind: self.kind.clone(),
            running,
            folder,
        };
        capturing.wait_until_ready()?;
        Ok(capturing)
    }
}

/// Fields as httpry writes them. What was cut from packets is not asked for.
fn tshark(step: Step) -> Step {
    step.args([
        "-i",
        SERVER_INTERFACE,
        "-f",
        "tcp port 80",
        "-s",
        "512",
        "-Q",
    ])
    .args([
        "-o",
        "http.desegment_body:FALSE",
        "-Y",
        "http",
        "-T",
        "fields",
    ])
    .args(["-e", "frame.time", "-e", "ip.src", "-e", "ip.dst"])
    .args(["-e", "http.request.method", "-e", "http.request.uri"])
    .args(["-e", "http.host", "-e", "http.response.code"])
    .env("TMPDIR", ".")
}

fn create(file: &Path) -> Result<File> {
    File::create(file).with_context(|| format!("write {}", file.display()))
}

/// A capturer at work.
#[derive(Debug)]
pub(crate) struct Capturing {
    kind: Kind,
    running: Running,
    folder: PathBuf,
}

/// What a capturer said when it ended.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Heads that it wrote; none for one that does not look into packets.
    pub(crate) heads: Option<u64>,
    /// Packets that it says it missed.
    pub(crate) dropped: Option<u64>,
    /// The agent's own account.
    pub(crate) ledger: Option<Ledger>,
}

/// The parts of the agent's account that are looked at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) records: Records,
    pub(crate) heads: Heads,
    pub(crate) lines: Lines,
    pub(crate) sessions: Option<Sessions>,
    #[serde(default)]
    pub(crate) sinks: std::collections::BTreeMap<String, Sink>,
    pub(crate) retransmitted: u64,
    pub(crate) evicted: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Records {
    pub(crate) numbered: u64,
    pub(crate) received: u64,
    pub(crate) lost: std::collections::BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) longest_pause_us: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Sessions {
    pub(crate) begun: u64,
    pub(crate) evicted: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Heads {
    pub(crate) found: u64,
    pub(crate) partial: u64,
    pub(crate) kinds: std::collections::BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sink {
    pub(crate) stored: u64,
    pub(crate) lost: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lines {
    pub(crate) stored: u64,
    pub(crate) lost: u64,
}

impl Capturing {
    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// CPU time so far.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        usage::cpu_time(self.running.id())
    }

    /// Memory now, in bytes.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub(crate) fn memory(&self) -> Result<u64> {
        usage::proportional_memory(self.running.id())
    }

    /// Wake-ups so far.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub(crate) fn wake_ups(&self) -> Result<u64> {
        usage::wake_ups(self.running.id())
    }

    /// Waits until it has worked off what it took in: until it uses next to no CPU time.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub(crate) fn settle(&self) -> Result<()> {
        const LOOK: Duration = Duration::from_millis(300);
        let started = Instant::now();
        let mut before = self.cpu_time()?;
        while started.elapsed() < 6 * PATIENCE && interrupt::signal().is_none() {
            thread::sleep(LOOK);
            let now = self.cpu_time()?;
            if now.saturating_sub(before) <= LOOK / 15 {
                break;
            }
            before = now;
        }
        Ok(())
    }

    /// Ends it and reads its account.
    ///
    /// # Errors
    /// When the agent fails, or gives no account.
    pub(crate) fn finish(mut self) -> Result<Account> {
        let status = self.running.stop()?;
        let said = fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
        let heads = match self.kind {
            Kind::Tapline { .. } | Kind::TaplineWithStore | Kind::TaplineInCrowd => {
                if !status.success() {
                    bail!("the agent ended with {status}: {}", said.trim());
                }
                return self.account();
            }
            Kind::Tcpdump => None,
            Kind::Httpry => Some(count_lines(&self.folder.join("lines"))?),
            Kind::Tshark => Some(count_lines(&self.folder.join("stdout"))?),
        };
        Ok(Account {
            heads,
            dropped: dropped(&said),
            ledger: None,
        })
    }

    /// The agent's account, and a count of the lines that are really there.
    fn account(&self) -> Result<Account> {
        let text =
            fs::read_to_string(self.folder.join("stdout")).context("read the agent's account")?;
        let ledger: Ledger =
            serde_json::from_str(&text).context("understand the agent's account")?;
        let lines = count_lines_below(&self.folder.join("logs"))?;
        if lines != ledger.lines.stored {
            bail!(
                "the agent says that it wrote {} lines, but there are {lines}",
                ledger.lines.stored
            );
        }
        Ok(Account {
            heads: Some(lines),
            dropped: None,
            ledger: Some(ledger),
        })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let sign = match self.kind {
            Kind::Tapline { .. } | Kind::TaplineWithStore | Kind::TaplineInCrowd => {
                "tapline captures on"
            }
            Kind::Httpry => "Starting capture",
            Kind::Tcpdump => "listening on",
            Kind::Tshark => "Capturing on",
        };
        let started = Instant::now();
        loop {
            let said = fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
            if said.contains(sign) {
                break;
            }
            if let Some(status) = self.running.ended()? {
                bail!("the capturing program ended with {status}: {}", said.trim());
            }
            // -Q keeps tshark quiet about packets, and about its start in some versions.
            let quiet = matches!(self.kind, Kind::Httpry | Kind::Tcpdump | Kind::Tshark)
                && started.elapsed() > Duration::from_secs(2);
            if quiet {
                break;
            }
            if started.elapsed() > PATIENCE {
                bail!(
                    "the capturing program is not ready; it said: {}",
                    said.trim()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(300));
        Ok(())
    }
}

/// The largest number in front of "packets dropped", as libpcap's programs say it at their end.
fn dropped(said: &str) -> Option<u64> {
    let words: Vec<&str> = said.split_whitespace().collect();
    words
        .windows(3)
        .filter(|three| three[1].starts_with("packet") && three[2].starts_with("dropped"))
        .filter_map(|three| three[0].parse().ok())
        .max()
}

fn count_lines_below(folder: &Path) -> Result<u64> {
    let mut lines = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let file = entry.context("list the log files")?.path();
        if file.extension().is_some_and(|name| name == "log") {
            lines += count_lines(&file)?;
        }
    }
    Ok(lines)
}

/// Lines of a file; for httpry, without the comments at its head.
fn count_lines(file: &Path) -> Result<u64> {
    let opened = File::open(file).with_context(|| format!("open {}", file.display()))?;
    let mut lines = 0;
    for line in BufReader::with_capacity(1 << 20, opened).split(b'\n') {
        let line = line.with_context(|| format!("read {}", file.display()))?;
        lines += u64::from(!line.starts_with(b"#"));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_packets_are_found() {
        let check =
            |said: &str, expected: Option<u64>| assert_eq!(dropped(said), expected, "{said}");
        check(
            "10 packets captured\n12 packets received by filter\n2 packets dropped by kernel\n",
            Some(2),
        );
        check("1 packet dropped from veth0\n", Some(1));
        check(
            "0 packets dropped by kernel, 5 packets dropped by interface",
            Some(5),
        );
        check("many packets dropped", None);
        check("", None);
    }
}
