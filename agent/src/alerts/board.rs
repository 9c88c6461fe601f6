//! All rules, where they stand, and what there was. Pure but for the numbers that are brought.

use std::collections::VecDeque;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::keep::Kept;
use super::machine::{Change, Machine, Observed, State};
use super::rule::{Rule, Side};

/// What is remembered of the past.
const HISTORY: usize = 100;

/// The rules and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Board {
    rules: Vec<(Rule, Machine)>,
    /// The newest last.
    history: VecDeque<Past>,
    /// Of the newest in the history.
    last_number: u64,
}

/// One time that a rule fired.
#[derive(Clone, Debug, PartialEq)]
struct Past {
    number: u64,
    rule: String,
    started: Timestamp,
    ended: Option<Timestamp>,
    /// When it began, or when it was over.
    value: Option<f64>,
    peak: Option<f64>,
    /// `None`: nobody is to be told, or it is under way.
    delivered: Option<bool>,
    /// Of its words, how many were delivered or given up.
    told: u8,
}

/// What comes of what was kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// What is still to be told.
    pub messages: Vec<Message>,
    /// Those that fired, and have no rule any more.
    pub gone: Vec<String>,
}

/// What is told when a rule fires or it is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// The same for both, and for each try: whoever gets it twice can tell.
    pub id: String,
    /// The number of the time that it fires, for [`Board::delivered`].
    #[serde(skip)]
    pub number: u64,
    /// The rule's name.
    pub rule: String,
    /// `firing` or `resolved`.
    pub state: &'static str,
    /// What is watched.
    pub metric: &'static str,
    /// The unit of the values.
    pub unit: &'static str,
    /// The bound, if it is not to be exceeded.
    pub above: Option<f64>,
    /// The bound, if it is to be reached.
    pub below: Option<f64>,
    /// The value of now.
    pub value: Option<f64>,
    /// The worst value.
    pub peak: Option<f64>,
    /// Seconds that are looked at.
    pub window_s: u64,
    /// Seconds for which it has to be wrong.
    pub for_s: u64,
    /// When it began to fire.
    pub started: String,
    /// When it was over.
    pub ended: Option<String>,
    /// The host.
    pub host: String,
    /// The same in one sentence, as chat programs show it.
    pub text: String,
}

#[derive(Serialize)]
struct ShownRule<'a> {
    name: &'a str,
    metric: &'static str,
    unit: &'static str,
    above: Option<f64>,
    below: Option<f64>,
    window_s: u64,
    for_s: u64,
    state: &'static str,
    value: Option<f64>,
    since: String,
}

#[derive(Serialize)]
struct ShownPast<'a> {
    rule: &'a str,
    started: String,
    ended: Option<String>,
    peak: Option<f64>,
    delivered: Option<bool>,
}

/// Rules and history, as they are shown.
#[derive(Serialize)]
struct Shown<'a> {
    rules: Vec<ShownRule<'a>>,
    /// The newest first.
    history: Vec<ShownPast<'a>>,
}

impl Board {
    /// Of rules that nothing was seen of yet.
    #[must_use]
    pub fn new(rules: Vec<Rule>, wall: Timestamp) -> Self {
        let rules = rules.into_iter().map(|rule| (rule, Machine::new(wall)));
        Self {
            rules: rules.collect(),
            ..Self::default()
        }
    }

    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// Whether each rule fires, by its name.
    pub fn firing(&self) -> impl Iterator<Item = (&str, bool)> {
        self.rules
            .iter()
            .map(|(rule, machine)| (rule.name.as_str(), machine.state() == State::Firing))
    }

