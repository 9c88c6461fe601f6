//! Records of programs, by level, service, error code and mark.

use super::finish::table;
use super::keyed::{Hashes, Keyed, Tallied};
use super::series::{Step, cell_at, merge_cell};
use super::tallies::Tally;
use crate::analysis::format::{Entry, Event};
use crate::analysis::report::{Cell, EventWindow, Events, LevelCounts, Named, NamedLevels, Table};

/// Services and marks that have a number for windows.
const NUMBERS: usize = 64;
/// Bytes of a message that are looked at.
const MESSAGE: usize = 120;

/// What is counted for a service, a source or a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Levels {
    levels: LevelCounts,
    number: Option<u8>,
}

impl Tallied for Levels {
    fn weight(&self) -> u64 {
        self.levels.records()
    }

    fn absorb(&mut self, other: &Self) {
        merge_levels(&mut self.levels, &other.levels);
    }
}

/// What is counted for an error code or a mark.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    tally: Tally,
    number: Option<u8>,
}

impl Tallied for Mark {
    fn weight(&self) -> u64 {
        self.tally.requests
    }

    fn absorb(&mut self, other: &Self) {
        self.tally.absorb(&other.tally);
    }
}

/// The records of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventStep {
    levels: LevelCounts,
    timed: u32,
    sum_us: f64,
    services: Vec<Cell>,
    marks: Vec<u32>,
}

impl EventStep {
    /// Counts what another one did, whose numbers are the same.
    pub(crate) fn merge(&mut self, other: &Self) {
        merge_levels(&mut self.levels, &other.levels);
        self.timed = self.timed.saturating_add(other.timed);
        self.sum_us += other.sum_us;
        for (index, cell) in other.services.iter().enumerate() {
            merge_cell(cell_at(&mut self.services, index), cell);
        }
        if self.marks.len() < other.marks.len() {
            self.marks.resize(other.marks.len(), 0);
        }
        for (own, other) in self.marks.iter_mut().zip(&other.marks) {
            *own = own.saturating_add(*other);
        }
    }

    /// The same with the numbers that another one gives.
    pub(crate) fn renumber(&mut self, services: &[Option<u8>], marks: &[Option<u8>]) {
        let mut own = Vec::new();
        for (index, cell) in self.services.iter().enumerate() {
            if let Some(Some(number)) = services.get(index) {
                merge_cell(cell_at(&mut own, usize::from(*number)), cell);
            }
        }
        self.services = own;
        let mut own = Vec::new();
        for (index, count) in self.marks.iter().enumerate() {
            if let Some(Some(number)) = marks.get(index) {
                *count_at(&mut own, usize::from(*number)) += count;
            }
        }
        self.marks = own;
    }
}

fn count_at(counts: &mut Vec<u32>, index: usize) -> &mut u32 {
    if index >= counts.len() {
        counts.resize(index + 1, 0);
    }
    &mut counts[index]
}

/// All records.
#[derive(Clone, Debug)]
pub(crate) struct EventTotals {
    levels: LevelCounts,
    sources: Keyed<Levels>,
    services: Keyed<Levels>,
    codes: Keyed<Mark>,
    marks: Keyed<Mark>,
    messages: Keyed<Levels>,
    service_names: Vec<Box<[u8]>>,
    mark_names: Vec<Box<[u8]>>,
    text: Vec<u8>,
}

