//! Values of fields, as they are read from JSON.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;

use super::{Checked, DAYS_MOST, time};
use crate::session::identifier::Identifier;
use crate::session::record::Protocol;
use crate::sink::sqlite::names::Day;

/// A value, or one word for what is wrong with it and a sentence.
pub(super) type Answer<T> = Result<T, (&'static str, String)>;

impl Checked<'_> {
    pub(super) fn protocol(&mut self, json: &str) -> Answer<Protocol> {
        let text = text(json)?;
        let found = Protocol::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| {
            let msg = "Input should be 'TCP', 'UDP' or 'ICMP'";
            ("enum", msg.to_owned())
        })
    }

    pub(super) fn address(&mut self, json: &str) -> Answer<IpAddr> {
        parsed(json, "ip_any_address", "an IPv4 or IPv6 address")
    }

    pub(super) fn identifier(&mut self, json: &str) -> Answer<Identifier> {
        parsed(json, "identifier", "32 hexadecimal digits")
    }

    pub(super) fn port(&mut self, json: &str) -> Answer<u16> {
        let port = number(json, u64::from(u16::MAX))?;
        Ok(u16::try_from(port).unwrap_or(u16::MAX))
    }

    pub(super) fn number32(&mut self, json: &str) -> Answer<u32> {
        let number = number(json, u64::from(u32::MAX))?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// The database has numbers with a sign.
    pub(super) fn count(&mut self, json: &str) -> Answer<u64> {
        number(json, i64::MAX as u64)
    }

    pub(super) fn truth(&mut self, json: &str) -> Answer<bool> {
        let truth = json.parse();
        truth.map_err(|_neither| ("bool_type", "Input should be true or false".to_owned()))
    }

    pub(super) fn moment(&mut self, json: &str) -> Answer<Timestamp> {
        time(&text(json)?).ok_or_else(|| {
            let msg = "Input should be a time like 2026-01-31T12:00:00Z";
            ("datetime_parsing", msg.to_owned())
        })
    }

    /// When a session began, which says in which database it stands. One of Tapline's own may have
    /// lasted longer than records are kept: it goes to the first day that there is.
    pub(super) fn start(&mut self, json: &str, is_ours: bool) -> Answer<Timestamp> {
        let time = self.moment(json)?;
        let day = Day::of(time.as_microsecond());
        let today = Day::of(self.rules.now.as_microsecond());
        if day.0 > today.0 + 1 {
            let msg = "Input should not be later than tomorrow by the clock of this host";
            return Err(("datetime_future", msg.to_owned()));
        }
        if let Some(days) = self.rules.retain_days
            && !is_ours
            && day.0 < today.0 - i64::from(days)
        {
            let msg = format!(
                "Input should not be older than what is kept: {days} days (store.retain.days)"
            );
            return Err(("datetime_past", msg));
        }
        if !self.days.contains(&day) {
            if self.days.len() == DAYS_MOST {
                let msg = format!("The records of a body should be of {DAYS_MOST} days at most");
                return Err(("too_many_days", msg));
            }
            self.days.push(day);
        }
        Ok(time)
    }
}

pub(super) fn text(json: &str) -> Answer<Cow<'_, str>> {
    let plain = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains('\\'));
    if let Some(plain) = plain {
        return Ok(Cow::Borrowed(plain));
    }
    let read = serde_json::from_str(json).map(Cow::Owned);
    read.map_err(|_other| ("string_type", "Input should be a valid string".to_owned()))
}

fn parsed<T: FromStr>(json: &str, kind: &'static str, what: &str) -> Answer<T> {
    let text = text(json)?;
    let parsed = text.parse();
    parsed.map_err(|_other| (kind, format!("Input should be {what}")))
}

/// A whole number from 0 to `most`, written without point or exponent.
pub(super) fn number(json: &str, most: u64) -> Answer<u64> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let msg = "Input should be a whole number, written as one";
        return Err(("int_type", msg.to_owned()));
    }
    if json != digits && digits != "0" {
        let msg = "Input should be greater than or equal to 0";
        return Err(("greater_than_equal", msg.to_owned()));
    }
    let number = digits.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| {
        (
            "less_than_equal",
            format!("Input should be less than or equal to {most}"),
        )
    })
}