    /// How many rules stand so.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        let machines = self.rules.iter().map(|(_, machine)| machine);
        machines.filter(|machine| machine.state() == state).count()
    }

    /// Takes what was seen of each rule, in their order, and gives what is to be told.
    pub fn observe(
        &mut self,
        now: Instant,
        wall: Timestamp,
        observed: &[Observed],
        host: &str,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        for ((rule, machine), observed) in self.rules.iter_mut().zip(observed) {
            let change = machine.observe(rule, now, wall, *observed);
            let open = self
                .history
                .iter_mut()
                .rfind(|past| past.rule == rule.name && past.ended.is_none());
            match (change, open) {
                (Some(Change::Fires), _) => {
                    self.last_number += 1;
                    if self.history.len() >= HISTORY {
                        self.history.pop_front();
                    }
                    let past = Past {
                        number: self.last_number,
                        rule: rule.name.clone(),
                        started: wall,
                        ended: None,
                        value: machine.value(),
                        peak: machine.peak(),
                        delivered: None,
                        told: 0,
                    };
                    messages.push(message(rule, &past, host));
                    self.history.push_back(past);
                }
                (Some(Change::Resolves), Some(past)) => {
                    past.ended = Some(wall);
                    past.value = machine.value();
                    past.peak = machine.peak();
                    messages.push(message(rule, past, host));
                }
                (None, Some(past)) => past.peak = machine.peak(),
                // So much came in between that the history has forgotten it.
                (Some(Change::Resolves), None) | (None, None) => {}
            }
        }
        messages
    }

    /// What became of a message.
    pub fn delivered(&mut self, number: u64, delivered: bool) {
        if let Some(past) = self.history.iter_mut().find(|past| past.number == number) {
            // Of two messages both must have come.
            past.delivered = Some(delivered && past.delivered.unwrap_or(true));
            past.told = past.told.saturating_add(1);
        }
    }

    /// What is to be kept: what fires; and, where somebody is told, what is over and not told yet.
    #[must_use]
    pub fn kept(&self, has_webhook: bool) -> Vec<Kept> {
        let is_kept = |past: &&Past| past.ended.is_none() || (has_webhook && past.told < 2);
        let kept = self.history.iter().filter(is_kept).map(|past| Kept {
            rule: past.rule.clone(),
            started: past.started,
            ended: past.ended,
            value: past.value,
            peak: past.peak,
            told: past.told,
        });
        kept.collect()
    }

    /// Takes what was kept, before anything is observed: what fired fires on. A rule that has another
    /// bound now is over by the new one.
    pub fn restore(&mut self, kept: Vec<Kept>, now: Instant, host: &str) -> Restored {
        let mut restored = Restored::default();
        for one in kept.into_iter().take(HISTORY) {
            let found = self
                .rules
                .iter_mut()
                .find(|(rule, _)| rule.name == one.rule);
            let Some((rule, machine)) = found else {
                restored.gone.push(one.rule);
                continue;
            };
            let is_firing = one.ended.is_none();
            if is_firing && machine.state() == State::Firing {
                // It fires once at a time.
                continue;
            }
            self.last_number += 1;
            let past = Past {
                number: self.last_number,
                rule: one.rule,
                started: one.started,
                ended: one.ended,
                value: one.value,
                peak: one.peak,
                delivered: (one.told > 0).then_some(true),
                told: one.told,
            };
            if past.told == 0 {
                let fires = Past {
                    ended: None,
                    ..past.clone()
                };
                restored.messages.push(message(rule, &fires, host));
            }
            if is_firing {
                *machine = Machine::firing(past.started, past.peak, now);
            } else if past.told < 2 {
                restored.messages.push(message(rule, &past, host));
            }
            self.history.push_back(past);
        }
        restored
    }

    /// All of it as JSON.
    ///
    /// # Errors
    /// None is known.
    pub fn json(&self) -> serde_json::Result<Vec<u8>> {
        let rules = self.rules.iter().map(|(rule, machine)| {
            let (above, below) = bounds(rule);
            ShownRule {
                name: &rule.name,
                metric: rule.metric.word(),
                unit: rule.metric.unit(),
                above,
                below,
                window_s: rule.window.as_secs(),
                for_s: rule.hold.as_secs(),
                state: machine.state().word(),
                value: machine.value().map(rounded),
                since: machine.since().to_string(),
            }
        });
        let history = self.history.iter().rev().map(|past| ShownPast {
            rule: &past.rule,
            started: past.started.to_string(),
            ended: past.ended.map(|ended| ended.to_string()),
            peak: past.peak.map(rounded),
            delivered: past.delivered,
        });
        serde_json::to_vec(&Shown {
            rules: rules.collect(),
            history: history.collect(),
        })
    }
}

fn message(rule: &Rule, past: &Past, host: &str) -> Message {
    let (above, below) = bounds(rule);
    let value = match past.value {
        Some(value) => rule.metric.say(value),
        None => "nothing".to_owned(),
    };
    let metric = rule.metric.word();
    let name = &rule.name;
    let window = rule.window.as_secs();
    let text = match past.ended {
        None => format!(
            "tapline on {host}: {name} is firing: {metric} is {value} over {window} s, {} {}",
            rule.side.word(),
            rule.metric.say(rule.bound())
        ),
        Some(_) => format!(
            "tapline on {host}: {name} is resolved: {metric} is {value} over {window} s; the worst was {}",
            rule.metric.say(past.peak.unwrap_or_default())
        ),
    };
    Message {
        id: format!("{name}-{}", past.started.as_millisecond()),
        number: past.number,
        rule: name.clone(),
        state: match past.ended {
            None => "firing",
            Some(_) => "resolved",
        },
        metric,
        unit: rule.metric.unit(),
        above,
        below,
        value: past.value.map(rounded),
        peak: past.peak.map(rounded),
        window_s: window,
        for_s: rule.hold.as_secs(),
        started: past.started.to_string(),
        ended: past.ended.map(|ended| ended.to_string()),
        host: host.to_owned(),
        text,
    }
}

fn bounds(rule: &Rule) -> (Option<f64>, Option<f64>) {
    match rule.side {
        Side::Above => (Some(rule.bound()), None),
        Side::Below => (None, Some(rule.bound())),
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
