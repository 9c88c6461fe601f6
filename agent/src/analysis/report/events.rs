//! Records with a level: what programs write about themselves.

use serde::Serialize;

use super::series::Cell;
use super::table::{Named, Table};

/// Records with a level. Those that also have a status are counted as requests too.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Events {
    /// Records.
    pub records: u64,
    /// By level.
    pub levels: LevelCounts,
    /// By source, the most frequent first.
    pub sources: Table<NamedLevels>,
    /// By service, the most frequent first.
    pub services: Table<NamedLevels>,
    /// By error code, the most frequent first.
    pub codes: Table<Named>,
    /// By marks in their metadata (`threat_type=sql_injection`), the most frequent first.
    pub marks: Table<Named>,
    /// Messages of errors with numbers and names taken out, the most frequent first.
    pub messages: Table<NamedLevels>,
    /// The minutes, the earliest first: when it began (seconds since 1970), and its records by level.
    pub minutes: Vec<(i64, LevelCounts)>,
    /// The names that [`EventWindow::services`] count for. Not part of the JSON form.
    #[serde(skip)]
    pub service_names: Vec<String>,
    /// The names that [`EventWindow::marks`] count for: error codes and marks. Not part of the JSON
    /// form.
    #[serde(skip)]
    pub mark_names: Vec<String>,
    /// The records in the steps of [`Windows`](super::Windows), for detectors. Not part of the JSON
    /// form.
    #[serde(skip)]
    pub windows: Vec<EventWindow>,
}

/// Records by level.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct LevelCounts {
    /// TRACE and DEBUG.
    pub debug: u64,
    /// INFO and NOTICE.
    pub info: u64,
    /// WARN and WARNING.
    pub warning: u64,
    /// ERROR.
    pub error: u64,
    /// CRITICAL, FATAL and what is worse.
    pub critical: u64,
    /// Another level.
    pub other: u64,
}

impl LevelCounts {
    /// Errors and what is worse.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.error + self.critical
    }

    /// All.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.debug + self.info + self.warning + self.error + self.critical + self.other
    }
}

/// A value with its records by level.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NamedLevels {
    /// The value.
    pub value: String,
    /// Its records.
    pub records: u64,
    /// Its records by level.
    pub levels: LevelCounts,
}

/// The records of a step of time.
#[derive(Clone, Debug, Default)]
pub struct EventWindow {
    /// Its begin, in seconds since 1970.
    pub start_s: i64,
    /// Its records by level.
    pub levels: LevelCounts,
    /// Those whose duration is known.
    pub timed: u32,
    /// The sum of these durations.
    pub sum_us: f64,
    /// The same by service: the place in [`Events::service_names`], and what it wrote.
    pub services: Vec<(u16, Cell)>,
    /// Error codes and marks: the place in [`Events::mark_names`], and how often.
    pub marks: Vec<(u16, u32)>,
}