impl EventTotals {
    pub(crate) fn new() -> Self {
        Self {
            levels: LevelCounts::default(),
            sources: Keyed::new(1000, 64 << 10, 128),
            services: Keyed::new(1000, 64 << 10, 128),
            codes: Keyed::new(1000, 64 << 10, 128),
            marks: Keyed::new(1000, 64 << 10, 128),
            messages: Keyed::new(2000, 256 << 10, MESSAGE),
            service_names: Vec::new(),
            mark_names: Vec::new(),
            text: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.levels.records() == 0
    }

    /// Counts a record; `step`: what comes at its time.
    pub(crate) fn add(
        &mut self,
        hashes: &Hashes,
        entry: &Entry<'_>,
        event: &Event<'_>,
        step: Option<&mut Step>,
    ) {
        let level = Level::of(event.level);
        level.count(&mut self.levels);
        if !event.source.is_empty() {
            let source = &mut self.sources.slot(hashes, event.source).0.value;
            level.count(&mut source.levels);
        }
        let mut service = None;
        if !event.service.is_empty() {
            let names = &mut self.service_names;
            let slot = &mut self.services.slot(hashes, event.service).0.value;
            level.count(&mut slot.levels);
            slot.number = slot.number.or_else(|| number(names, event.service));
            service = slot.number;
        }
        let mut marked = [None; 2];
        if !event.code.is_empty() {
            let slot = &mut self.codes.slot(hashes, event.code).0.value;
            slot.tally.requests += 1;
            slot.number = slot
                .number
                .or_else(|| number(&mut self.mark_names, event.code));
            marked[0] = slot.number;
        }
        if !event.mark.1.is_empty() {
            self.text.clear();
            for part in [event.mark.0, b"=", event.mark.1] {
                self.text.extend_from_slice(part);
            }
            let slot = &mut self.marks.slot(hashes, &self.text).0.value;
            slot.tally.requests += 1;
            slot.number = slot
                .number
                .or_else(|| number(&mut self.mark_names, &self.text));
            marked[1] = slot.number;
        }
        if level >= Level::Warning && !event.message.is_empty() {
            general(event.message, &mut self.text);
            let slot = &mut self.messages.slot(hashes, &self.text).0.value;
            level.count(&mut slot.levels);
        }
        let Some(step) = step else { return };
        let step = step.events.get_or_insert_default();
        level.count(&mut step.levels);
        if let Some(latency) = entry.latency_us {
            step.timed = step.timed.saturating_add(1);
            step.sum_us += latency as f64;
        }
        if let Some(service) = service {
            let cell = cell_at(&mut step.services, usize::from(service));
            cell.requests = cell.requests.saturating_add(1);
            cell.client_errors += u32::from(level == Level::Warning);
            cell.server_errors += u32::from(matches!(level, Level::Error | Level::Critical));
            if let Some(latency) = entry.latency_us {
                cell.timed += 1;
                cell.sum_us += latency as f32;
                cell.max_us = cell.max_us.max(u32::try_from(latency).unwrap_or(u32::MAX));
            }
        }
        for mark in marked.into_iter().flatten() {
            *count_at(&mut step.marks, usize::from(mark)) += 1;
        }
    }

    /// Counts what another one did. Gives the numbers that its services and marks have here.
    pub(crate) fn merge(
        &mut self,
        hashes: &Hashes,
        other: &Self,
    ) -> (Vec<Option<u8>>, Vec<Option<u8>>) {
        merge_levels(&mut self.levels, &other.levels);
        self.sources.merge(hashes, &other.sources, Levels::absorb);
        self.services.merge(hashes, &other.services, Levels::absorb);
        self.codes.merge(hashes, &other.codes, Mark::absorb);
        self.marks.merge(hashes, &other.marks, Mark::absorb);
        self.messages.merge(hashes, &other.messages, Levels::absorb);
        let renumber = |own: &mut Vec<Box<[u8]>>, names: &[Box<[u8]>]| -> Vec<Option<u8>> {
            names.iter().map(|name| number(own, name)).collect()
        };
        (
            renumber(&mut self.service_names, &other.service_names),
            renumber(&mut self.mark_names, &other.mark_names),
        )
    }

    /// The events of a report with tables of `top` rows, without its windows.
    pub(crate) fn report(&self, top: usize, text: impl Fn(&[u8]) -> String + Copy) -> Events {
        let texts = |names: &[Box<[u8]>]| names.iter().map(|name| text(name)).collect();
        Events {
            records: self.levels.records(),
            levels: self.levels,
            sources: levels_table(&self.sources, top, text),
            services: levels_table(&self.services, top, text),
            codes: marks_table(&self.codes, top, text),
            marks: marks_table(&self.marks, top, text),
            messages: levels_table(&self.messages, top, text),
            minutes: Vec::new(),
            service_names: texts(&self.service_names),
            mark_names: texts(&self.mark_names),
            windows: Vec::new(),
        }
    }
}

impl Events {
    /// Adds the records of a step that began at `start_s`.
    pub(crate) fn add_step(&mut self, start_s: i64, step: &EventStep) {
        let minute = start_s.div_euclid(60) * 60;
        match self.minutes.last_mut() {
            Some((begun, levels)) if *begun == minute => merge_levels(levels, &step.levels),
            _ => self.minutes.push((minute, step.levels)),
        }
        let numbered = |cell: &Cell| cell.requests > 0;
        self.windows.push(EventWindow {
            start_s,
            levels: step.levels,
            timed: step.timed,
            sum_us: step.sum_us,
            services: (0..)
                .zip(&step.services)
                .filter(|(_, cell)| numbered(cell))
                .map(|(number, cell)| (number, *cell))
                .collect(),
            marks: (0..)
                .zip(&step.marks)
                .filter(|(_, count)| **count > 0)
                .map(|(number, count)| (number, *count))
                .collect(),
        });
    }
}

fn levels_table(
    keyed: &Keyed<Levels>,
    top: usize,
    text: impl Fn(&[u8]) -> String,
) -> Table<NamedLevels> {
    table(keyed, top, |value, levels| NamedLevels {
        value: text(value),
        records: levels.weight(),
        levels: levels.levels,
    })
}

fn marks_table(keyed: &Keyed<Mark>, top: usize, text: impl Fn(&[u8]) -> String) -> Table<Named> {
    table(keyed, top, |value, mark| Named {
        value: text(value),
        requests: mark.tally.requests,
        counts: mark.tally.counts(),
    })
}

/// The number of a name, given where it has none and there is room.
fn number(names: &mut Vec<Box<[u8]>>, name: &[u8]) -> Option<u8> {
    let found = names.iter().position(|known| **known == *name);
    let place = match found {
        Some(place) => place,
        None if names.len() < NUMBERS => {
            names.push(name.into());
            names.len() - 1
        }
        None => return None,
    };
    u8::try_from(place).ok()
}

pub(crate) fn merge_levels(own: &mut LevelCounts, other: &LevelCounts) {
    own.debug += other.debug;
    own.info += other.info;
    own.warning += other.warning;
    own.error += other.error;
    own.critical += other.critical;
    own.other += other.other;
}

/// How bad a record is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Level {
    Other,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    fn of(level: &[u8]) -> Self {
        match level.to_ascii_lowercase().as_slice() {
            b"trace" | b"debug" => Self::Debug,
            b"info" | b"notice" | b"information" => Self::Info,
            b"warn" | b"warning" => Self::Warning,
            b"error" | b"err" => Self::Error,
            b"critical" | b"crit" | b"fatal" | b"alert" | b"emerg" | b"emergency" | b"panic" => {
                Self::Critical
            }
            _ => Self::Other,
        }
    }

