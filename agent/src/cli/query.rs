//! What `tapline exchanges` and `tapline sessions` have in common: pages of rows, as a table or as
//! JSON, and the rows that come new.

use std::io::{self, StdoutLock, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::exit::Exit;
use crate::store::{Cursor, Follower, Order, Page, ReadError, Store};

/// Rows that are read at a time.
const PAGE: usize = 1000;
/// How often it is looked for what is new.
const POLL: Duration = Duration::from_millis(250);
/// A column grows with its values up to this many characters; longer values stand out.
const WIDTH_MOST: usize = 60;

/// What a query is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryArguments<F> {
    /// What is looked for.
    pub filter: F,
    /// Which rows come first. With `follow`: which rows are shown at first, the oldest of them first.
    pub order: Order,
    /// How many rows at most; `None`: all. With `follow`: before those that come new.
    pub limit: Option<usize>,
    /// Go on with what comes new.
    pub follow: bool,
    /// A JSON object a line instead of a table.
    pub json: bool,
}

/// Exchanges or sessions.
pub(super) trait Rows {
    type Filter;
    const HEADER: &'static [&'static str];

    fn page(
        store: &Store,
        filter: &Self::Filter,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError>;

    fn fresh(
        store: &mut Store,
        follower: &mut Follower,
        filter: &Self::Filter,
    ) -> Result<Page, ReadError>;

    /// Shows every row of a page.
    fn show(page: &Page, output: &mut Output) -> anyhow::Result<()>;
}

/// Shows the rows that were asked for.
///
/// # Errors
/// The store cannot be read, or the rows cannot be written.
pub(super) fn run<R: Rows>(
    directory: &Path,
    arguments: &QueryArguments<R::Filter>,
) -> anyhow::Result<Exit> {
    let QueryArguments {
        filter,
        order,
        limit,
        follow,
        json,
    } = arguments;
    let mut store = Store::open(directory)?;
    let mut output = Output::new(*json, R::HEADER);
    if *follow {
        // From here on: what is stored while the first rows are read is shown twice, not never.
        let mut follower = store.follow()?;
        let mut page = R::page(&store, filter, *order, None, limit.unwrap_or(usize::MAX))?;
        page.reverse();
        loop {
            R::show(&page, &mut output)?;
            output.end_page()?;
            std::thread::sleep(POLL);
            page = R::fresh(&mut store, &mut follower, filter)?;
            if follower.has_missed() {
                tracing::warn!("rows were passed over: more came than can be shown");
            }
        }
    }
    let mut left = limit.unwrap_or(usize::MAX);
    let mut after = None;
    while left > 0 {
        let asked = left.min(PAGE);
        let page = R::page(&store, filter, *order, after, asked)?;
        R::show(&page, &mut output)?;
        output.end_page()?;
        left -= page.len();
        after = page.next();
        if page.len() < asked {
            break;
        }
    }
    Ok(Exit::Done)
}

/// Standard output, as a table or as JSON.
pub(super) struct Output {
    stdout: StdoutLock<'static>,
    json: bool,
    zone: TimeZone,
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Output {
    fn new(json: bool, header: &[&str]) -> Self {
        Self {
            stdout: io::stdout().lock(),
            json,
            zone: TimeZone::system(),
            widths: vec![0; header.len()],
            rows: vec![header.iter().map(|name| (*name).to_owned()).collect()],
        }
    }

    /// Shows a record: the whole of it as JSON, or the cells as a row of the table.
    pub(super) fn row(
        &mut self,
        record: &impl Serialize,
        cells: impl FnOnce(&TimeZone) -> Vec<String>,
    ) -> anyhow::Result<()> {
        if self.json {
            let mut line = serde_json::to_vec(record).context("cannot write a record as JSON")?;
            line.push(b'\n');
            return self.write(&line);
        }
        let cells = cells(&self.zone);
        self.rows
            .push(cells.iter().map(|cell| clean(cell)).collect());
        Ok(())
    }

    /// Writes the rows so far; columns are as wide as the widest cell that was seen yet.
    fn end_page(&mut self) -> anyhow::Result<()> {
        let mut text = String::new();
        if !self.json {
            for row in &self.rows {
                for (width, cell) in self.widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.chars().count()).min(WIDTH_MOST);
                }
            }
            for row in self.rows.drain(..) {
                let mut line = String::new();
                for (cell, width) in row.iter().zip(&self.widths) {
                    line += &format!("{cell:<width$}  ");
                }
                text += line.trim_end();
                text.push('\n');
            }
        }
        self.write(text.as_bytes())?;
        self.stdout.flush().context("cannot write to stdout")
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stdout
            .write_all(bytes)
            .context("cannot write to stdout")
    }
}

/// The time in this zone, milliseconds cut.
pub(super) fn time_cell(time: Timestamp, zone: &TimeZone) -> String {
    let time = time.to_zoned(zone.clone());
    time.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}

/// Microseconds as milliseconds.
pub(super) fn milliseconds_cell(microseconds: Option<u64>) -> String {
    let cell = |microseconds: u64| format!("{}.{:03}", microseconds / 1000, microseconds % 1000);
    microseconds.map_or_else(dash, cell)
}

/// A value that may be missing.
pub(super) fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

fn dash() -> String {
    "-".to_owned()
}

/// The store may have been written by others: what could move a terminal's cursor is escaped.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            true => clean.extend(letter.escape_default()),
            false => clean.push(letter),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let time: Timestamp = "2026-11-21T12:27:47.3119Z".parse().unwrap();
        assert_eq!(time_cell(time, &TimeZone::UTC), "2026-11-21 12:27:47.311");
        assert_eq!(milliseconds_cell(Some(1_234_005)), "1234.005");
        assert_eq!(milliseconds_cell(None), "-");
        assert_eq!(cell(Some(404)), "404");
        assert_eq!(clean("a\x1b[2Jö\n"), "a\\u{1b}[2Jö\\n");
    }
}
