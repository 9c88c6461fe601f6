//! Where and of what the figures are.

use std::{fmt, fs};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{process::Step, workspace::Workspace};

/// The machine, and the source that was built.
#[derive(Debug, Default, Serialize)]
pub(super) struct Host {
    kernel: String,
    cpu: String,
    cpus: usize,
    memory_mib: u64,
    commit: String,
    /// The source differs from the commit, in more than texts: to them these figures are written.
    changed: bool,
    /// The day, UTC.
    day: String,
}

impl Host {
    /// Reads what there is.
    ///
    /// # Errors
    /// /proc cannot be read, or git does not answer.
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("read {path}"));
        let git = |arguments: &[&str]| {
            Step::new("git")
                .args(arguments)
                .folder(&workspace.root)
                .stdout()
        };
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map(|(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo")?, "MemTotal").unwrap_or_default();
        let memory = memory.trim_end_matches(" kB").parse().unwrap_or(0_u64);
        Ok(Self {
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            cpu: field(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "?".to_owned()),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: memory / 1024,
            commit: git(&["rev-parse", "--short=12", "HEAD"])?.trim().to_owned(),
            changed: !git(&[
                "status",
                "--porcelain",
                "--untracked-files=no",
                "--",
                ".",
                ":(exclude)*.md",
            ])?
            .is_empty(),
            day: Step::new("date")
                .args(["-u", "+%F"])
                .stdout()?
                .trim()
                .to_owned(),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kernel,
            cpu,
            cpus,
            memory_mib,
            commit,
            changed,
            day,
        } = self;
        let changed = if *changed { " and changes" } else { "" };
        write!(
            formatter,
            "{day}, Linux {kernel}, {cpus} CPUs ({cpu}), {:.0} GiB; commit {commit}{changed}",
            *memory_mib as f64 / 1024.0
        )
    }
}
