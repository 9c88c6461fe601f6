//! `output`: where lines go, and how they look.

use super::set;
use crate::config::ConfigError;
use crate::config::tree::Branch;
use crate::generate::access::config::check::{self, whole};
use crate::generate::access::config::{DiskConfig, HealthConfig, OutputConfig, RotationConfig};

/// Reads the section.
pub(super) fn output(section: Option<Branch<'_>>) -> Result<OutputConfig, ConfigError> {
    let mut output = OutputConfig::default();
    let Some(mut section) = section else {
        return Ok(output);
    };
    set(
        &mut section,
        "directory",
        &mut output.directory,
        check::folder,
    )?;
    set(&mut section, "rate", &mut output.rate, check::rate)?;
    set(&mut section, "debug", &mut output.debug, check::truth)?;
    set(&mut section, "pre_warm", &mut output.pre_warm, check::truth)?;
    set(&mut section, "format", &mut output.format, check::format)?;
    set(&mut section, "site", &mut output.site, check::site)?;
    if let Some(section) = section.section("health_check")? {
        health(section, &mut output.health)?;
    }
    if let Some(section) = section.section("log_rotation")? {
        rotation(section, &mut output.rotation)?;
    }
    if let Some(section) = section.section("disk_guard")? {
        disk(section, &mut output.disk)?;
    }
    section.end()?;
    Ok(output)
}

fn health(mut section: Branch<'_>, health: &mut HealthConfig) -> Result<(), ConfigError> {
    set(&mut section, "enabled", &mut health.enabled, check::truth)?;
    set(&mut section, "address", &mut health.address, check::address)?;
    set(&mut section, "port", &mut health.port, check::port)?;
    section.end()
}

fn rotation(mut section: Branch<'_>, rotation: &mut RotationConfig) -> Result<(), ConfigError> {
    set(&mut section, "enabled", &mut rotation.enabled, check::truth)?;
    set(
        &mut section,
        "max_size_mb",
        &mut rotation.max_size_mb,
        check::megabytes,
    )?;
    set(&mut section, "when", &mut rotation.when, check::when)?;
    set(
        &mut section,
        "interval",
        &mut rotation.interval,
        whole::<0, 1_000_000>,
    )?;
    set(
        &mut section,
        "backup_count",
        &mut rotation.backup_count,
        whole::<0, 100_000>,
    )?;
    set(
        &mut section,
        "compress",
        &mut rotation.compress,
        check::truth,
    )?;
    section.end()
}

fn disk(mut section: Branch<'_>, disk: &mut DiskConfig) -> Result<(), ConfigError> {
    set(&mut section, "enabled", &mut disk.enabled, check::truth)?;
    set(
        &mut section,
        "min_free_gb",
        &mut disk.min_free_gb,
        check::gigabytes,
    )?;
    set(&mut section, "interval", &mut disk.interval, |text| {
        whole::<1, 86_400>(text).map(u64::from)
    })?;
    section.end()
}
