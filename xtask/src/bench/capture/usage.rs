//! What a program uses, as /proc tells: CPU time, memory, how often it woke up. A program is its
//! process group: tshark, for one, captures in a child.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};

/// CPU time of all processes of a group so far, user and system together, children that have ended
/// included.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn cpu_time(group: u32) -> Result<Duration> {
    let mut ticks = 0;
    for process in processes()? {
        // One that ended meanwhile has nothing to tell.
        if let Some(stat) = stat(process)
            && stat.group == group
        {
            ticks += stat.ticks;
        }
    }
    // SAFETY: no pointers.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// Memory of all processes of a group, shared parts divided among those who share them, in bytes.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn proportional_memory(group: u32) -> Result<u64> {
    let mut bytes = 0;
    for process in members(group)? {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let kibibytes = field(&text, "Pss:").with_context(|| format!("no Pss in {path}"))?;
        bytes += kibibytes * 1024;
    }
    Ok(bytes)
}

/// The most memory that a process had in RAM so far, in bytes; 0 when it has ended.
pub(crate) fn peak_memory(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    field(&text, "VmHWM:").unwrap_or(0) * 1024
}

/// How often the threads of a group have begun to run again, after waiting or after others ran.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn wake_ups(group: u32) -> Result<u64> {
    let mut switches = 0;
    for process in members(group)? {
        let folder = format!("/proc/{process}/task");
        for thread in numbers_in(Path::new(&folder))? {
            let text = fs::read_to_string(format!("{folder}/{thread}/status")).unwrap_or_default();
            switches += field(&text, "voluntary_ctxt_switches:").unwrap_or(0);
        }
    }
    Ok(switches)
}

fn members(group: u32) -> Result<Vec<u32>> {
    let mut members = processes()?;
    members.retain(|process| stat(*process).is_some_and(|stat| stat.group == group));
    Ok(members)
}

fn processes() -> Result<Vec<u32>> {
    numbers_in(Path::new("/proc"))
}

fn numbers_in(folder: &Path) -> Result<Vec<u32>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect())
}

/// Two parts of /proc/PID/stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    group: u32,
    /// User and system time, its own and that of children it has waited for.
    ticks: u64,
}

fn stat(process: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may hold spaces and parentheses: count from behind it. State is field 3.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        group: u32::try_from(number(5)?).ok()?,
        ticks: number(14)? + number(15)? + number(16)? + number(17)?,
    })
}

/// The number behind a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_confuse() {
        let check = |text: &str, expected: Option<(u32, u64)>| {
            let found = parse_stat(text).map(|stat| (stat.group, stat.ticks));
            assert_eq!(found, expected, "{text}");
        };
        let rest = "S 10 20 30 0 -1 4194304 1 2 3 4 100 20 3 1 20 0 2 0 99 1 2";
        check(&format!("5 (tapline) {rest}"), Some((20, 124)));
        check(&format!("5 (a) S 1 (b c) {rest}"), Some((20, 124)));
        check("5 (tapline) S 10 20 30", None);
        check("", None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t12\nPss:   345 kB\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), Some(12));
        assert_eq!(field(text, "Pss:"), Some(345));
        assert_eq!(field(text, "Rss:"), None);
    }

    #[test]
    fn this_process_uses_something() {
        // SAFETY: no pointers.
        let group = unsafe { libc::getpgrp() } as u32;
        assert!(proportional_memory(group).unwrap() > 0);
        assert!(members(group).unwrap().contains(&std::process::id()));
    }
}
