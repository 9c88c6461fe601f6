//! Debian's packages: what is missing, what it would cost, and getting it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result};

use crate::{
    process::Step,
    report::say,
    workspace::{find_program, is_root},
};

/// Whether the lists of packages were fetched during this run.
static UPDATED: AtomicBool = AtomicBool::new(false);

/// Whether packages can be installed: apt is there and this is root.
pub(crate) fn usable() -> bool {
    is_root() && find_program("apt-get").is_some()
}

/// Those of `packages` that are not installed.
///
/// # Errors
/// When dpkg cannot be asked.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let outcome = Step::new("dpkg-query")
        .args(["-W", "-f", "${Package}\t${db:Status-Status}\n"])
        .args(packages)
        .outcome()?;
    let installed: BTreeSet<&str> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.strip_suffix("\tinstalled"))
        .collect();
    Ok(packages
        .iter()
        .copied()
        .filter(|name| !installed.contains(name))
        .collect())
}

/// Fetches the lists of packages, once a run.
///
/// # Errors
/// When apt cannot reach its archives.
pub(crate) fn update() -> Result<()> {
    if UPDATED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    apt_get("update")
        .arg("-q")
        .stdout()
        .context("fetch Debian's lists of packages")?;
    Ok(())
}

/// Whether apt knows a version of each of `packages` that it could install.
///
/// # Errors
/// When apt cannot be asked.
pub(crate) fn has(packages: &[&str]) -> Result<bool> {
    let simulated = apt_get("install")
        .args(["--simulate", "--no-install-recommends"])
        .args(packages)
        .outcome()?;
    Ok(simulated.status.success())
}

/// Installs those of `packages` that are not there, after saying which, what for and how much.
///
/// # Errors
/// When apt fails; the message holds what it said.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let wanted = missing(packages)?;
    if wanted.is_empty() {
        return Ok(());
    }
    update()?;
    say(format_args!(
        "installing with apt, {purpose}: {}",
        wanted.join(" ")
    ));
    for line in sizes(&wanted)? {
        say(format_args!("  {line}"));
    }
    apt_get("install")
        .args(["-y", "-q", "--no-install-recommends"])
        .args(&wanted)
        .stdout()
        .with_context(|| format!("install packages {purpose}"))?;
    Ok(())
}

/// The lines in which apt says how much it would fetch and unpack.
fn sizes(packages: &[&str]) -> Result<Vec<String>> {
    let asked = apt_get("install")
        .args(["--assume-no", "--no-install-recommends"])
        .args(packages)
        .outcome()?;
    let sized = |line: &&str| line.starts_with("Need to get") || line.starts_with("After this");
    Ok(asked
        .stdout
        .lines()
        .filter(sized)
        .map(str::to_owned)
        .collect())
}

fn apt_get(subcommand: &str) -> Step {
    Step::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C")
        // A server that comes as a package is wanted as a program, not as a running service: the
        // first tells systemctl so, the second invoke-rc.d where there is no systemd.
        .env("SYSTEMD_OFFLINE", "1")
        .env("RUNLEVEL", "1")
        // Another apt may be at work: wait for it rather than fail.
        .args(["-o", "DPkg::Lock::Timeout=300", subcommand])
}
