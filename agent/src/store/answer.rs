//! Questions about many exchanges at once, and where their answers come from: roll-ups where these
//! know what is asked for, else the rows themselves, as far as the time reaches.

use std::fmt;

use jiff::Timestamp;

use super::search::Pinned;
use super::{Cursor, ExchangeFilter, Order};
use crate::http::exchange::record::Role;
use crate::sink::sqlite::groups::{Kind, MINUTE, floor};

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which exchanges; its times are those below.
    pub filter: ExchangeFilter,
    /// They began then or later.
    pub from: Timestamp,
    /// They began before then.
    pub to: Timestamp,
    /// An answer that was not complete is asked for again: these are its times.
    pub after: Option<Pinned>,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// Sums that were made when the records came.
    RollUp,
    /// The records.
    Rows,
}

impl Source {
    /// The name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RollUp => "rollup",
            Self::Rows => "rows",
        }
    }
}

/// What an answer is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Covered {
    /// From this time on. Where the answer is not complete: as far as it came.
    pub from: Timestamp,
    /// Up to this time.
    pub to: Timestamp,
    /// Whether that is all that was asked for.
    pub complete: bool,
    /// Where it comes from.
    pub source: Source,
    /// Where to go on.
    pub next: Option<Next>,
}

/// Where to go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Behind a row: what follows is the rest.
    Row(Cursor),
    /// With a search: what follows is all that it has found by then.
    Search(Pinned),
}

impl fmt::Display for Next {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(cursor) => cursor.fmt(formatter),
            Self::Search(pinned) => pinned.fmt(formatter),
        }
    }
}

impl Covered {
    /// Of rows that were looked at in this order, up to the place where that stopped.
    #[must_use]
    pub fn by_rows(from: Timestamp, to: Timestamp, order: Order, stopped: Option<Cursor>) -> Self {
        let mut covered = Self {
            from,
            to,
            complete: stopped.is_none(),
            source: Source::Rows,
            next: stopped.map(Next::Row),
        };
        if let Some(stopped) = stopped {
            let reached = stopped.time();
            match order {
                Order::Newest => covered.from = reached.clamp(from, to),
                Order::Oldest => covered.to = reached.clamp(from, to),
            }
        }
        covered
    }

    /// Seconds between its times.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64().max(0.0)
    }
}

/// What roll-ups are asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) group: Which,
    pub(super) roles: Vec<Role>,
}

/// Which groups of a kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Which {
    /// All, and those of others.
    All,
    /// The one with this value.
    Is(String),
    /// The ones with this value, in any case.
    IsInAnyCase(String),
    /// Those from this value to this one.
    Between(String, String),
}

impl Which {
    pub(super) fn has(&self, value: &str) -> bool {
        match self {
            Self::All => true,
            Self::Is(wanted) => value == wanted,
            Self::IsInAnyCase(wanted) => value.eq_ignore_ascii_case(wanted),
            Self::Between(first, last) => (first.as_str()..=last.as_str()).contains(&value),
        }
    }
}

/// What roll-ups know of the exchanges that a filter finds; None: nothing, there are no such.
pub(super) fn wanted(filter: &ExchangeFilter) -> Option<Wanted> {
    let ExchangeFilter {
        common,
        method,
        endpoint,
        host,
        target,
        status,
        outcome,
        role,
        min_latency_us,
        user_agent,
    } = filter;
    let is_known = common.ip.is_none()
        && common.dst_ip.is_none()
        && common.port.is_none()
        && common.session_id.is_none()
        && target.is_none()
        && outcome.is_none()
        && min_latency_us.is_none()
        && user_agent.is_none();
    if !is_known {
        return None;
    }
    let mut found: Vec<(Kind, Which)> = Vec::new();
    found.extend(
        method
            .clone()
            .map(|method| (Kind::Method, Which::Is(method))),
    );
    found.extend(
        endpoint
            .clone()
            .map(|endpoint| (Kind::Endpoint, Which::Is(endpoint))),
    );
    found.extend(
        host.clone()
            .map(|host| (Kind::Host, Which::IsInAnyCase(host))),
    );
    found.extend(
        common
            .src_ip
            .map(|ip| (Kind::Client, Which::Is(ip.to_string()))),
    );
    found.extend(status.clone().map(|status| {
        let text = |status: u16| format!("{status:03}");
        let (first, last) = (*status.start(), *status.end());
        (Kind::Status, Which::Between(text(first), text(last)))
    }));
    let (kind, group) = match found.len() {
        0 => (Kind::All, Which::All),
        1 => found.remove(0),
        _ => return None,
    };
    Some(Wanted {
        kind,
        group,
        roles: role.map_or(Role::ALL.to_vec(), |role| vec![role]),
    })
}

