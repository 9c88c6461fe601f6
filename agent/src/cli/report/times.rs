//! Times as they are typed.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::ReportArguments;
use crate::analysis::run::Range;
use crate::config::parse_duration;
use crate::exit::UsageError;

/// The time that is asked for, and the one to compare with; what is relative is so to `now`.
pub(super) fn asked(
    arguments: &ReportArguments,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(Range, Option<Range>), UsageError> {
    let time = |flag: &str, text: &Option<String>| -> Result<Option<Timestamp>, UsageError> {
        let Some(text) = text else { return Ok(None) };
        let time = moment(text, now, zone);
        time.map(Some)
            .map_err(|what| UsageError(format!("{flag}: {what}")))
    };
    let (since, until) = (
        time("--since", &arguments.since)?,
        time("--until", &arguments.until)?,
    );
    ranges(since, until, arguments.compare.as_deref(), now, zone).map_err(UsageError)
}

/// A time like `2026-11-21T12:00:00Z`, `2026-11-21T12:00` or `2026-11-21` (of `zone`), or how long
/// before `now`, like `10m`.
fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    if let Ok(time) = civil
        && let Ok(time) = zone.to_timestamp(time)
    {
        return Ok(time);
    }
    parse_duration(text)
        .map(|ago| now.checked_sub(ago).unwrap_or(Timestamp::MIN))
        .map_err(|_refusal| {
            format!(
                "'{text}' must be a time like 2026-11-21T12:00:00Z or 2026-11-21, or how long ago, like 30s, 5m, 1h or 1d"
            )
        })
}

/// The time that is asked for, and the one to compare with.
///
/// With a duration, that is as long before; where no begin is asked for, the time asked for is the
/// last so long.
fn ranges(
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    compare: Option<&str>,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(Range, Option<Range>), String> {
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err("--since must be before --until".to_owned());
    }
    let asked = Range { since, until };
    let Some(text) = compare else {
        return Ok((asked, None));
    };
    if let Some((from, to)) = text.split_once('/') {
        let time = |text| moment(text, now, zone).map_err(|what| format!("--compare: {what}"));
        let before = Range {
            since: Some(time(from)?),
            until: Some(time(to)?),
        };
        if before.since >= before.until {
            return Err("--compare: the begin must be before the end".to_owned());
        }
        return Ok((asked, Some(before)));
    }
    let period = parse_duration(text)
        .ok()
        .and_then(|period| SignedDuration::try_from(period).ok())
        .ok_or_else(|| {
            format!("--compare: '{text}' must be a duration like 1h, 1d or 7d, or FROM/TO")
        })?;
    let until = until.unwrap_or(now);
    let earlier = |time: Timestamp| time.checked_sub(period).unwrap_or(Timestamp::MIN);
    let since = since.unwrap_or_else(|| earlier(until));
    Ok((
        Range {
            since: Some(since),
            until: Some(until),
        },
        Some(Range {
            since: Some(earlier(since)),
            until: Some(earlier(until)),
        }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn moments() {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let check = |text: &str, expected: Option<&str>| {
            let found = moment(text, now(), &zone).ok().map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("10m", Some("2026-11-21T11:50:00Z"));
        check("2026-11-21T13:00:00+02:00", Some("2026-11-21T11:00:00Z"));
        check("2026-11-21T13:00", Some("2026-11-21T04:00:00Z"));
        check("2026-11-21", Some("2026-11-20T15:00:00Z"));
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn what_is_compared() {
        let check =
            |since: Option<&str>, until: Option<&str>, compare: &str, expected: [&str; 4]| {
                let time = |text: Option<&str>| text.map(|text| text.parse().unwrap());
                let (asked, before) = ranges(
                    time(since),
                    time(until),
                    Some(compare),
                    now(),
                    &TimeZone::UTC,
                )
                .unwrap();
                let before = before.unwrap();
                let found = [asked.since, asked.until, before.since, before.until]
                    .map(|time| time.map_or_else(|| "-".to_owned(), |time| time.to_string()));
                assert_eq!(found, expected, "{compare}");
            };
        check(
            None,
            None,
            "1h",
            [
                "2026-11-21T11:00:00Z",
                "2026-11-21T12:00:00Z",
                "2026-11-21T10:00:00Z",
                "2026-11-21T11:00:00Z",
            ],
        );
        check(
            Some("2026-11-21T09:00:00Z"),
            None,
            "1d",
            [
                "2026-11-21T09:00:00Z",
                "2026-11-21T12:00:00Z",
                "2026-11-20T09:00:00Z",
                "2026-11-20T12:00:00Z",
            ],
        );
        check(
            None,
            None,
            "2026-11-19/2026-11-20",
            ["-", "-", "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"],
        );
        for bad in ["", "x", "1h/", "2026-11-20/2026-11-19"] {
            assert!(ranges(None, None, Some(bad), now(), &TimeZone::UTC).is_err());
        }
        assert!(ranges(Some(now()), Some(now()), None, now(), &TimeZone::UTC).is_err());
    }
}
