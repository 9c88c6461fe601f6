//! The flags of the queries: what is looked for, and how it is shown.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;

use super::ConfigFlags;
use super::values::{Text, one};
use crate::cli::query::QueryArguments;
use crate::config::{Key, Refusal, Setting, parse_duration};
use crate::http::exchange::record::{Outcome, Role};
use crate::session::identifier::Identifier;
use crate::session::record::Protocol;
use crate::store::{Common, ExchangeFilter, Order, SessionFilter};

pub(super) const EXCHANGES_HELP: &str = "\
Examples:
  tapline exchanges --since 10m --status 5xx
  tapline exchanges --host shop.example.com --target /api/ --min-latency 200ms
  tapline exchanges --follow --json | jq -r .target

Rows are the newest first unless --oldest is given, or --follow. Plain sqlite3 can read the databases
too, also while they are written: table exchanges, times in microseconds since 1970.";

pub(super) const SESSIONS_HELP: &str = "\
Examples:
  tapline sessions --ip 192.0.2.7 --protocol TCP
  tapline sessions --since 2026-11-21T12:00:00Z --until 2026-11-21T13:00:00Z --json
  tapline sessions --follow --conn-state REJ

Rows are the newest first unless --oldest is given, or --follow. Plain sqlite3 can read the databases
too, also while they are written: table sessions, times in microseconds since 1970.";

/// Flags of `tapline exchanges`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExchangesFlags {
    #[command(flatten)]
    pub(in crate::cli) show: ShowFlags,
    #[command(flatten)]
    common: CommonFilterFlags,
    /// Only this method
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Only this host, in any case
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only targets with this text in them
    #[arg(long, value_name = "TEXT")]
    target: Option<String>,
    /// Only these statuses: 404, 400-499 or 5xx
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<RangeInclusive<u16>>,
    /// Only what came to this end
    #[arg(long, value_name = "OUTCOME", value_parser = names(&Outcome::ALL.map(Outcome::name)))]
    outcome: Option<String>,
    /// Only where this host plays this part
    #[arg(long, value_name = "ROLE", value_parser = names(&Role::ALL.map(Role::name)))]
    role: Option<String>,
    /// Only what took this long until the response began: 500ms, 2s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    min_latency: Option<Duration>,
}

/// Flags of `tapline sessions`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SessionsFlags {
    #[command(flatten)]
    pub(in crate::cli) show: ShowFlags,
    #[command(flatten)]
    common: CommonFilterFlags,
    /// Only this protocol
    #[arg(long, value_name = "NAME", ignore_case = true,
        value_parser = names(&Protocol::ALL.map(Protocol::name)))]
    protocol: Option<String>,
    /// Only what lasted this long: 500ms, 2s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    min_duration: Option<Duration>,
    /// Only what ended so, in Zeek's words: SF, S0, REJ and so on
    #[arg(long, value_name = "STATE")]
    conn_state: Option<String>,
}

/// Where it is looked, and how it is shown.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowFlags {
    #[command(flatten)]
    pub(in crate::cli) config: ConfigFlags,
    /// Folder of the databases
    #[arg(long, value_name = "DIR", value_parser = Text(Key::StoreDir))]
    data_dir: Option<String>,
    /// How many rows at most; all: every one
    #[arg(long, value_name = "N", default_value = "100", value_parser = limit)]
    limit: Limit,
    /// The oldest first
    #[arg(long, conflicts_with = "follow")]
    oldest: bool,
    /// Go on with what comes new
    #[arg(long)]
    follow: bool,
}

/// What exchanges and sessions are both looked for by.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is looked for")]
struct CommonFilterFlags {
    /// Only what began then or later: a time like 2026-11-21T12:00:00Z, or how long ago, like 10m
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Only what began before then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// Only with this address at either end
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// Only with this port at either end
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Only this session: 32 hexadecimal digits
    #[arg(long, value_name = "ID")]
    session_id: Option<Identifier>,
}

/// A time as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    At(Timestamp),
    Ago(Duration),
}

/// How many rows; None: all.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<usize>);

