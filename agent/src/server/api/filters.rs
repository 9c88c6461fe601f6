//! The filters that every answer about exchanges takes, and the time that it is about. Pure.

use jiff::{SignedDuration, Timestamp};

use super::logs::behind;
use super::parameters::Parameters;
use super::record::time;
use super::refusal::Refusal;
use crate::http::exchange::record::{Outcome, Role};
use crate::session::record::Protocol;
use crate::store::{Common, Cursor, ExchangeFilter, Order, Pinned, Question, SessionFilter};

/// Names of parameters: these, and those of the filters of exchanges.
macro_rules! with_exchange_filters {
    ($($name:literal),*) => {
        &[
            $($name,)*
            "start_time", "end_time", "ip", "src_ip", "dst_ip", "port", "session_id", "method", "endpoint",
            "host", "target", "status", "outcome", "role", "min_latency_us", "user_agent",
        ]
    };
}

/// Names of parameters: these, and those of the filters of sessions.
macro_rules! with_session_filters {
    ($($name:literal),*) => {
        &[
            $($name,)*
            "start_time", "end_time", "ip", "src_ip", "dst_ip", "port", "session_id", "protocol",
            "conn_state", "min_duration_us", "cpu", "cpus",
        ]
    };
}

pub(in crate::server) use with_exchange_filters;
pub(super) use with_session_filters;

/// What is asked about where no time is given, in seconds.
const LATELY: i64 = 15 * 60;

const ADDRESS: &str = "an IPv4 or IPv6 address";
const IDENTIFIER: &str = "32 hexadecimal digits";

fn common(parameters: &mut Parameters) -> Common {
    let since = parameters.time("start_time");
    let until = parameters.read("end_time", "a time that is not before start_time", |text| {
        time(text).filter(|until| since.is_none_or(|since| *until >= since))
    });
    Common {
        since,
        until: until.map(behind),
        ip: parameters.parsed("ip", ADDRESS),
        src_ip: parameters.parsed("src_ip", ADDRESS),
        dst_ip: parameters.parsed("dst_ip", ADDRESS),
        port: parameters.number("port", 0, u16::MAX),
        session_id: parameters.parsed("session_id", IDENTIFIER),
    }
}

/// Takes the filters of exchanges.
pub(in crate::server) fn exchanges(parameters: &mut Parameters) -> ExchangeFilter {
    ExchangeFilter {
        common: common(parameters),
        method: parameters.text("method"),
        endpoint: parameters.text("endpoint"),
        host: parameters.text("host"),
        target: parameters.text("target"),
        status: parameters.read("status", "a status like 404, 400-499 or 5xx", status),
        outcome: parameters.word("outcome", &Outcome::ALL, Outcome::name),
        role: parameters.word("role", &Role::ALL, Role::name),
        min_latency_us: parameters.number("min_latency_us", 0, u64::MAX),
        user_agent: parameters.text("user_agent"),
    }
}

/// Takes the filters of sessions.
pub(super) fn sessions(parameters: &mut Parameters) -> SessionFilter {
    SessionFilter {
        common: common(parameters),
        protocol: parameters.word("protocol", &Protocol::ALL, Protocol::name),
        min_duration_us: parameters.number("min_duration_us", 0, u64::MAX),
        conn_state: parameters
            .word("conn_state", &super::record::STATES, |state| state)
            .map(str::to_owned),
        cpu: parameters.number("cpu", 0, u32::MAX),
        cpus_differ: parameters.word("cpus", &[true, false], |differ| match differ {
            true => "differ",
            false => "same",
        }),
    }
}

/// Takes what an answer is about: the filters, and the last minutes where no time is given.
pub(super) fn question(parameters: &mut Parameters, now: Timestamp) -> Question {
    let filter = exchanges(parameters);
    let after: Option<Pinned> = parameters.parsed("after", "the next of another answer");
    let to = filter.common.until.unwrap_or(now);
    let lately = to
        .checked_sub(SignedDuration::from_secs(LATELY))
        .unwrap_or(to);
    let from = filter.common.since.unwrap_or(lately);
    // Where a search goes on, its times are those with which it began.
    let (from, to) = after.map_or((from, to), |after| (after.from(), after.to()));
    Question {
        from,
        to: to.max(from),
        filter,
        after,
    }
}

/// Takes the place to go on from.
pub(super) fn cursor(parameters: &mut Parameters) -> Option<Cursor> {
    parameters.parsed("after", "the next of another answer")
}

/// Takes which end of time comes first.
pub(super) fn order(parameters: &mut Parameters) -> Order {
    let order = parameters.word(
        "order",
        &[Order::Newest, Order::Oldest],
        |order| match order {
            Order::Newest => "newest",
            Order::Oldest => "oldest",
        },
    );
    order.unwrap_or(Order::Newest)
}

/// Takes an identifier out of the path.
pub(super) fn identifier(
    text: &str,
    name: &'static str,
) -> Result<crate::session::identifier::Identifier, Refusal> {
    use super::refusal::{Place, Wrong};
    text.parse().map_err(|_other| {
        Refusal::Values(vec![Wrong {
            kind: "identifier",
            loc: vec![Place::Name("path"), Place::Name(name)],
            msg: format!("Input should be {IDENTIFIER}"),
            input: None,
        }])
    })
}

/// `404`, `400-499` or `5xx`.
fn status(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let number = |text: &str| -> Option<u16> {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    if let Some((from, to)) = text.split_once('-') {
        return Some(number(from)?..=number(to)?);
    }
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok()?;
        if !(1..=9).contains(&class) || text.len() != 3 {
            return None;
        }
        return Some(class * 100..=class * 100 + 99);
    }
    let one = number(text)?;
    Some(one..=one)
}
