//! Roll-ups by what exchanges have in common: endpoint, host, client, user agent, method, status. So a
//! question about a day reads some dozens of rows, not millions.
//!
//! ```text
//! records ─► this minute's groups, in memory ─► a row a minute ─► ten minutes ─► an hour ─► a day
//!                                    once a second, with what else is stored
//! ```
//!
//! A row of `exchange_groups` holds all groups of one kind, role and period as bytes ([`part`]): one
//! row a value would cost the writer many times as much. A minute's row is written anew as long as
//! records come for it. Longer periods are made of shorter ones when those are over; where a late record
//! changes a minute, the longer rows that hold it are deleted and made again. So each row is either right or not there, and whoever
//! reads takes the longest rows that there are.
//!
//! What is not written yet is not lost by a crash: `group_state` says up to which transaction rows are
//! counted, and what came later is counted again when the file is opened ([`write`]).

mod fill;
pub(crate) mod part;
mod recent;
pub(crate) mod slowest;
mod write;
mod written;

pub(super) use fill::fill;
pub(super) use recent::Groups;
pub(super) use write::close_all;

use crate::http::exchange::record::Role;

/// Seconds of the periods that have rows, the shortest first.
pub(crate) const PERIODS: [i64; 4] = [MINUTE, 600, 3600, 86_400];
pub(crate) const MINUTE: i64 = 60;

/// Groups of a kind and period that are kept apart; the rest is one group, of others.
pub(crate) const VALUES_MOST: usize = 500;

/// Bytes of a value at most; an exchange with a longer one counts for others.
pub(crate) const VALUE_BYTES: usize = 1024;

/// What exchanges are grouped by. One without the value is in no group.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// All of them are one group, whose value is empty.
    All,
    /// Method and path template.
    Endpoint,
    /// The Host.
    Host,
    /// The address of the client.
    Client,
    /// The User-Agent.
    UserAgent,
    /// The method.
    Method,
    /// The status, of three digits.
    Status,
    /// Not groups: the keys of the slowest exchanges.
    Slowest,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::All,
        Self::Endpoint,
        Self::Host,
        Self::Client,
        Self::UserAgent,
        Self::Method,
        Self::Status,
        Self::Slowest,
    ];

    /// The name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Endpoint => "endpoint",
            Self::Host => "host",
            Self::Client => "client",
            Self::UserAgent => "user_agent",
            Self::Method => "method",
            Self::Status => "status",
            Self::Slowest => "slowest",
        }
    }
}

/// Which row of groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Key {
    pub(crate) period: i64,
    /// The first second of the period.
    pub(crate) time: i64,
    pub(crate) kind: Kind,
    pub(crate) role: Role,
}

/// The first second of the period of this length that holds this second.
pub(crate) const fn floor(second: i64, period: i64) -> i64 {
    second.saturating_sub(second.rem_euclid(period))
}
