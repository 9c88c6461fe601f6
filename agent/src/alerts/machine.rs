//! When a rule begins to hold and when it ends. Pure: times and values come in, changes come out.
//!
//! ```text
//!        broken             broken for `hold`
//!   ok ─────────► pending ───────────────────► firing
//!    ▲               │ within bounds              │ within bounds for `hold`, a minute at most
//!    └───────────────┴────────────────────────────┘
//! ```
//!
//! A value that goes to and fro about its bound fires once. What is not known changes nothing: one that
//! fires goes on, since nobody can say that all is well.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::rule::{Rule, Side};

/// It is over when all was well for as long as it took to fire, but a minute at most.
const CALM_MOST: Duration = Duration::from_secs(60);

/// What was seen of a rule's metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observed {
    /// Its value over the window.
    Value(f64),
    /// There was nothing to have a value of: no exchange was answered, or timed.
    Nothing,
    /// It cannot be told.
    Unknown,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Within bounds.
    Ok,
    /// Broken, but not for long enough.
    Pending,
    /// Broken for long enough.
    Firing,
    /// It cannot be told, and it was within bounds before.
    Unknown,
}

/// What came about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It fires from now on.
    Fires,
    /// It is over.
    Resolves,
}

/// One rule over time.
#[derive(Clone, Debug)]
pub struct Machine {
    state: State,
    /// When it came to stand so, for people.
    since: Timestamp,
    /// When it was broken first, of those times that follow each other.
    broken_since: Option<Instant>,
    /// When it was within bounds first, while it fires.
    calm_since: Option<Instant>,
    value: Option<f64>,
    /// The worst value since it is broken.
    peak: Option<f64>,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Unknown => "unknown",
        }
    }
}