impl ExchangesFlags {
    pub(in crate::cli) fn arguments(self, json: bool) -> QueryArguments<ExchangeFilter> {
        let filter = ExchangeFilter {
            common: self.common.filter(Timestamp::now()),
            method: self.method,
            host: self.host,
            target: self.target,
            status: self.status,
            outcome: value(&Outcome::ALL, Outcome::name, self.outcome.as_deref()),
            role: value(&Role::ALL, Role::name, self.role.as_deref()),
            min_latency_us: self.min_latency.map(microseconds),
            ..ExchangeFilter::default()
        };
        self.show.arguments(filter, json)
    }
}

impl SessionsFlags {
    pub(in crate::cli) fn arguments(self, json: bool) -> QueryArguments<SessionFilter> {
        let filter = SessionFilter {
            common: self.common.filter(Timestamp::now()),
            protocol: value(&Protocol::ALL, Protocol::name, self.protocol.as_deref()),
            min_duration_us: self.min_duration.map(microseconds),
            conn_state: self.conn_state,
            ..SessionFilter::default()
        };
        self.show.arguments(filter, json)
    }
}

impl ShowFlags {
    /// The settings that the flags stand for.
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        let dir = one(Key::StoreDir, "--data-dir", self.data_dir.as_deref());
        dir.into_iter().collect()
    }

    fn arguments<F>(&self, filter: F, json: bool) -> QueryArguments<F> {
        QueryArguments {
            filter,
            order: match self.oldest {
                true => Order::Oldest,
                false => Order::Newest,
            },
            limit: self.limit.0,
            follow: self.follow,
            json,
        }
    }
}

impl CommonFilterFlags {
    fn filter(&self, now: Timestamp) -> Common {
        Common {
            since: self.since.map(|moment| moment.time(now)),
            until: self.until.map(|moment| moment.time(now)),
            ip: self.ip,
            port: self.port,
            src_ip: None,
            dst_ip: None,
            session_id: self.session_id,
        }
    }
}

impl Moment {
    fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(duration) => now.checked_sub(duration).unwrap_or(Timestamp::MIN),
        }
    }
}

fn moment(text: &str) -> Result<Moment, Refusal> {
    if let Ok(time) = text.parse() {
        return Ok(Moment::At(time));
    }
    let refused = |_| {
        Refusal::new(
            "must be a time like 2026-11-21T12:00:00Z, or how long ago, like 500ms, 30s, 5m, 1h or 1d",
        )
    };
    parse_duration(text).map(Moment::Ago).map_err(refused)
}

fn limit(text: &str) -> Result<Limit, Refusal> {
    if text == "all" {
        return Ok(Limit(None));
    }
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .map(|number| Limit(Some(number)))
        .ok_or_else(|| Refusal::new("must be a number of rows, at least 1, or all"))
}

fn status(text: &str) -> Result<RangeInclusive<u16>, Refusal> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number <= 999);
    let range = if let Some(class) = text.strip_suffix("xx") {
        number(class)
            .filter(|class| (1..=9).contains(class))
            .map(|class| class * 100..=class * 100 + 99)
    } else if let Some((first, last)) = text.split_once('-') {
        number(first)
            .zip(number(last))
            .map(|(first, last)| first..=last)
            .filter(|range| !range.is_empty())
    } else {
        number(text).map(|status| status..=status)
    };
    range.ok_or_else(|| {
        Refusal::new("must be a status like 404, some like 400-499, or a class like 5xx")
    })
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn names(names: &[&'static str]) -> PossibleValuesParser {
    PossibleValuesParser::new(names.iter().copied())
}

fn value<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: Option<&str>) -> Option<T> {
    let text = text?;
    all.iter()
        .copied()
        .find(|value| name(*value).eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let check = |text: &str, expected: Option<RangeInclusive<u16>>| {
            assert_eq!(status(text).ok(), expected, "{text}");
        };
        check("404", Some(404..=404));
        check("400-499", Some(400..=499));
        check("5xx", Some(500..=599));
        for bad in [
            "", "xx", "0xx", "5x", "499-400", "1000", "-1", "4-", "99xx", "ok",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn moments() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let check = |text: &str, expected: Option<&str>| {
            let time = moment(text).ok().map(|moment| moment.time(now).to_string());
            assert_eq!(time.as_deref(), expected, "{text}");
        };
        check("10m", Some("2026-11-21T11:50:00Z"));
        check("2026-11-21T13:00:00+02:00", Some("2026-11-21T11:00:00Z"));
        check("36500d", Some("1926-12-16T12:00:00Z"));
        check("yesterday", None);
        check("", None);
    }
}
