//! The file, over the defaults.

use std::path::Path;
use std::time::Duration;

use super::{
    ConfigError, Delay, Framing, LimitsConfig, Matches, Misdeed, PathConfig, Refusal, TargetConfig,
};
use crate::config::tree::{Branch, Leaf, Node, tree_from_file, tree_from_yaml};
use crate::config::{parse_duration, parse_size};
use crate::generate::http::requests::check_field;

/// Paths at most.
const PATHS_MOST: usize = 10_000;

/// Bytes of a body at most.
const SIZE_MOST: u64 = 1 << 40;

/// Reads the file at `path`.
///
/// # Errors
/// It cannot be read, or something in it is wrong: named with its line.
pub fn config_from_file(path: &Path) -> Result<TargetConfig, ConfigError> {
    config(path, &tree_from_file(path)?)
}

/// Reads a file's content; `path` is only for messages.
///
/// # Errors
/// As [`config_from_file`].
pub fn config_from_yaml(path: &Path, bytes: &[u8]) -> Result<TargetConfig, ConfigError> {
    config(path, &tree_from_yaml(path, bytes)?)
}

fn config(path: &Path, root: &Node) -> Result<TargetConfig, ConfigError> {
    let mut config = TargetConfig::default();
    let mut branch = Branch::root(path, root)?;
    if let Some(section) = branch.section("limits")? {
        limits(section, &mut config.limits)?;
    }
    if let Some(list) = branch.take("paths") {
        let items = list.list()?;
        if items.is_empty() || items.len() > PATHS_MOST {
            return Err(list.refused(&Refusal::new(format!("must have 1 to {PATHS_MOST} paths"))));
        }
        config.paths = items.iter().map(one_path).collect::<Result<_, _>>()?;
        for (at, path) in config.paths.iter().enumerate() {
            let mut before = config.paths.iter().take(at);
            if let Some(item) = items
                .get(at)
                .filter(|_| before.any(|earlier| earlier.matches == path.matches))
            {
                return Err(item.refused(&Refusal::new("has a path that is there twice")));
            }
        }
    }
    branch.end()?;
    Ok(config)
}

fn limits(mut section: Branch<'_>, limits: &mut LimitsConfig) -> Result<(), ConfigError> {
    if let Some(leaf) = section.take("connections") {
        limits.connections = leaf.read(|text| whole(text, 1, 1_000_000))? as u32;
    }
    if let Some(leaf) = section.take("head") {
        limits.head = leaf.read(|text| size(text, 64, 1 << 20))? as u32;
    }
    if let Some(leaf) = section.take("body") {
        limits.body = leaf.read(|text| size(text, 0, SIZE_MOST))?;
    }
    if let Some(leaf) = section.take("idle") {
        limits.idle = leaf.read(parse_duration)?;
    }
    if let Some(leaf) = section.take("requests") {
        let requests = leaf.read(|text| whole(text, 0, 1 << 53))?;
        limits.requests = (requests > 0).then_some(requests);
    }
    section.end()
}

fn one_path(item: &Leaf<'_>) -> Result<PathConfig, ConfigError> {
    let mut keys = item.branch()?;
    let matches = match (keys.take("path"), keys.take("prefix")) {
        (Some(leaf), None) => Matches::Path(leaf.read(url_path)?),
        (None, Some(leaf)) => Matches::Prefix(leaf.read(url_path)?),
        _ => {
            return Err(item.refused(&Refusal::new("must have either a path or a prefix")));
        }
    };
    let mut path = PathConfig {
        matches,
        ..PathConfig::default()
    };
    if let Some(leaf) = keys.take("status") {
        path.statuses = statuses(&leaf)?;
    }
    if let Some(leaf) = keys.take("size") {
        path.size = leaf.read(sizes)?;
    }
    if let Some(leaf) = keys.take("framing") {
        path.framing = leaf.read(framing)?;
    }
    if let Some(leaf) = keys.take("chunk") {
        path.chunk = leaf.read(|text| size(text, 1, 1 << 20))? as u32;
    }
    if let Some(leaf) = keys.take("delay") {
        path.delay = leaf.read(delay)?;
    }
    if let Some(mut fields) = keys.section("fields")? {
        for (name, leaf) in fields.rest() {
            let value = leaf.read(|text| match check_field(name, text) {
                Ok(()) => Ok(text.to_owned()),
                Err(error) => Err(Refusal::new(format!("it cannot be sent: {error}"))),
            })?;
            path.fields.push((name.to_owned(), value));
        }
    }
    if let Some(mut faults) = keys.section("faults")? {
        for (place, misdeed) in path.faults.iter_mut().zip(Misdeed::ALL) {
            if let Some(leaf) = faults.take(misdeed.word()) {
                *place = leaf.read(share)?;
            }
        }
        faults.end()?;
        if path.faults.iter().sum::<f64>() > 1.0 + 1e-9 {
            return Err(item.refused(&Refusal::new(
                "must have faults whose shares are not more than 1 together",
            )));
        }
    }
    keys.end()?;
    Ok(path)
}

