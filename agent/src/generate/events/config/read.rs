//! The file: YAML. An unknown key, a key that is there twice and a bad value are refused with their line.

use std::path::Path;

use super::super::family::{Family, Level};
use super::{
    AnomaliesConfig, EventsConfig, FALLBACK_LEVELS, FileConfig, FlagSetting, GeneratorConfig,
    NormalConfig, OutputConfig, SourceConfig, TimestampsConfig, check,
};
use crate::config::tree::{Branch, Leaf, Node, tree_from_file, tree_from_yaml};
use crate::config::{ConfigError, Refusal, Word, from_word};

/// Reads the file at `path`, over the defaults and under `flags`.
///
/// # Errors
/// The file cannot be read, or what is wrong in it or in the flags.
pub fn config_from_file(path: &Path, flags: &[FlagSetting]) -> Result<EventsConfig, ConfigError> {
    from_tree(path, &tree_from_file(path)?, flags)
}

/// Reads a file's content, over the defaults; `path` is only for messages.
///
/// # Errors
/// What is wrong in it.
pub fn config_from_yaml(path: &Path, bytes: &[u8]) -> Result<EventsConfig, ConfigError> {
    from_tree(path, &tree_from_yaml(path, bytes)?, &[])
}

fn from_tree(path: &Path, root: &Node, flags: &[FlagSetting]) -> Result<EventsConfig, ConfigError> {
    let mut config = EventsConfig::default();
    let mut root = Branch::root(path, root)?;
    let mut types = None;
    if let Some(mut section) = root.section("generator")? {
        generator(&mut section, &mut config.generator)?;
        section.end()?;
    }
    if let Some(mut section) = root.section("sources")? {
        config.sources = sources(&mut section)?;
    }
    if let Some(mut section) = root.section("normal_logs")? {
        normal(&mut section, &mut config.normal_logs)?;
        section.end()?;
    }
    if let Some(mut section) = root.section("anomalies")? {
        types = anomalies(&mut section, &mut config.anomalies)?;
        section.end()?;
    }
    if let Some(mut section) = root.section("output")? {
        output(&mut section, &mut config.output)?;
        section.end()?;
    }
    if let Some(mut section) = root.section("timestamps")? {
        timestamps(&mut section, &mut config.timestamps)?;
        section.end()?;
    }
    root.end()?;
    flags.iter().try_for_each(|flag| config.set(flag))?;
    match types {
        // By default every family comes: only this section can turn all of them off.
        Some(leaf) if config.anomalies.probability > 0.0 && !config.anomalies.has_family() => {
            Err(leaf.refused(&Refusal::new(
                "must have a family that is enabled with a weight above 0, or anomalies.probability \
                 (--anomaly-rate) must be 0",
            )))
        }
        _ => Ok(config),
    }
}

fn generator(section: &mut Branch<'_>, generator: &mut GeneratorConfig) -> Result<(), ConfigError> {
    section.set("batch_size", &mut generator.batch_size, check::batch_size)?;
    section.set("interval", &mut generator.interval, check::interval)?;
    section.set("total_logs", &mut generator.total_logs, check::count)
}

fn sources(section: &mut Branch<'_>) -> Result<Vec<SourceConfig>, ConfigError> {
    let mut sources = Vec::new();
    let mut last = None;
    for (name, leaf) in section.rest() {
        let name = check::name(name).map_err(|refusal| leaf.refused(&refusal))?;
        let mut source = leaf.branch()?;
        let mut weight = 1.0;
        source.set("weight", &mut weight, check::weight)?;
        let services = source.take("services").ok_or_else(|| {
            leaf.refused(&Refusal::new("must have services: a list of at least one"))
        })?;
        let services = list(&services, check::name)?;
        source.end()?;
        sources.push(SourceConfig {
            name,
            weight,
            services,
        });
        last = Some(leaf);
    }
    match last {
        Some(leaf) if sources.iter().all(|source| source.weight == 0.0) => Err(leaf.refused(
            &Refusal::new("must have a weight above 0, or another source must"),
        )),
        _ => Ok(sources),
    }
}

fn normal(section: &mut Branch<'_>, normal: &mut NormalConfig) -> Result<(), ConfigError> {
    if let Some(leaf) = section.take("log_levels") {
        normal.log_levels = levels(&leaf)?;
    }
    let Some(leaf) = section.take("response_time") else {
        return Ok(());
    };
    let mut branch = leaf.branch()?;
    let time = &mut normal.response_time;
    branch.set("min", &mut time.min, check::milliseconds)?;
    branch.set("max", &mut time.max, check::milliseconds)?;
    branch.set("mean", &mut time.mean, check::milliseconds)?;
    branch.set("std", &mut time.std, check::milliseconds)?;
    branch.end()?;
    match time.min <= time.max {
        true => Ok(()),
        false => Err(leaf.refused(&Refusal::new("must have a min that is not above its max"))),
    }
}

