//! What a selftest came to: a row for each shape and hook, as a table and as JSON; and what of it is kept.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::keep::Kept;
use super::score::{LOAD, STRAY, Score};

/// What a selftest came to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The version of the program.
    pub version: String,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// What the frames were made from.
    pub seed: u64,
    /// Whether everything is right wherever nothing was lost on the wire.
    pub passed: bool,
    /// By hook, then by shape.
    pub rows: Vec<Row>,
}

/// How frames pass the hook.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// They come in from the cable, both sides of each conversation; of `load` the requests, by IPv4, and its answers
    /// go out.
    In,
    /// The host sends them, both sides of each conversation; of `load` the requests, by IPv6, and its answers come in.
    Out,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// One shape at one hook.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// `tc`, `socket`, `xdp`, or `read`: no hook, a capture file.
    pub hook: String,
    /// How its frames passed; `None`: in a file.
    #[serde(default)]
    pub way: Option<Way>,
    /// The shape; `load`: requests over real connections; `stray`: what belongs to none.
    pub shape: String,
    /// Of what was sent, the part that was written as it is.
    pub recall: f64,
    /// Of what was written, the part that was sent.
    pub precision: f64,
    /// Of that, the part with the right letters.
    pub role_accuracy: f64,
    /// The counts behind them.
    #[serde(flatten)]
    pub score: Score,
    /// Half of the times to the head of a response (of `load` to its end) are off by no more, in
    /// microseconds,
    #[serde(default)]
    pub off_p50_us: Option<u64>,
    /// and 99 of 100.
    #[serde(default)]
    pub off_p99_us: Option<u64>,
    /// Records that the capture lost, by its own account (of the whole hook).
    pub lost: u64,
    /// Whether the account of the capture closes (of the whole hook); `None`: there is none, as of a file.
    #[serde(default)]
    pub ledger_closed: Option<bool>,
    /// Whether the row is as it should be.
    pub passed: bool,
}

/// The account of a hook.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) lost: u64,
    pub(super) ledger_closed: Option<bool>,
}

impl Row {
    pub(super) fn new(
        hook: &str,
        way: Option<Way>,
        shape: &str,
        score: Score,
        closing: Closing,
    ) -> Self {
        let is_whole = score.right == score.sent
            && score.wrong == 0
            && score.cut_missed == 0
            && score.roles_right == score.right
            && score.exchanges_right == score.exchanges
            && score.sessions_right == score.sessions
            && score.strays == 0
            && score.failed == 0
            && (shape != LOAD || score.sent > 0);
        let is_closed = closing.ledger_closed.unwrap_or(closing.lost == 0);
        Self {
            hook: hook.to_owned(),
            way,
            shape: shape.to_owned(),
            recall: score.recall(),
            precision: score.precision(),
            role_accuracy: score.role_accuracy(),
            off_p50_us: score.off(0.5),
            off_p99_us: score.off(0.99),
            lost: closing.lost,
            ledger_closed: closing.ledger_closed,
            passed: is_closed && is_whole,
            score,
        }
    }
}

