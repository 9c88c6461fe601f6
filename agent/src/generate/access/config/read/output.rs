//! `output`: where lines go, and how they look.

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
    section.set("directory", &mut output.directory, check::folder)?;
    section.set("rate", &mut output.rate, check::rate)?;
    section.set("debug", &mut output.debug, check::truth)?;
    section.set("pre_warm", &mut output.pre_warm, check::truth)?;
    section.set("format", &mut output.format, check::format)?;
    section.set("site", &mut output.site, check::site)?;
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
    section.set("enabled", &mut health.enabled, check::truth)?;
    section.set("address", &mut health.address, check::address)?;
    section.set("port", &mut health.port, check::port)?;
    section.end()
}

fn rotation(mut section: Branch<'_>, rotation: &mut RotationConfig) -> Result<(), ConfigError> {
    section.set("enabled", &mut rotation.enabled, check::truth)?;
    section.set("max_size_mb", &mut rotation.max_size_mb, check::megabytes)?;
    section.set("when", &mut rotation.when, check::when)?;
    section.set("interval", &mut rotation.interval, whole::<0, 1_000_000>)?;
    section.set(
        "backup_count",
        &mut rotation.backup_count,
        whole::<0, 100_000>,
    )?;
    section.set("compress", &mut rotation.compress, check::truth)?;
    section.end()
}

fn disk(mut section: Branch<'_>, disk: &mut DiskConfig) -> Result<(), ConfigError> {
    section.set("enabled", &mut disk.enabled, check::truth)?;
    section.set("min_free_gb", &mut disk.min_free_gb, check::gigabytes)?;
    section.set("interval", &mut disk.interval, |text| {
        whole::<1, 86_400>(text).map(u64::from)
    })?;
    section.end()
}