/// A level that is not there does not come. Where none is there, they come as [`FALLBACK_LEVELS`] says.
fn levels(leaf: &Leaf<'_>) -> Result<[f64; 5], ConfigError> {
    let mut branch = leaf.branch()?;
    let mut levels = [0.0; 5];
    let mut is_empty = true;
    for (place, level) in levels.iter_mut().zip(Level::ALL) {
        if let Some(leaf) = branch.take(level.word()) {
            *place = leaf.read(check::weight)?;
            is_empty = false;
        }
    }
    branch.end()?;
    match levels.iter().any(|weight| *weight > 0.0) {
        true => Ok(levels),
        false if is_empty => Ok(FALLBACK_LEVELS),
        false => Err(leaf.refused(&Refusal::new("must have a level with a weight above 0"))),
    }
}

/// Gives the section of the families, where there is one.
fn anomalies<'a>(
    section: &mut Branch<'a>,
    anomalies: &mut AnomaliesConfig,
) -> Result<Option<Leaf<'a>>, ConfigError> {
    section.set("probability", &mut anomalies.probability, check::share)?;
    let Some(all) = section.take("types") else {
        return Ok(None);
    };
    let mut types = all.branch()?;
    for family in Family::ALL {
        let Some(leaf) = types.take(family.word()) else {
            continue;
        };
        let mut branch = leaf.branch()?;
        of_family(&mut branch, *family, anomalies)?;
        branch.end()?;
    }
    types.end()?;
    Ok(Some(all))
}

fn of_family(
    branch: &mut Branch<'_>,
    family: Family,
    anomalies: &mut AnomaliesConfig,
) -> Result<(), ConfigError> {
    let common = &mut anomalies.types[family.index()];
    branch.set("enabled", &mut common.enabled, check::truth)?;
    branch.set("weight", &mut common.weight, check::weight)?;
    branch.set(
        "duration_logs",
        &mut common.duration_logs,
        check::duration_logs,
    )?;
    match family {
        Family::ErrorSpike => branch.set("error_rate", &mut anomalies.error_rate, check::share),
        Family::LatencyDegradation => {
            branch.set("multiplier", &mut anomalies.multiplier, check::multiplier)
        }
        Family::SecurityThreat => words(branch, "types", &mut anomalies.threats),
        Family::ResourceExhaustion => words(branch, "resources", &mut anomalies.resources),
        Family::DataAnomaly => words(branch, "types", &mut anomalies.issues),
        Family::ServiceOutage => Ok(()),
    }
}

fn words<T: Word>(
    branch: &mut Branch<'_>,
    name: &str,
    place: &mut Vec<T>,
) -> Result<(), ConfigError> {
    if let Some(leaf) = branch.take(name) {
        *place = list(&leaf, from_word)?;
    }
    Ok(())
}

fn list<T>(
    leaf: &Leaf<'_>,
    read: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Vec<T>, ConfigError> {
    let items = leaf.list()?;
    if items.is_empty() {
        return Err(leaf.refused(&Refusal::new("must be a list of at least one")));
    }
    items.iter().map(|item| item.read(&read)).collect()
}

fn output(section: &mut Branch<'_>, output: &mut OutputConfig) -> Result<(), ConfigError> {
    section.set("format", &mut output.format, from_word)?;
    section.set("destination", &mut output.destination, check::destination)?;
    section.set("include_labels", &mut output.include_labels, check::truth)?;
    let Some(mut branch) = section.section("file")? else {
        return Ok(());
    };
    file(&mut branch, &mut output.file)?;
    branch.end()
}

fn file(branch: &mut Branch<'_>, file: &mut FileConfig) -> Result<(), ConfigError> {
    branch.set("path", &mut file.path, check::path)?;
    branch.set(
        "rotation_size_mb",
        &mut file.rotation_size_mb,
        check::rotation_size,
    )?;
    branch.set("max_files", &mut file.max_files, check::max_files)
}

fn timestamps(
    section: &mut Branch<'_>,
    timestamps: &mut TimestampsConfig,
) -> Result<(), ConfigError> {
    section.set("start", &mut timestamps.start, check::start)?;
    let Some(leaf) = section.take("increment") else {
        return Ok(());
    };
    let mut branch = leaf.branch()?;
    let (min, max) = &mut timestamps.increment;
    branch.set("min", min, check::increment)?;
    branch.set("max", max, check::increment)?;
    let is_range = min <= max;
    branch.end()?;
    match is_range {
        true => Ok(()),
        false => Err(leaf.refused(&Refusal::new("must have a min that is not above its max"))),
    }
}

/// Every key that stands in a file.
#[cfg(test)]
pub(super) fn keys_of(bytes: &[u8]) -> std::collections::BTreeSet<String> {
    use crate::config::tree::Tree;
    fn collect(prefix: &str, node: &Node, keys: &mut std::collections::BTreeSet<String>) {
        if let Tree::Section(entries) = &node.tree {
            for (name, _, node) in entries {
                let key = format!("{prefix}{name}");
                collect(&format!("{key}."), node, keys);
                keys.insert(key);
            }
        }
    }
    let mut keys = std::collections::BTreeSet::new();
    collect(
        "",
        &tree_from_yaml(Path::new("x"), bytes).unwrap(),
        &mut keys,
    );
    keys
}
