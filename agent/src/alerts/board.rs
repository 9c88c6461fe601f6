//! All rules, where they stand, and what there was. Pure but for the numbers that are brought.

use std::collections::VecDeque;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::machine::{Change, Machine, Observed, State};
use super::rule::{Rule, Side};

/// What is remembered of the past.
const HISTORY: usize = 100;

/// The rules and what became of them.
#[derive(Debug, Default)]
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
    peak: Option<f64>,
    /// `None`: nobody is to be told, or it is under way.
    delivered: Option<bool>,
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
                        peak: machine.peak(),
                        delivered: None,
                    };
                    messages.push(message(rule, machine, &past, host));
                    self.history.push_back(past);
                }
                (Some(Change::Resolves), Some(past)) => {
                    past.ended = Some(wall);
                    past.peak = machine.peak();
                    messages.push(message(rule, machine, past, host));
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
        }
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

fn message(rule: &Rule, machine: &Machine, past: &Past, host: &str) -> Message {
    let (above, below) = bounds(rule);
    let value = match machine.value() {
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
        value: machine.value().map(rounded),
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
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn board(rules: &[&str]) -> Board {
        let rules = rules.iter().map(|rule| rule.parse().unwrap());
        Board::new(rules.collect(), Timestamp::UNIX_EPOCH)
    }

    fn value(board: &Board) -> Value {
        serde_json::from_slice(&board.json().unwrap()).unwrap()
    }

    #[test]
    fn each_rule_has_its_own_life() {
        let mut board = board(&[
            "errors error_rate above 5% over 10s",
            "quiet requests_per_second below 1 over 10s for 10s",
        ]);
        let start = Instant::now();
        let mut observe = |second: u64, errors: f64, rate: f64| {
            let now = start + Duration::from_secs(second);
            let wall = Timestamp::from_second(second as i64).unwrap();
            let observed = [Observed::Value(errors), Observed::Value(rate)];
            let messages = board.observe(now, wall, &observed, "web-1");
            (messages, value(&board))
        };
        let (messages, shown) = observe(0, 1.0, 0.0);
        assert!(messages.is_empty());
        assert_eq!(shown["rules"][0]["state"], "ok");
        assert_eq!(
            shown["rules"][1],
            json!({
                "name": "quiet", "metric": "requests_per_second", "unit": "per_second", "above": null,
                "below": 1.0, "window_s": 10, "for_s": 10, "state": "pending", "value": 0.0,
                "since": "1970-01-01T00:00:00Z"
            })
        );
        let (messages, _) = observe(5, 7.25, 9.0);
        let [fires] = messages.as_slice() else {
            panic!("{messages:?}");
        };
        assert_eq!((fires.id.as_str(), fires.state), ("errors-5000", "firing"));
        assert_eq!(
            fires.text,
            "tapline on web-1: errors is firing: error_rate is 7.25 % over 10 s, above 5 %"
        );
        // It is told once, and the worst is kept.
        let (messages, shown) = observe(10, 50.0, 9.0);
        assert!(messages.is_empty());
        assert_eq!(
            shown["history"],
            json!([{"rule": "errors", "started": "1970-01-01T00:00:05Z", "ended": null,
                "peak": 50.0, "delivered": null}])
        );
        let (messages, shown) = observe(15, 0.0, 9.0);
        let [ends] = messages.as_slice() else {
            panic!("{messages:?}");
        };
        assert_eq!((ends.id.as_str(), ends.state), ("errors-5000", "resolved"));
        assert_eq!(ends.ended.as_deref(), Some("1970-01-01T00:00:15Z"));
        assert!(ends.text.ends_with("the worst was 50 %"), "{}", ends.text);
        assert_eq!(shown["history"][0]["ended"], "1970-01-01T00:00:15Z");
    }

    #[test]
    fn delivered_is_what_both_messages_were() {
        let mut board = board(&["a lost above 0 over 10s"]);
        let mut fire = |value: f64| {
            let observed = [Observed::Value(value)];
            board.observe(Instant::now(), Timestamp::now(), &observed, "h")[0].number
        };
        let first = fire(1.0);
        assert_eq!(fire(0.0), first);
        let second = fire(1.0);
        board.delivered(first, true);
        board.delivered(first, false);
        board.delivered(second, true);
        board.delivered(99, true);
        let shown = value(&board);
        assert_eq!(shown["history"][0]["delivered"], true);
        assert_eq!(shown["history"][1]["delivered"], false);
    }

    #[test]
    fn the_past_is_bounded() {
        let mut board = board(&["a lost above 0 over 10s"]);
        for number in 0..3 * HISTORY {
            let observed = [Observed::Value((number % 2) as f64)];
            board.observe(Instant::now(), Timestamp::now(), &observed, "h");
        }
        assert_eq!(value(&board)["history"].as_array().unwrap().len(), HISTORY);
    }
}