impl Machine {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self {
            state: State::Unknown,
            since: wall,
            broken_since: None,
            calm_since: None,
            value: None,
            peak: None,
        }
    }

    /// It has fired since then, with this as its worst value.
    #[must_use]
    pub fn firing(since: Timestamp, peak: Option<f64>, now: Instant) -> Self {
        Self {
            state: State::Firing,
            since,
            broken_since: Some(now),
            calm_since: None,
            value: None,
            peak,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// The last value.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.value
    }

    /// The worst value since it was broken first.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        self.peak
    }

    /// Takes what was seen now, and gives what came about.
    pub fn observe(
        &mut self,
        rule: &Rule,
        now: Instant,
        wall: Timestamp,
        observed: Observed,
    ) -> Option<Change> {
        let value = match observed {
            Observed::Value(value) => Some(value),
            Observed::Nothing => None,
            Observed::Unknown => {
                self.value = None;
                if self.state == State::Ok {
                    self.enter(State::Unknown, wall);
                }
                return None;
            }
        };
        self.value = value;
        match value.filter(|value| rule.is_broken_by(*value)) {
            Some(value) => self.broken(rule, now, wall, value),
            None => self.calm(rule, now, wall),
        }
    }

    fn broken(&mut self, rule: &Rule, now: Instant, wall: Timestamp, value: f64) -> Option<Change> {
        self.calm_since = None;
        let since = *self.broken_since.get_or_insert(now);
        self.peak = Some(match (self.peak, rule.side) {
            (None, _) => value,
            (Some(peak), Side::Above) => peak.max(value),
            (Some(peak), Side::Below) => peak.min(value),
        });
        if self.state == State::Firing {
            return None;
        }
        if now.saturating_duration_since(since) >= rule.hold {
            self.enter(State::Firing, wall);
            return Some(Change::Fires);
        }
        if self.state != State::Pending {
            self.enter(State::Pending, wall);
        }
        None
    }

    fn calm(&mut self, rule: &Rule, now: Instant, wall: Timestamp) -> Option<Change> {
        if self.state != State::Firing {
            self.broken_since = None;
            self.peak = None;
            if self.state != State::Ok {
                self.enter(State::Ok, wall);
            }
            return None;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_duration_since(since) < rule.hold.min(CALM_MOST) {
            return None;
        }
        self.broken_since = None;
        self.calm_since = None;
        // The peak stays until the next time, for whoever is told of the end.
        self.enter(State::Ok, wall);
        Some(Change::Resolves)
    }

    fn enter(&mut self, state: State, wall: Timestamp) {
        self.state = state;
        self.since = wall;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a rule says of values that come a second apart.
    fn states(rule: &str, observed: &[Observed]) -> (Vec<State>, Vec<(usize, Change)>) {
        let rule: Rule = rule.parse().unwrap();
        let start = Instant::now();
        let mut machine = Machine::new(Timestamp::UNIX_EPOCH);
        let mut changes = Vec::new();
        let states = observed.iter().enumerate().map(|(second, observed)| {
            let now = start + Duration::from_secs(second as u64);
            let wall = Timestamp::from_second(second as i64).unwrap();
            let change = machine.observe(&rule, now, wall, *observed);
            changes.extend(change.map(|change| (second, change)));
            machine.state()
        });
        (states.collect(), changes)
    }

    use Change::{Fires, Resolves};
    use Observed::{Nothing, Unknown, Value};
    use State::{Firing, Ok, Pending};

    const HIGH: Observed = Value(11.0);
    const LOW: Observed = Value(10.0);

    #[test]
    fn it_fires_when_it_was_broken_for_long_enough() {
        let rule = "a error_rate above 10 over 10s for 2s";
        let check = |observed: &[Observed], expected: &[State], changes: &[(usize, Change)]| {
            let (states, changed) = states(rule, observed);
            assert_eq!((&*states, &*changed), (expected, changes), "{observed:?}");
        };
        check(&[LOW, HIGH, HIGH, LOW], &[Ok, Pending, Pending, Ok], &[]);
        check(
            &[HIGH, HIGH, HIGH, HIGH, LOW, LOW, LOW],
            &[Pending, Pending, Firing, Firing, Firing, Firing, Ok],
            &[(2, Fires), (6, Resolves)],
        );
        // To and fro.
        check(
            &[HIGH, HIGH, HIGH, LOW, HIGH, LOW, HIGH],
            &[Pending, Pending, Firing, Firing, Firing, Firing, Firing],
            &[(2, Fires)],
        );
        check(
            &[HIGH, LOW, HIGH, HIGH, HIGH],
            &[Pending, Ok, Pending, Pending, Firing],
            &[(4, Fires)],
        );
        // No exchanges are no errors.
        check(
            &[Nothing, HIGH, HIGH, HIGH, Nothing, Nothing, Nothing],
            &[Ok, Pending, Pending, Firing, Firing, Firing, Ok],
            &[(3, Fires), (6, Resolves)],
        );
        // What is not known is no end.
        check(
            &[Unknown, HIGH, HIGH, HIGH, Unknown, Unknown, Unknown, HIGH],
            &[
                State::Unknown,
                Pending,
                Pending,
                Firing,
                Firing,
                Firing,
                Firing,
                Firing,
            ],
            &[(3, Fires)],
        );
        check(&[LOW, Unknown, LOW], &[Ok, State::Unknown, Ok], &[]);
    }

    #[test]
    fn without_a_time_it_fires_at_once() {
        let (states, changes) = states(
            "a lost above 0 over 10s",
            &[Value(0.0), Value(1.0), Value(0.0)],
        );
        assert_eq!(states, [Ok, Firing, Ok]);
        assert_eq!(changes, [(1, Fires), (2, Resolves)]);
    }

    #[test]
    fn the_peak_is_the_worst() {
        let check = |rule: &str, values: &[f64], peak: f64| {
            let rule: Rule = rule.parse().unwrap();
            let mut machine = Machine::new(Timestamp::UNIX_EPOCH);
            for value in values {
                machine.observe(&rule, Instant::now(), Timestamp::UNIX_EPOCH, Value(*value));
            }
            assert_eq!(machine.peak(), Some(peak));
        };
        check("a lost above 1 over 10s", &[9.0, 2.0, 7.0, 8.0], 9.0);
        check(
            "a requests_per_second below 5 over 10s",
            &[3.0, 1.0, 4.0],
            1.0,
        );
        // That of the last time, also when it is over; and of each time anew.
        check("a lost above 1 over 10s", &[9.0, 0.0], 9.0);
        check("a lost above 1 over 10s", &[9.0, 0.0, 0.0, 3.0], 3.0);
    }

    proptest! {
        /// Fires and resolves take turns, whatever is seen.
        #[test]
        fn each_end_has_a_beginning(observed in prop::collection::vec(
            prop_oneof![Just(Nothing), Just(Unknown), Just(LOW), Just(HIGH)], 0..60
        ), hold in 1..5_u32) {
            let rule = format!("a error_rate above 10 over 10s for {hold}s");
            let (states, changes) = states(&rule, &observed);
            for (number, (second, change)) in changes.iter().enumerate() {
                let expected = if number % 2 == 0 { Fires } else { Resolves };
                prop_assert_eq!(*change, expected);
                prop_assert_eq!(states[*second] == Firing, expected == Fires);
            }
            let fires = states.last() == Some(&Firing);
            prop_assert_eq!(fires, changes.len() % 2 == 1);
        }
    }
}
