//! For how many days the requests of logs are stored: those before today, and of logs that ended long
//! ago as many before their last line. Who looks at an old log wants to see it.

use std::path::PathBuf;

use jiff::Timestamp;

use super::engine::Counting;
use super::patterns;
use crate::analysis::run::last_of;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// How many days before `now` are stored where `days` are asked for.
#[must_use]
pub fn days(names: &[PathBuf], counting: &Counting, days: u32, now: Timestamp) -> u32 {
    let files = patterns::files(names);
    let last = last_of(&files, counting.format.as_ref(), &counting.zone, now);
    let age_s = last.map_or(0, |last| now.as_second().saturating_sub(last.as_second()));
    let age = u32::try_from(age_s / DAY_S).unwrap_or_default();
    days.saturating_add(age)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn check(logs: &[(&str, &str)], names: &[&str], expected: u32) {
        let folder = tempfile::tempdir().unwrap();
        for (name, date) in logs {
            let line = |time| format!("{date}T{time}Z GET /a 200 12ms\n");
            // The last line need not be the latest.
            let text = [line("11:59:59"), line("12:00:01"), line("12:00:00")];
            fs::write(folder.path().join(name), text.concat()).unwrap();
        }
        let names: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        let found = days(&names, &Counting::default(), 14, NOW.parse().unwrap());
        assert_eq!(found, expected, "{logs:?}");
    }

    #[test]
    fn an_old_log_is_kept_back_from_its_end() {
        check(&[("a.log", "2026-11-22")], &["a.log"], 14);
        check(&[("a.log", "2026-11-12")], &["a.log"], 14 + 9);
        check(&[("a.log", "1995-07-01")], &["a.log"], 14 + 11_466);
        // The one that ended last; what was put away is not looked at.
        let two = [("a.log", "2025-11-22"), ("b.log", "2026-11-20")];
        check(&two, &["a.log", "b.log"], 14 + 1);
        check(&two, &["*.log"], 14 + 1);
        let rotated = [("a.log", "2025-11-22"), ("a.log.1", "2026-11-20")];
        check(&rotated, &["a.log*"], 14 + 364);
        // The future is no end, and what is not there has none.
        check(&[("a.log", "2027-11-22")], &["a.log"], 14);
        check(&[], &["a.log", "*.log"], 14);
    }
}
