//! Sums of the store as the rows of a report.

use std::collections::BTreeMap;

use crate::analysis::report::{
    Agent, Counts, Endpoint, HourOfDay, Latency, Period, StatusCount, Table, UserAgent,
};
use crate::analysis::statistics::family;
use crate::http::exchange::record::Outcome;
use crate::sink::sqlite::tally::{COMPLETE, EXCHANGES, RESPONSE_BYTES, STATUS_1XX, TIMED, Tally};
use crate::store::Top;

/// Groups, those with the most requests first.
pub(super) struct Groups {
    rows: Vec<(Box<str>, Tally)>,
    others: u64,
}

impl Groups {
    pub(super) fn of(Top(merged): Top) -> Self {
        let mut rows: Vec<(Box<str>, Tally)> = merged.groups.into_iter().collect();
        rows.sort_by(|one, other| {
            let requests = other.1.exchanges().cmp(&one.1.exchanges());
            requests.then_with(|| one.0.cmp(&other.0))
        });
        Self {
            rows,
            others: merged.others.exchanges(),
        }
    }

    pub(super) fn distinct(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The requests of the groups with such a value.
    pub(super) fn sum(&self, is_one: impl Fn(&str) -> bool) -> u64 {
        let rows = self.rows.iter().filter(|(value, _)| is_one(value));
        rows.map(|(_, tally)| tally.exchanges()).sum()
    }

    /// The first `most` as a table.
    pub(super) fn table<R>(&self, most: usize, row: impl Fn(&str, &Tally) -> R) -> Table<R> {
        let unlisted = self.rows.iter().skip(most);
        let unlisted: u64 = unlisted.map(|(_, tally)| tally.exchanges()).sum();
        Table {
            rows: self
                .rows
                .iter()
                .take(most)
                .map(|(value, tally)| row(value, tally))
                .collect(),
            distinct: self.distinct(),
            unlisted: unlisted + self.others,
            overflow: self.others,
        }
    }

    /// By method and template, which stand in the value.
    pub(super) fn endpoints(&self) -> Table<Endpoint> {
        self.table(usize::MAX, |value, tally| {
            let (method, template) = value.split_once(' ').unwrap_or(("-", value));
            Endpoint {
                method: method.to_owned(),
                template: template.to_owned(),
                requests: tally.exchanges(),
                counts: counts(tally),
                latency: latency(tally),
            }
        })
    }

    pub(super) fn statuses(&self) -> Vec<StatusCount> {
        let mut rows: Vec<StatusCount> = self
            .rows
            .iter()
            .filter_map(|(value, tally)| {
                let status = value.parse().ok().filter(|status| *status > 0)?;
                let requests = tally.exchanges();
                Some(StatusCount { status, requests })
            })
            .collect();
        rows.sort_by_key(|row| row.status);
        rows
    }

    pub(super) fn user_agents(&self, most: usize) -> Table<UserAgent> {
        self.table(most, |value, tally| {
            let (family, bot) = family(value.as_bytes());
            UserAgent {
                value: value.to_owned(),
                family: family.to_owned(),
                bot,
                requests: tally.exchanges(),
            }
        })
    }

    /// Families of user agents.
    pub(super) fn families(&self) -> Table<Agent> {
        let mut sums: BTreeMap<(&str, bool), Tally> = BTreeMap::new();
        for (value, tally) in &self.rows {
            sums.entry(family(value.as_bytes()))
                .or_default()
                .add_sums(&tally.sums);
        }
        let mut rows: Vec<Agent> = sums
            .into_iter()
            .map(|((family, bot), tally)| Agent {
                family: family.to_owned(),
                bot,
                requests: tally.exchanges(),
                counts: counts(&tally),
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.requests));
        Table {
            distinct: rows.len() as u64,
            rows,
            unlisted: self.others,
            overflow: self.others,
        }
    }
}

/// Requests without a status.
pub(super) fn without_status(tally: &Tally) -> u64 {
    let known: u64 = tally.sums[STATUS_1XX..STATUS_1XX + 6].iter().sum();
    tally.exchanges().saturating_sub(known)
}

pub(super) fn counts(tally: &Tally) -> Counts {
    let class = |class: usize| tally.sums[STATUS_1XX + class - 1];
    let told: u64 = (1..=5).map(class).sum();
    Counts {
        informational: class(1),
        success: class(2),
        redirects: class(3),
        client_errors: class(4),
        server_errors: class(5),
        other: tally.sums[EXCHANGES].saturating_sub(told),
        unanswered: tally.sums[COMPLETE + Outcome::Unanswered as usize],
        bytes: tally.sums[RESPONSE_BYTES],
    }
}

/// How long they took; percentiles within an eighth. `None`: none was timed.
pub(super) fn latency(tally: &Tally) -> Option<Latency> {
    let quantile = |part| tally.quantile_us(part).unwrap_or_default();
    Some(Latency {
        mean_us: tally.mean_us()?,
        timed: tally.sums[TIMED],
        p50_us: quantile(0.5),
        p90_us: quantile(0.9),
        p95_us: quantile(0.95),
        p99_us: quantile(0.99),
        max_us: tally.longest_us,
    })
}

pub(super) fn period(start_s: i64, tally: &Tally) -> Period {
    let counts = counts(tally);
    Period {
        start_s,
        requests: tally.exchanges(),
        client_errors: counts.client_errors,
        server_errors: counts.server_errors,
        unanswered: counts.unanswered,
        bytes: counts.bytes,
        mean_us: tally.mean_us(),
        p50_us: tally.quantile_us(0.5),
        p99_us: tally.quantile_us(0.99),
    }
}

pub(super) fn hour_of_day(hour: usize, tally: &Tally) -> HourOfDay {
    let counts = counts(tally);
    HourOfDay {
        hour: u8::try_from(hour).unwrap_or_default(),
        requests: tally.exchanges(),
        client_errors: counts.client_errors,
        server_errors: counts.server_errors,
        bytes: counts.bytes,
        latency: latency(tally),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sqlite::tally::Addend;

    #[test]
    fn sums_become_counts() {
        let mut tally = Tally::default();
        let add = |tally: &mut Tally, outcome, status, took| {
            tally.add(&Addend::new(outcome, status, None, Some(10), took));
        };
        add(&mut tally, Outcome::Complete, Some(200), Some(100));
        add(&mut tally, Outcome::Complete, Some(404), Some(300));
        add(&mut tally, Outcome::Complete, Some(799), None);
        add(&mut tally, Outcome::Unanswered, None, None);
        let counts = counts(&tally);
        assert_eq!((counts.success, counts.client_errors), (1, 1));
        assert_eq!((counts.other, counts.unanswered, counts.bytes), (2, 1, 40));
        assert_eq!(without_status(&tally), 1);
        let latency = latency(&tally).unwrap();
        assert_eq!((latency.timed, latency.max_us), (2, 300));
        assert_eq!(latency.mean_us, 200.0);
        assert!(super::latency(&Tally::default()).is_none());
    }
}
