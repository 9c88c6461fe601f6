//! What a run of each kernel program takes on live traffic, by the kernel's own statistics.
//!
//! They cost some 80 ns a run themselves, on the whole host, and count all of it as the program's: so
//! they are on for one run of their own, and the figure is an upper bound.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{
    bench::capture::{capturer::Capturer, load, measure::Plan, site::Site},
    process::Step,
    workspace::find_program,
};

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// One program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ProgramTime {
    pub(crate) program: String,
    pub(crate) runs: u64,
    pub(crate) nanoseconds_a_run: f64,
}

/// A program as bpftool tells of it.
#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    name: String,
    #[serde(default)]
    run_time_ns: u64,
    #[serde(default)]
    run_cnt: u64,
    #[serde(default)]
    pids: Vec<Holder>,
}

#[derive(Deserialize)]
struct Holder {
    pid: u32,
}

/// Measures the programs that `capturer` attaches, under wrk.
///
/// # Errors
/// When bpftool is not installed or fails, or the statistics cannot be switched on.
pub(crate) fn measure(site: &Site, plan: &Plan, capturer: &Capturer) -> Result<Vec<ProgramTime>> {
    let Some(bpftool) = find_program("bpftool") else {
        bail!("--program-time needs bpftool: install it");
    };
    let capturing = capturer.start(site)?;
    let statistics = Statistics::switch_on()?;
    load::wrk(site, plan.connections, plan.time)?;
    let text = Step::new(bpftool)
        .args(["--json", "prog", "show"])
        .time_limit(Duration::from_secs(20))
        .stdout()?;
    drop(statistics);
    let process = capturing.id();
    capturing.finish()?;
    times(&text, process)
}

fn times(text: &str, process: u32) -> Result<Vec<ProgramTime>> {
    let shown: Vec<Shown> = serde_json::from_str(text).context("read what bpftool printed")?;
    Ok(shown
        .into_iter()
        .filter(|program| program.run_cnt > 0)
        .filter(|program| program.pids.iter().any(|holder| holder.pid == process))
        .map(|program| ProgramTime {
            program: program.name,
            runs: program.run_cnt,
            nanoseconds_a_run: program.run_time_ns as f64 / program.run_cnt as f64,
        })
        .collect())
}

/// The kernel's statistics of programs, on until this is dropped.
struct Statistics {
    before: String,
}

impl Statistics {
    fn switch_on() -> Result<Self> {
        let before = fs::read_to_string(SWITCH).with_context(|| format!("read {SWITCH}"))?;
        fs::write(SWITCH, "1").with_context(|| format!("write {SWITCH}"))?;
        Ok(Self { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        fs::write(SWITCH, self.before.trim()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_process_holds_and_what_ran_counts() {
        let text = r#"[
            {"id": 1, "name": "tapline_ingress", "run_time_ns": 300, "run_cnt": 3, "pids": [{"pid": 7, "comm": "x"}]},
            {"id": 2, "name": "tapline_ingress", "run_time_ns": 900, "run_cnt": 3, "pids": [{"pid": 8, "comm": "x"}]},
            {"id": 3, "name": "tapline_egress", "pids": [{"pid": 7, "comm": "x"}]},
            {"id": 4, "type": "cgroup_skb"}
        ]"#;
        let found = times(text, 7).unwrap();
        assert_eq!(
            found,
            [ProgramTime {
                program: "tapline_ingress".to_owned(),
                runs: 3,
                nanoseconds_a_run: 100.0,
            }]
        );
        times("nothing", 7).unwrap_err();
    }
}