    fn count(self, levels: &mut LevelCounts) {
        let place = match self {
            Self::Other => &mut levels.other,
            Self::Debug => &mut levels.debug,
            Self::Info => &mut levels.info,
            Self::Warning => &mut levels.warning,
            Self::Error => &mut levels.error,
            Self::Critical => &mut levels.critical,
        };
        *place += 1;
    }
}

/// A message without what makes it one of many: words with digits, addresses, paths become `…`.
fn general(message: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let message = &message[..message.len().min(4 * MESSAGE)];
    for word in message.split(|byte| *byte == b' ') {
        if out.len() >= MESSAGE {
            break;
        }
        if !out.is_empty() {
            out.push(b' ');
        }
        let is_special = word
            .iter()
            .any(|byte| byte.is_ascii_digit() || matches!(byte, b'@' | b'/' | b'=' | b'"'));
        match is_special {
            true => out.extend_from_slice("…".as_bytes()),
            false => out.extend_from_slice(word),
        }
    }
    out.truncate(MESSAGE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_general() {
        let check = |message: &str, expected: &str| {
            let mut out = Vec::new();
            general(message.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check("Retry attempt for mongodb", "Retry attempt for mongodb");
        check("User 17 at /x failed a=b", "User … at … failed …");
        check("", "");
    }

    #[test]
    fn levels() {
        for (text, level) in [
            ("WARN", Level::Warning),
            ("Critical", Level::Critical),
            ("err", Level::Error),
            ("", Level::Other),
        ] {
            assert_eq!(Level::of(text.as_bytes()), level);
        }
    }
}
