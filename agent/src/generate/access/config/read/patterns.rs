//! `traffic_patterns` and `time_zone`: how the rate changes over the day.

use super::{Warnings, refused};
use crate::config::tree::{Leaf, Tree};
use crate::config::{ConfigError, Refusal};
use crate::generate::access::config::check;
use crate::generate::access::config::{Pattern, TrafficConfig, by_hour};

/// Reads both.
pub(super) fn traffic(
    patterns: Option<Leaf<'_>>,
    zone: Option<Leaf<'_>>,
    warnings: &mut Warnings,
) -> Result<TrafficConfig, ConfigError> {
    let mut traffic = TrafficConfig::default();
    if let Some(zone) = zone {
        traffic.time_zone = zone.read(check::zone)?;
    }
    let Some(leaf) = patterns else {
        return Ok(traffic);
    };
    traffic.patterns = match leaf.node.tree {
        Tree::Section(_) => by_times(&leaf)?,
        _ => listed(&leaf)?,
    };
    if let Err(23) = by_hour(&traffic.patterns)
        && let Some(pattern) = traffic.patterns.iter_mut().find(|pattern| pattern.to == 23)
    {
        pattern.to = 24;
        let goes_on = format!(
            "has no pattern for 23 h: \"{0}-23\" is taken for \"{0}-24\", write that",
            pattern.from
        );
        warnings.add(&leaf, &goes_on);
    }
    let hours = by_hour(&traffic.patterns).map_err(|hour| {
        let next = hour + 1;
        let goes_on = format!("has no pattern that covers the hour from {hour} to {next}");
        refused(&leaf, &goes_on)
    })?;
    match hours.iter().any(|multiplier| *multiplier > 0.0) {
        true => Ok(traffic),
        false => Err(refused(
            &leaf,
            "must have an hour with a multiplier above 0",
        )),
    }
}

/// The list of `time` and `multiplier`.
fn listed(leaf: &Leaf<'_>) -> Result<Vec<Pattern>, ConfigError> {
    let mut patterns = Vec::new();
    for item in leaf.list()? {
        let mut entry = item.branch()?;
        let time = entry.take("time");
        let multiplier = entry.take("multiplier");
        entry.end()?;
        let (Some(time), Some(multiplier)) = (time, multiplier) else {
            return Err(refused(&item, "must have a time and a multiplier"));
        };
        let multiplier = multiplier.read(check::factor)?;
        patterns.push(time.read(|text| pattern(text, multiplier))?);
    }
    Ok(patterns)
}

/// Times as keys, also below `hourly`.
fn by_times(leaf: &Leaf<'_>) -> Result<Vec<Pattern>, ConfigError> {
    let mut section = leaf.branch()?;
    if let Some(hourly) = section.section("hourly")? {
        section.end()?;
        section = hourly;
    }
    let times = section.rest().into_iter();
    times
        .map(|(time, value)| {
            let multiplier = value.read(check::factor)?;
            pattern(time, multiplier)
                .map_err(|refusal| refused(&value, &format!("is no time: it {refusal}")))
        })
        .collect()
}

fn pattern(time: &str, multiplier: f64) -> Result<Pattern, Refusal> {
    Pattern::read(time, multiplier).ok_or_else(|| {
        Refusal::new("must be two hours from 0 to 24 with a dash between, like 6-9 or 21-2")
    })
}
