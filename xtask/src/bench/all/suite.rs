//! The benchmarks there are, in the order in which they run.

use std::time::Duration;

use anyhow::Result;

use crate::{
    bench::{code, dashboard, kernel},
    workspace::Workspace,
};

/// One benchmark: `cargo xtask bench NAME`.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    /// Arguments of a run whose figures count.
    pub(super) full: &'static [&'static str],
    /// Arguments of a quick one.
    pub(super) quick: &'static [&'static str],
    /// The flag that names the program to measure; none where it measures something else.
    pub(super) program_flag: Option<&'static str>,
    /// Builds what it measures with, before the time is taken; none where there is nothing but the program.
    pub(super) build: Option<fn(&Workspace) -> Result<()>>,
    /// When it is taken to hang.
    pub(super) time_limit: Duration,
}

/// All of them.
pub(super) const SUITES: [Suite; 12] = [
    Suite {
        name: "kernel",
        full: &[],
        quick: &["--hooks", "tc", "--rounds", "5"],
        program_flag: None,
        build: Some(kernel::build),
        time_limit: Duration::from_secs(600),
    },
    Suite {
        name: "capture",
        full: &[],
        quick: &[
            "--pairs",
            "1",
            "--seconds",
            "2",
            "--bulk-seconds",
            "1",
            "--peers",
            "none",
        ],
        program_flag: Some("--tapline"),
        build: None,
        time_limit: Duration::from_secs(900),
    },
    Suite {
        name: "sessions",
        full: &[],
        quick: &["--pairs", "1", "--seconds", "2", "--no-crowd"],
        program_flag: Some("--tapline"),
        build: None,
        time_limit: Duration::from_secs(600),
    },
    Suite {
        name: "sinks",
        full: &[],
        quick: &["--seconds", "2"],
        program_flag: Some("--program"),
        build: None,
        time_limit: Duration::from_secs(300),
    },
    Suite {
        name: "dashboard",
        full: &[],
        // Pairs of captures take a minute: they are for the whole run.
        quick: &[
            "--exchanges",
            "200000",
            "--rounds",
            "3",
            "--only",
            "answers,viewers,page",
        ],
        program_flag: Some("--program"),
        build: Some(dashboard::build_filler),
        time_limit: Duration::from_secs(1800),
    },
    Suite {
        name: "generators",
        full: &[],
        quick: &["--only", "json"],
        program_flag: Some("--program"),
        build: None,
        time_limit: Duration::from_secs(900),
    },
    Suite {
        name: "load",
        full: &[],
        quick: &["--pairs", "1", "--seconds", "2"],
        program_flag: Some("--tapline"),
        build: None,
        time_limit: Duration::from_secs(300),
    },
    Suite {
        name: "packets",
        full: &[],
        quick: &["--rounds", "1"],
        program_flag: Some("--program"),
        build: None,
        time_limit: Duration::from_secs(300),
    },
    Suite {
        name: "read",
        full: &[],
        quick: &[
            "--megabytes",
            "64",
            "--tshark-megabytes",
            "10",
            "--rounds",
            "2",
        ],
        program_flag: Some("--program"),
        build: None,
        time_limit: Duration::from_secs(900),
    },
    Suite {
        name: "report",
        full: &[],
        quick: &["--lines", "200000", "--rounds", "1", "--no-ten-times"],
        program_flag: Some("--program"),
        build: None,
        time_limit: Duration::from_secs(900),
    },
    Suite {
        name: "insights",
        full: &[],
        quick: &["--seeds", "1", "--hours", "3"],
        program_flag: Some("--program"),
        build: None,
        time_limit: Duration::from_secs(600),
    },
    Suite {
        name: code::NAME,
        full: &[],
        quick: &["--quick"],
        program_flag: None,
        build: Some(code::build),
        time_limit: Duration::from_secs(900),
    },
];