fn statuses(leaf: &Leaf<'_>) -> Result<Vec<(u16, f64)>, ConfigError> {
    if let crate::config::tree::Tree::Section(_) = leaf.node.tree {
        let mut weights = Vec::new();
        for (name, weight) in leaf.branch()?.rest() {
            let status = status(name).map_err(|refusal| {
                leaf.refused(&Refusal::new(format!(
                    "has {name:?}, but a status {refusal}"
                )))
            })?;
            weights.push((status, weight.read(number)?));
        }
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        if sum <= 0.0 {
            return Err(leaf.refused(&Refusal::new(
                "must have a status whose weight is more than 0",
            )));
        }
        return Ok(weights);
    }
    Ok(vec![(leaf.read(status)?, 1.0)])
}

fn status(text: &str) -> Result<u16, Refusal> {
    whole(text, 200, 599).map(|status| status as u16)
}

fn url_path(text: &str) -> Result<String, Refusal> {
    let is_path = text.starts_with('/')
        && text.len() <= 4096
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['?', '#']);
    match is_path {
        true => Ok(text.to_owned()),
        false => Err(Refusal::new(
            "must be a path like /shop/cart: visible ASCII without a query",
        )),
    }
}

fn framing(text: &str) -> Result<Framing, Refusal> {
    let found = Framing::ALL
        .into_iter()
        .find(|framing| framing.word() == text);
    found.ok_or_else(|| Refusal::new("must be length, chunked or close"))
}

fn whole(text: &str, least: u64, most: u64) -> Result<u64, Refusal> {
    let number = text.parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| Refusal::new(format!("must be a whole number from {least} to {most}")))
}

fn number(text: &str) -> Result<f64, Refusal> {
    let number = text.parse().ok();
    number
        .filter(|number: &f64| (0.0..=1e12).contains(number))
        .ok_or_else(|| Refusal::new("must be a weight: a number, 0 or more"))
}

fn share(text: &str) -> Result<f64, Refusal> {
    let share = text.parse().ok();
    share
        .filter(|share: &f64| (0.0..=1.0).contains(share))
        .ok_or_else(|| Refusal::new("must be a share from 0 to 1"))
}

fn size(text: &str, least: u64, most: u64) -> Result<u64, Refusal> {
    parse_size(text)
        .ok()
        .filter(|size| (least..=most).contains(size))
        .ok_or_else(|| {
            Refusal::new(format!(
                "must be a size like 512B, 16KiB or 1MiB, from {least} to {most} bytes"
            ))
        })
}

fn sizes(text: &str) -> Result<(u64, u64), Refusal> {
    let refusal = || Refusal::new("must be a size like 1KiB, or two like 100 to 5000, up to 1TiB");
    let read = |text: &str| size(text.trim(), 0, SIZE_MOST).map_err(|_wrong| refusal());
    let (least, most) = match text.split_once(" to ") {
        Some((least, most)) => (read(least)?, read(most)?),
        None => {
            let size = read(text)?;
            (size, size)
        }
    };
    match least <= most {
        true => Ok((least, most)),
        false => Err(refusal()),
    }
}