impl Question {
    /// The seconds that hold all of it.
    pub(crate) fn seconds(&self) -> (i64, i64) {
        let up = |time: Timestamp| {
            let us = time.as_microsecond();
            us.div_euclid(1_000_000) + i64::from(us.rem_euclid(1_000_000) > 0)
        };
        (
            self.from.as_microsecond().div_euclid(1_000_000),
            up(self.to),
        )
    }

    /// The whole minutes that hold all of it, as seconds.
    pub(super) fn minutes(&self) -> (i64, i64) {
        let (from, to) = self.seconds();
        let up = floor(to.saturating_add(MINUTE - 1), MINUTE);
        (floor(from, MINUTE), up)
    }

    /// The filter with the times of the question.
    pub(super) fn of_rows(&self) -> ExchangeFilter {
        let mut filter = self.filter.clone();
        filter.common.since = Some(self.from);
        filter.common.until = Some(self.to);
        filter
    }
}

/// The time of this second since 1970; the nearest that there is.
pub(super) fn time_of(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(match second {
        ..0 => Timestamp::MIN,
        _ => Timestamp::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Common;

    #[test]
    fn what_roll_ups_know() {
        let check = |filter: ExchangeFilter, kind: Option<Kind>| {
            assert_eq!(
                wanted(&filter).map(|wanted| wanted.kind),
                kind,
                "{filter:?}"
            );
        };
        let none = ExchangeFilter::default;
        check(none(), Some(Kind::All));
        let text = || Some("x".to_owned());
        check(
            ExchangeFilter {
                role: Some(Role::Client),
                ..none()
            },
            Some(Kind::All),
        );
        check(
            ExchangeFilter {
                host: text(),
                role: Some(Role::Client),
                ..none()
            },
            Some(Kind::Host),
        );
        check(
            ExchangeFilter {
                endpoint: text(),
                ..none()
            },
            Some(Kind::Endpoint),
        );
        check(
            ExchangeFilter {
                method: text(),
                ..none()
            },
            Some(Kind::Method),
        );
        check(
            ExchangeFilter {
                status: Some(500..=599),
                ..none()
            },
            Some(Kind::Status),
        );
        check(
            ExchangeFilter {
                status: Some(500..=599),
                method: text(),
                ..none()
            },
            None,
        );
        check(
            ExchangeFilter {
                target: text(),
                ..none()
            },
            None,
        );
        check(
            ExchangeFilter {
                user_agent: text(),
                ..none()
            },
            None,
        );
        let src_ip = "10.0.0.1".parse().ok();
        let common = Common {
            src_ip,
            ..Common::default()
        };
        check(ExchangeFilter { common, ..none() }, Some(Kind::Client));
        let common = Common {
            port: Some(1),
            ..Common::default()
        };
        check(ExchangeFilter { common, ..none() }, None);
    }

    #[test]
    fn which_groups() {
        let between = Which::Between("400".to_owned(), "499".to_owned());
        for (value, is_in) in [("400", true), ("499", true), ("500", false), ("399", false)] {
            assert_eq!(between.has(value), is_in, "{value}");
        }
        assert!(Which::IsInAnyCase("A.b".to_owned()).has("a.B"));
        assert!(!Which::Is("A.b".to_owned()).has("a.B"));
    }

    #[test]
    fn seconds_and_minutes_hold_all() {
        let question = |from: i64, to: i64| Question {
            filter: ExchangeFilter::default(),
            from: Timestamp::from_microsecond(from).unwrap(),
            to: Timestamp::from_microsecond(to).unwrap(),
            after: None,
        };
        assert_eq!(question(-1, 1).seconds(), (-1, 1));
        assert_eq!(question(-1, 1).minutes(), (-60, 60));
        assert_eq!(question(60_000_000, 120_000_000).seconds(), (60, 120));
        assert_eq!(question(60_000_000, 120_000_000).minutes(), (60, 120));
    }
}
