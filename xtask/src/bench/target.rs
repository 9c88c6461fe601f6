//! A figure and what it must not pass.

use std::fmt;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{bench::statistics::Summary, report::print};

/// A [`Target`] as a benchmark's document has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// None: it is no number.
    value: Option<f64>,
    /// The middle half of the rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spread: Option<[f64; 2]>,
    /// None: nothing is asked of it, it stands beside the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bound: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
    unit: String,
    pub(crate) met: bool,
}

impl Figure {
    /// What was measured, with its unit.
    pub(crate) fn measured(&self) -> String {
        let value = self.value.map_or_else(|| "nothing".to_owned(), short);
        match self.unit.is_empty() {
            true => value,
            false => format!("{value} {}", self.unit),
        }
    }

    /// Between what the middle half of the rounds lies; empty where there was one.
    pub(crate) fn spread(&self) -> String {
        self.spread.map_or_else(String::new, |[low, high]| {
            format!("{}–{}", short(low), short(high))
        })
    }

    /// What is asked for; empty where nothing is.
    pub(crate) fn asked(&self) -> String {
        match (self.bound, self.limit) {
            (Some(bound), Some(limit)) => format!("{} {}", bound.words(), short(limit)),
            _ => String::new(),
        }
    }

    /// Whether it is as asked for, in a word; empty where nothing is asked.
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.bound, self.met) {
            (None, _) => "",
            (Some(_), true) => "met",
            (Some(_), false) => "MISSED",
        }
    }
}

/// A number with as many digits as it deserves.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        0.0 | 1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The side on which a limit lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// The figure must not be larger.
    AtMost,
    /// The figure must not be smaller.
    AtLeast,
}

impl Bound {
    fn words(self) -> &'static str {
        match self {
            Self::AtMost => "at most",
            Self::AtLeast => "at least",
        }
    }
}

/// A figure held against its limit, or beside others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// The middle half of the rounds, where there were some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spread: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bound: Option<Bound>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) met: bool,
}

impl Target {
    /// Holds `value` against `limit`. What is no number meets nothing.
    pub(crate) fn new(
        name: impl Into<String>,
        value: f64,
        bound: Bound,
        limit: f64,
        unit: &'static str,
    ) -> Self {
        let met = match bound {
            Bound::AtMost => value <= limit,
            Bound::AtLeast => value >= limit,
        };
        Self {
            name: name.into(),
            value,
            spread: None,
            bound: Some(bound),
            limit: Some(limit),
            unit,
            met,
        }
    }

    /// What stands beside the others: another program on the same work, or where a ratio comes from.
    pub(crate) fn beside(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            spread: None,
            bound: None,
            limit: None,
            unit,
            met: true,
        }
    }

    /// With how far its rounds lie apart.
    pub(crate) fn over(self, rounds: Option<Summary>) -> Self {
        // One round lies nowhere apart.
        let rounds = rounds.filter(|rounds| rounds.lowest < rounds.highest);
        let spread = rounds.map(|rounds| [rounds.lower_quarter, rounds.upper_quarter]);
        Self { spread, ..self }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            unit,
            met,
            ..
        } = self;
        let (Some(bound), Some(limit)) = (self.bound, self.limit) else {
            return write!(formatter, "        {name}: {value:.3} {unit}");
        };
        let verdict = if *met { "met   " } else { "MISSED" };
        let bound = bound.words();
        write!(
            formatter,
            "{verdict}  {name}: {value:.3} {unit} ({bound} {limit} {unit})"
        )
    }
}

/// Writes what was measured and its targets as one JSON document to stdout.
///
/// # Errors
/// When a figure cannot be written.
pub(crate) fn print_document(measured: &impl Serialize, targets: &[Target]) -> Result<()> {
    let document = json!({"measured": measured, "targets": targets});
    print(serde_json::to_string_pretty(&document).context("write the result")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_itself_is_met_and_no_number_is_not() {
        let check = |value, bound, met| {
            assert_eq!(Target::new("x", value, bound, 1.0, "s").met, met, "{value}");
        };
        check(1.0, Bound::AtMost, true);
        check(1.001, Bound::AtMost, false);
        check(1.0, Bound::AtLeast, true);
        check(0.999, Bound::AtLeast, false);
        check(f64::NAN, Bound::AtLeast, false);
        check(f64::NAN, Bound::AtMost, false);
    }
}
