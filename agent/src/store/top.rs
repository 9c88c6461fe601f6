//! Exchanges by what they have in common, from roll-ups or from rows.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use rusqlite::Row;

use super::answer::{Covered, Question, Wanted, wanted};
use super::rows::{self, Counted, MORE};
use super::scan::Stretch;
use super::{Order, ReadError, ReadFile, Store};
use crate::analysis::template::{Template, Templates};
use crate::sink::sqlite::groups::Kind;
use crate::sink::sqlite::groups::part::{self, Group, Merged};
use crate::sink::sqlite::tally::Tally;

/// Values that are told apart while rows are read.
const VALUES_MOST: usize = 20_000;
/// Places of path templates while rows are read.
const TEMPLATES: usize = 16_384;

/// What exchanges are grouped by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Method and path template.
    Endpoint,
    /// The Host.
    Host,
    /// The address of the client.
    Client,
    /// The method.
    Method,
    /// The status.
    Status,
    /// The hour of the day, UTC.
    Hour,
    /// The User-Agent.
    UserAgent,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Endpoint,
        Self::Host,
        Self::Client,
        Self::Method,
        Self::Status,
        Self::Hour,
        Self::UserAgent,
    ];

    /// The name in questions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Endpoint => Kind::Endpoint.name(),
            Self::Host => Kind::Host.name(),
            Self::Client => Kind::Client.name(),
            Self::Method => Kind::Method.name(),
            Self::Status => Kind::Status.name(),
            Self::UserAgent => Kind::UserAgent.name(),
        }
    }

    fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Hour => return None,
            Self::Endpoint => Kind::Endpoint,
            Self::Host => Kind::Host,
            Self::Client => Kind::Client,
            Self::Method => Kind::Method,
            Self::Status => Kind::Status,
            Self::UserAgent => Kind::UserAgent,
        })
    }
}

/// Groups of exchanges.
#[derive(Debug, Default)]
pub struct Top(pub(crate) Merged);

impl Store {
    /// The groups of what is asked for, and what they cover. `now`: what is newer is not there yet.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn top(
        &self,
        question: &Question,
        by: By,
        now: Timestamp,
    ) -> Result<(Top, Covered), ReadError> {
        let Some(kind) = by.kind() else {
            return self.by_hour(question, now);
        };
        if let (Some(wanted), None) = (wanted(&question.filter), question.after)
            && (wanted.kind == Kind::All || wanted.kind == kind)
        {
            let wanted = Wanted { kind, ..wanted };
            if let Some(answer) = self.top_of_groups(question, &wanted, now)? {
                return Ok(answer);
            }
        }
        self.top_of_rows(question, by, now)
    }

    fn by_hour(&self, question: &Question, now: Timestamp) -> Result<(Top, Covered), ReadError> {
        let (series, covered) = self.series(question, Some(3600), now)?;
        let mut merged = Merged::default();
        for (place, tally) in series.tallies.iter().enumerate() {
            if tally.exchanges() > 0 {
                let hour = series.from.div_euclid(3600).saturating_add(place as i64);
                let value = hour.rem_euclid(24).to_string();
                merged.group(&value).merge(tally);
            }
        }
        Ok((Top(merged), covered))
    }

    fn top_of_groups(
        &self,
        question: &Question,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<(Top, Covered)>, ReadError> {
        let range = question.minutes();
        let is_all = wanted.group == super::answer::Which::All;
        let mut merged = Merged::default();
        let mut may_be_other = false;
        self.groups(wanted, range, None, &mut |_time, data| {
            if is_all {
                return Ok(merged.add(data)?);
            }
            let (mut found, mut has_others) = (false, false);
            part::read::<super::roll_ups::Failed>(data, |group| {
                match group {
                    Group::Others(_) => has_others = true,
                    Group::Of(value, mut tally) if wanted.group.has(value) => {
                        found = true;
                        merged.group(value).merge_encoded(&mut tally)?;
                    }
                    Group::Of(..) => {}
                }
                Ok(())
            })?;
            may_be_other |= has_others && !found;
            Ok(())
        })?;
        if may_be_other {
            return Ok(None);
        }
        let covered = self.covered_by_groups(wanted.kind, range, now)?;
        Ok(Some((Top(merged), covered)))
    }

    fn top_of_rows(
        &self,
        question: &Question,
        by: By,
        now: Timestamp,
    ) -> Result<(Top, Covered), ReadError> {
        let columns = match by {
            By::Endpoint => ", method, target",
            By::Host => ", host",
            By::Client => ", src_ip",
            By::Method => ", method",
            By::Status | By::Hour => "",
            By::UserAgent => ", user_agent",
        };
        let query = question.of_rows().query();
        let mut looking = Looking {
            sql: rows::select(&query, columns),
            query: &query,
            by,
            fresh: Vec::new(),
            found: Found::default(),
        };
        let reach = self.scan(&query, Order::Newest, question.after, &mut looking)?;
        let to = match question.after {
            Some(after) => after.time().clamp(question.from, question.to),
            None => question.to.min(now).max(question.from),
        };
        let stopped = reach.cursor(Order::Newest);
        let covered = Covered::by_rows(question.from, to, Order::Newest, stopped);
        Ok((Top(looking.found.end()), covered))
    }
}