fn delay(text: &str) -> Result<Delay, Refusal> {
    let refusal = || {
        Refusal::new(
            "must be a time like 500us or 20ms, or uniform 5ms 20ms, normal 20ms 5ms or exponential \
             20ms, up to 1h",
        )
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let time = |text: &str| time(text).ok_or_else(refusal);
    Ok(match words[..] {
        ["uniform", least, most] => {
            let (least, most) = (time(least)?, time(most)?);
            if least > most {
                return Err(refusal());
            }
            Delay::Uniform(least, most)
        }
        ["normal", mean, deviation] => Delay::Normal(time(mean)?, time(deviation)?),
        ["exponential", mean] => Delay::Exponential(time(mean)?),
        [fixed] => match time(fixed)? {
            Duration::ZERO => Delay::None,
            fixed => Delay::Fixed(fixed),
        },
        _ => return Err(refusal()),
    })
}

/// A time from none to an hour, to the microsecond.
fn time(text: &str) -> Option<Duration> {
    let time = match text.strip_suffix("us") {
        _ if text == "0" => Duration::ZERO,
        Some(number) => Duration::from_micros(number.parse().ok()?),
        None => parse_duration(text).ok()?,
    };
    (time <= Duration::from_secs(3600)).then_some(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<TargetConfig, String> {
        let config = config_from_yaml(Path::new("f.yaml"), text.as_bytes());
        config.map_err(|error| error.to_string())
    }

    #[test]
    fn the_shipped_file_is_the_default() {
        let shipped = include_str!("../../../../../../config/http.yaml");
        assert_eq!(read(shipped).unwrap(), TargetConfig::default());
        assert_eq!(read("").unwrap(), TargetConfig::default());
    }

    #[test]
    fn what_is_printed_is_read() {
        let config = TargetConfig::default();
        assert_eq!(read(&config.to_yaml()).unwrap(), config);
        let text = "limits: {requests: 7, idle: 1s, head: 100, body: 0, connections: 3}\n\
                    paths:\n  - path: /a\n    status: {200: 0.5, 404: 1}\n    size: 0 to 7\n    \
                    delay: uniform 0 1500us\n    fields: {A: \"b: 'c'\", D: \"\"}\n    \
                    faults: {hang: 0.25, cut: 0.5}\n  - prefix: /b\n    delay: 3us\n";
        let config = read(text).unwrap();
        assert_eq!(config.paths[0].faults, [0.25, 0.0, 0.0, 0.0, 0.5, 0.0]);
        assert_eq!(
            read(&config.to_yaml()).unwrap(),
            config,
            "{}",
            config.to_yaml()
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, says: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        };
        check("path: []", "there is no key \"path\"; did you mean paths?");
        check("paths: []", "line 1: paths must have 1 to");
        check("paths:\n  - size: 1", "line 2: paths[0] must have either");
        check("paths:\n  - path: /\n    prefix: /", "either a path or");
        check(
            "paths:\n  - path: x",
            "line 2: paths[0].path is \"x\", but must be a path like",
        );
        check("paths:\n  - path: /?a", "must be a path like");
        check(
            "paths:\n  - path: /\n  - path: /",
            "line 3: paths[1] has a path that is there twice",
        );
        let of = |keys: &str, says: &str| check(&format!("paths:\n  - path: /\n    {keys}"), says);
        of(
            "status: 100",
            "status is \"100\", but must be a whole number from 200 to 599",
        );
        of("status: {600: 1}", "has \"600\", but a status must be");
        of("status: {200: -1}", "must be a weight");
        of("status: {200: 0}", "weight is more than 0");
        of("size: -1", "must be a size like");
        of("size: 5 to 1", "two like 100 to 5000");
        of("framing: none", "must be length, chunked or close");
        of("chunk: 0", "must be a size");
        of("delay: fast", "must be a time like");
        of("delay: uniform 5ms 1ms", "must be a time like");
        of("delay: 2h", "up to 1h");
        of("fields: {\"a b\": c}", "it cannot be sent");
        of("fields: {Content-Length: 5}", "Content-Length");
        of("faults: {hang: 2}", "must be a share");
        of("faults: {hang: 0.6, cut: 0.6}", "not more than 1 together");
        of("faults: {hangs: 1}", "did you mean paths[0].faults.hang?");
        of("colour: red", "no key \"paths[0].colour\"");
        check("limits: {idle: 0}", "limits.idle");
        check("limits: {connections: 0}", "from 1 to 1000000");
        check("limits: {head: 1}", "from 64 to");
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(paths:|\n|  - |path: /|size: |status: |[0-9]{1,3}|\\{|\\}|delay: |ms| |x){0,30}") {
            drop(read(&text));
        }
    }
}
