//! The configuration as YAML that can be fed back.

use std::time::Duration;

use super::{Delay, LimitsConfig, Matches, Misdeed, PathConfig, TargetConfig};
use crate::config::{format_duration, format_size};

impl TargetConfig {
    /// A file with every key; reading it gives the same configuration.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let LimitsConfig {
            connections,
            head,
            body,
            idle,
            requests,
        } = self.limits;
        let mut yaml = format!(
            "limits:\n  connections: {connections}\n  head: {}\n  body: {}\n  idle: {}\n  \
             requests: {}\npaths:\n",
            format_size(head.into()),
            format_size(body),
            format_duration(idle),
            requests.unwrap_or(0),
        );
        for path in &self.paths {
            yaml += &one(path);
        }
        yaml
    }
}

fn one(path: &PathConfig) -> String {
    let (key, text) = match &path.matches {
        Matches::Path(text) => ("path", text),
        Matches::Prefix(text) => ("prefix", text),
    };
    let status = match path.statuses[..] {
        [(status, _)] => status.to_string(),
        _ => {
            let each = path.statuses.iter();
            let each = each.map(|(status, weight)| format!("{status}: {weight}"));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
    };
    let (least, most) = path.size;
    let size = match least == most {
        true => format_size(least),
        false => format!("{least} to {most}"),
    };
    let fields = path.fields.iter();
    let fields = fields.map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)));
    let faults = Misdeed::ALL.iter().zip(path.faults);
    let faults = faults
        .filter(|(_, share)| *share > 0.0)
        .map(|(misdeed, share)| format!("{}: {share}", misdeed.word()));
    format!(
        "  - {key}: {}\n    status: {status}\n    size: {size}\n    framing: {}\n    chunk: {}\n    \
         delay: {}\n    fields: {{{}}}\n    faults: {{{}}}\n",
        quoted(text),
        path.framing.word(),
        format_size(path.chunk.into()),
        delay(path.delay),
        fields.collect::<Vec<_>>().join(", "),
        faults.collect::<Vec<_>>().join(", "),
    )
}

fn delay(delay: Delay) -> String {
    match delay {
        Delay::None => "0".to_owned(),
        Delay::Fixed(fixed) => time(fixed),
        Delay::Uniform(least, most) => format!("uniform {} {}", time(least), time(most)),
        Delay::Normal(mean, deviation) => format!("normal {} {}", time(mean), time(deviation)),
        Delay::Exponential(mean) => format!("exponential {}", time(mean)),
    }
}

fn time(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0 => "0".to_owned(),
        micros if micros.is_multiple_of(1000) => format_duration(time),
        micros => format!("{micros}us"),
    }
}

/// In quotes; fields and paths have no control characters.
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\t', "\\t")
    )
}
