//! A process that is killed in the middle of its work: this program again, at its test `child`.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Starts the child with these variables, kills it after this time, and gives what it said it had pushed a
/// second before that, and in all. It has to live for more than a second.
pub(crate) fn run_and_kill(variables: &[(&str, &OsStr)], after: Duration) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said: Vec<(Instant, u64)> = Vec::new();
    let mut killed: Option<Instant> = None;
    for line in lines {
        let line = line.unwrap();
        let Some((_, number)) = line.rsplit_once("pushed ") else {
            continue;
        };
        let now = Instant::now();
        said.push((now, number.parse().unwrap()));
        if killed.is_none() && now.duration_since(said[0].0) >= after {
            child.kill().unwrap();
            killed = Some(now);
        }
    }
    child.wait().unwrap();
    let killed = killed.unwrap();
    let before = said
        .iter()
        .rev()
        .find(|(time, _)| killed.duration_since(*time) >= Duration::from_secs(1));
    (before.unwrap().1, said.last().unwrap().1)
}