impl Report {
    /// What of it is kept.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let rows = || self.rows.iter();
        let least = |of: fn(&Row) -> f64| rows().map(of).fold(1.0, f64::min);
        let mut hooks: Vec<String> = rows().map(|row| row.hook.clone()).collect();
        hooks.dedup();
        let is_shape = |row: &&Row| row.shape != LOAD && row.shape != STRAY;
        let mut shapes: Vec<String> = rows()
            .filter(is_shape)
            .map(|row| row.shape.clone())
            .collect();
        shapes.sort_unstable();
        shapes.dedup();
        Kept {
            version: self.version.clone(),
            at: self.at,
            hooks,
            shapes,
            load: rows().any(|row| row.shape == LOAD),
            sent: rows().map(|row| row.score.sent).sum(),
            written: rows()
                .map(|row| row.score.written - row.score.cut_found)
                .sum(),
            recall: least(|row| row.recall),
            precision: least(|row| row.precision),
            passed: self.passed,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:<7} {:<4} {:<14} {:>8} {:>8} {:>9} {:>6} {:>13} {:>11} {:>8} {:>8} {:>7}  ledger",
            "hook",
            "way",
            "shape",
            "sent",
            "recall",
            "precision",
            "roles",
            "exchanges",
            "sessions",
            "p50 us",
            "p99 us",
            "lost"
        )?;
        for row in &self.rows {
            let score = &row.score;
            let of = |right: u64, all: u64| format!("{right}/{all}");
            let time =
                |time: Option<u64>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            let partial = match score.cut {
                0 => String::new(),
                cut => format!(
                    "; {cut} heads cut on the wire, {} written as partial",
                    score.cut_found
                ),
            };
            let missed = match score.cut_missed {
                0 => String::new(),
                missed => format!(", {missed} missed"),
            };
            let strays = match score.strays {
                0 => String::new(),
                strays => format!("; {strays} exchanges and sessions stored that nobody sent"),
            };
            let failed = match score.failed {
                0 => String::new(),
                failed => format!("; {failed} requests of the load failed"),
            };
            writeln!(
                formatter,
                "{:<7} {:<4} {:<14} {:>8} {:>8.4} {:>9.4} {:>6.3} {:>13} {:>11} {:>8} {:>8} {:>7}  {}{partial}{missed}{strays}{failed}{}",
                row.hook,
                row.way.map_or("-", Way::name),
                row.shape,
                score.sent,
                row.recall,
                row.precision,
                row.role_accuracy,
                of(score.exchanges_right, score.exchanges),
                of(score.sessions_right, score.sessions),
                time(row.off_p50_us),
                time(row.off_p99_us),
                row.lost,
                match row.ledger_closed {
                    Some(true) => "closed",
                    Some(false) => "OPEN",
                    None => "-",
                },
                if row.passed { "" } else { "  WRONG" },
            )?;
        }
        for row in self.rows.iter().filter(|row| !row.passed) {
            for example in &row.score.examples {
                let way = row.way.map_or("", Way::name);
                writeln!(formatter, "{} {way} {}: {example}", row.hook, row.shape)?;
            }
        }
        let verdict = match self.passed {
            true => "passed: everything that was on the wire was written as it was",
            false => "FAILED",
        };
        writeln!(
            formatter,
            "{verdict}; {:.1} s, seed={}",
            self.seconds, self.seed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_passes_only_where_all_is_right() {
        let check = |shape: &str, change: fn(&mut Score), ledger_closed, lost, passes: bool| {
            let mut score = Score {
                sent: 2,
                right: 2,
                written: 2,
                roles_right: 2,
                ..Score::default()
            };
            change(&mut score);
            let closing = Closing {
                lost,
                ledger_closed,
            };
            let row = Row::new("tc", Some(Way::In), shape, score, closing);
            assert_eq!(row.passed, passes, "{row:?}");
            row
        };
        let _right = check("lossy", |_| {}, Some(true), 0, true);
        let _open = check("lossy", |_| {}, Some(false), 0, false);
        // What was whole on the wire must be there, whatever else was lost of the connection.
        let _missed = check("lossy", |score| score.right = 1, Some(true), 0, false);
        let _cut = check("lossy", |score| score.cut_missed = 1, Some(true), 0, false);
        let _invented = check("lossy", |score| score.wrong = 1, Some(true), 0, false);
        let _stray = check("plain", |score| score.strays = 1, Some(true), 0, false);
        let _failed = check(LOAD, |score| score.failed = 1, Some(true), 0, false);
        let nothing = |score: &mut Score| *score = Score::default();
        let _nothing = check(LOAD, nothing, Some(true), 0, false);
        let _of_datagrams = check("datagrams", nothing, Some(true), 0, true);
        let _lost = check("plain", |_| {}, None, 1, false);
        let row = check("plain", |_| {}, None, 0, true);
        let missed = check("lossy", |score| score.right = 1, Some(true), 0, false);
        let report = Report {
            version: "1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            seconds: 1.0,
            seed: 1,
            passed: true,
            rows: vec![row, missed],
        };
        assert!(report.to_string().contains("  -\n"), "{report}");
        let kept = report.kept();
        assert_eq!((kept.recall, kept.sent, kept.written), (0.5, 4, 4));
        assert_eq!(kept.shapes, ["lossy", "plain"]);
    }
}