/// Groups rows.
struct Looking<'q> {
    query: &'q super::filter::Query,
    sql: String,
    by: By,
    /// Of the stretch that is looked at.
    fresh: Vec<(Place, Counted)>,
    found: Found,
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug)]
enum Place {
    Value(usize),
    Others,
}

/// The groups of rows so far.
#[derive(Debug)]
struct Found {
    places: HashMap<Box<str>, usize>,
    values: Vec<(Box<str>, Tally)>,
    others: Tally,
    templates: Templates,
    /// Endpoints by their templates; texts are made of them in the end.
    endpoints: HashMap<(usize, Template), usize>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            values: Vec::new(),
            others: Tally::default(),
            templates: Templates::new(TEMPLATES),
            endpoints: HashMap::new(),
        }
    }
}

impl Found {
    fn place(&mut self, value: &str) -> Place {
        if let Some(place) = self.places.get(value) {
            return Place::Value(*place);
        }
        if self.values.len() >= VALUES_MOST {
            return Place::Others;
        }
        let place = self.values.len();
        self.places.insert(value.into(), place);
        self.values.push((value.into(), Tally::default()));
        Place::Value(place)
    }

    /// The place of an endpoint, named by its method until the end.
    fn endpoint(&mut self, method: &str, target: &str) -> Place {
        let mut template = self.templates.place(target.as_bytes());
        if self.templates.has_merged() {
            self.merge_templates();
            template = self.templates.place(target.as_bytes());
            self.merge_templates();
        }
        // Methods are values without a tally of their own.
        let Place::Value(method_place) = self.place(method) else {
            return Place::Others;
        };
        if template == Template::OTHER {
            return Place::Others;
        }
        if let Some(place) = self.endpoints.get(&(method_place, template)) {
            return Place::Value(*place);
        }
        if self.values.len() >= VALUES_MOST {
            return Place::Others;
        }
        let place = self.values.len();
        self.values.push((method.into(), Tally::default()));
        self.endpoints.insert((method_place, template), place);
        Place::Value(place)
    }

    fn merge_templates(&mut self) {
        for (from, into) in self.templates.take_merged() {
            let gone: Vec<(usize, Template)> = self
                .endpoints
                .keys()
                .filter(|(_, template)| *template == from)
                .copied()
                .collect();
            for key in gone {
                let Some(old) = self.endpoints.remove(&key) else {
                    continue;
                };
                let new = *self.endpoints.entry((key.0, into)).or_insert(old);
                if new != old {
                    let tally = std::mem::take(&mut self.values[old].1);
                    self.values[new].1.merge(&tally);
                }
            }
        }
    }

    fn add(&mut self, place: Place, counted: &Counted) {
        let tally = match place {
            Place::Value(place) => self.values.get_mut(place).map(|(_, tally)| tally),
            Place::Others => None,
        };
        tally.unwrap_or(&mut self.others).add(&counted.addend);
    }

    fn end(self) -> Merged {
        let mut merged = Merged {
            others: self.others,
            ..Merged::default()
        };
        let mut names: HashMap<usize, String> = HashMap::new();
        for ((_, template), place) in &self.endpoints {
            let name = self.templates.name(*template);
            names.insert(*place, format!("{} {name}", self.values[*place].0));
        }
        for (place, (value, tally)) in self.values.iter().enumerate() {
            if tally.exchanges() > 0 {
                let name = names.get(&place).map_or(&**value, String::as_str);
                merged.group(name).merge(tally);
            }
        }
        merged
    }
}

impl Looking<'_> {
    fn place(found: &mut Found, by: By, row: &Row<'_>) -> rusqlite::Result<Option<Place>> {
        let text = |index: usize| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str_or_null()?);
        Ok(match by {
            By::Endpoint => match (text(MORE)?, text(MORE + 1)?) {
                (Some(method), Some(target)) => Some(found.endpoint(method, target)),
                _ => None,
            },
            By::Status | By::Hour => {
                let status: Option<u16> = row.get(3)?;
                status.map(|status| found.place(&format!("{status:03}")))
            }
            By::Host | By::Client | By::Method | By::UserAgent => {
                text(MORE)?.map(|value| found.place(value))
            }
        })
    }
}

impl Stretch for Looking<'_> {
    fn look(&mut self, file: &ReadFile, keys: &RangeInclusive<i64>) -> Result<(), ReadError> {
        let Self { found, fresh, .. } = self;
        let by = self.by;
        rows::each(file, self.query, &self.sql, keys, |row| {
            if let Some(place) = Self::place(found, by, row)? {
                fresh.push((place, Counted::of(row)?));
            }
            Ok(())
        })
    }

    fn undo(&mut self) {
        self.fresh.clear();
    }

    fn keep(&mut self) -> bool {
        for (place, counted) in self.fresh.drain(..) {
            self.found.add(place, &counted);
        }
        false
    }
}
