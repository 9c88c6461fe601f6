//! What came when: hours, and small steps for minutes and detectors. Steps are of a second while 2,880
//! of them suffice, then of ten, then of a minute; of minutes the newest are kept.

use std::collections::VecDeque;

use super::events::EventStep;
use super::histogram::Histogram;
use super::tallies::Request;
use super::unique::Unique;
use crate::analysis::report::{Cell, Hour, Period};

/// Hours that are kept.
const HOURS: usize = 2208;
/// Steps that are kept.
pub(crate) const STEPS: usize = 2880;
/// How long steps are, in seconds.
const LENGTHS: [i64; 3] = [1, 10, 60];

/// Times in a row that have to be far ahead before all that was kept goes for them: dates that are
/// wrong in single lines are not worth it.
const SURE: u32 = 32;

/// What came in a stretch of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stretch {
    requests: u64,
    client_errors: u64,
    server_errors: u64,
    unanswered: u64,
    bytes: u64,
    latencies: Histogram,
}

impl Stretch {
    #[inline]
    fn add(&mut self, request: &Request<'_, '_>) {
        self.requests += 1;
        self.client_errors += u64::from(request.class == 4);
        self.server_errors += u64::from(request.class == 5);
        self.unanswered += u64::from(request.entry.unanswered);
        self.bytes = self.bytes.saturating_add(request.bytes);
        if let Some(latency) = request.entry.latency_us {
            self.latencies.add(latency);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.client_errors += other.client_errors;
        self.server_errors += other.server_errors;
        self.unanswered += other.unanswered;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.latencies.merge(&other.latencies);
    }

    pub(crate) fn period(&self, start_s: i64) -> Period {
        Period {
            start_s,
            requests: self.requests,
            client_errors: self.client_errors,
            server_errors: self.server_errors,
            unanswered: self.unanswered,
            bytes: self.bytes,
            mean_us: self.latencies.mean(),
            p50_us: self.latencies.percentile(0.5),
            p99_us: self.latencies.percentile(0.99),
        }
    }
}

/// An hour, with its clients.
#[derive(Clone, Debug, Default)]
struct HourSlot {
    stretch: Stretch,
    clients: Unique<9>,
}

/// A step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) stretch: Stretch,
    /// By the number that an endpoint has for windows.
    pub(crate) cells: Vec<Cell>,
    pub(crate) events: Option<Box<EventStep>>,
}

impl Step {
    fn merge(&mut self, other: &Self, names: &[u16]) {
        self.stretch.merge(&other.stretch);
        for (index, cell) in other.cells.iter().enumerate() {
            let Some(index) = names.get(index).map_or(Some(index), |name| match *name {
                u16::MAX => None,
                name => Some(usize::from(name)),
            }) else {
                continue;
            };
            merge_cell(cell_at(&mut self.cells, index), cell);
        }
        if let Some(events) = &other.events {
            self.events.get_or_insert_default().merge(events);
        }
    }
}

/// The cell with this number, made where there is none.
#[inline]
pub(crate) fn cell_at(cells: &mut Vec<Cell>, index: usize) -> &mut Cell {
    if index >= cells.len() {
        cells.resize(index + 1, Cell::default());
    }
    &mut cells[index]
}

pub(crate) fn merge_cell(own: &mut Cell, other: &Cell) {
    own.requests = own.requests.saturating_add(other.requests);
    own.client_errors = own.client_errors.saturating_add(other.client_errors);
    own.server_errors = own.server_errors.saturating_add(other.server_errors);
    own.timed = own.timed.saturating_add(other.timed);
    own.sum_us += other.sum_us;
    own.max_us = own.max_us.max(other.max_us);
}

/// Slots in a row, as many as there is room for.
#[derive(Clone, Debug)]
struct Ring<S> {
    first: i64,
    slots: VecDeque<Option<Box<S>>>,
    most: usize,
    /// How many times in a row were far ahead.
    strays: u32,
}

impl<S: Default> Ring<S> {
    fn new(most: usize) -> Self {
        Self {
            first: 0,
            slots: VecDeque::new(),
            most,
            strays: 0,
        }
    }

    /// Whether a slot is so far ahead that half of all would have to go, and nothing says yet that it
    /// is no mistake.
    fn doubts(&mut self, index: i64) -> bool {
        let end = self.first.saturating_add(self.slots.len() as i64);
        let has_room = index.saturating_sub(self.first) < self.most as i64;
        if self.slots.is_empty() || has_room || index.saturating_sub(end) < self.most as i64 / 2 {
            self.strays = 0;
            return false;
        }
        self.strays += 1;
        self.strays < SURE
    }

    /// Whether there is room for a slot beside all others.
    fn fits(&self, index: i64) -> bool {
        if self.slots.is_empty() {
            return true;
        }
        let last = self.first + self.slots.len() as i64 - 1;
        last.max(index) - self.first.min(index) < self.most as i64
    }

    /// The slot with this number; older ones go where there is no room. `None`: it is too old.
    #[inline]
    fn slot(&mut self, index: i64) -> Option<&mut S> {
        if let Ok(place) = usize::try_from(index - self.first)
            && place < self.slots.len()
        {
            return self
                .slots
                .get_mut(place)
                .map(|slot| &mut **slot.get_or_insert_default());
        }
        self.make(index)
    }

    #[cold]
    fn make(&mut self, index: i64) -> Option<&mut S> {
        let most = self.most as i64;
        if self.slots.is_empty() {
            self.first = index;
        }
        if index < self.first {
            if !self.fits(index) {
                return None;
            }
            while self.first > index {
                self.slots.push_front(None);
                self.first -= 1;
            }
        }
        if index >= self.first + self.slots.len() as i64 {
            let first = self.first.max(index - most + 1);
            let gone = usize::try_from(first - self.first).unwrap_or(usize::MAX);
            self.slots.drain(..gone.min(self.slots.len()));
            if self.slots.is_empty() {
                self.first = index;
            } else {
                self.first = first;
            }
            let length = usize::try_from(index - self.first + 1).ok()?;
            self.slots.resize_with(length, || None);
        }
        let place = usize::try_from(index - self.first).ok()?;
        let slot = self.slots.get_mut(place)?;
        Some(&mut **slot.get_or_insert_default())
    }

    fn iter(&self) -> impl Iterator<Item = (i64, &S)> {
        let first = self.first;
        self.slots
            .iter()
            .enumerate()
            .filter_map(move |(place, slot)| Some((first + place as i64, slot.as_deref()?)))
    }
}

/// Hours and steps.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    hours: Ring<HourSlot>,
    steps: Ring<Step>,
    /// The place in [`LENGTHS`].
    length: usize,
    /// Whether steps are missing because they are too old.
    pub(crate) is_cut: bool,
}

impl Series {
    pub(crate) fn new() -> Self {
        Self {
            hours: Ring::new(HOURS),
            steps: Ring::new(STEPS),
            length: 0,
            is_cut: false,
        }
    }

    /// Seconds of a step.
    pub(crate) fn step_s(&self) -> i64 {
        LENGTHS[self.length]
    }

    /// Counts a request of `second`; gives its step, to count more in it.
    #[inline]
    pub(crate) fn add(
        &mut self,
        second: i64,
        request: &Request<'_, '_>,
        client: u64,
    ) -> Option<&mut Step> {
        let hour = second.div_euclid(3600);
        if !self.hours.doubts(hour)
            && let Some(hour) = self.hours.slot(hour)
        {
            hour.stretch.add(request);
            hour.clients.add(client);
        }
        let step = self.step(second)?;
        step.stretch.add(request);
        Some(step)
    }

    /// The step of a second; steps become longer where there would be too many.
    #[inline]
    pub(crate) fn step(&mut self, second: i64) -> Option<&mut Step> {
        match self.doubts(second) {
            true => None,
            false => self.place(second),
        }
    }

    /// The same, wherever it lies.
    fn place(&mut self, second: i64) -> Option<&mut Step> {
        let mut index = second.div_euclid(LENGTHS[self.length]);
        while !self.steps.fits(index) && self.length + 1 < LENGTHS.len() {
            self.lengthen();
            index = second.div_euclid(LENGTHS[self.length]);
        }
        self.is_cut |= !self.steps.fits(index);
        self.steps.slot(index)
    }

    /// Whether a second is far ahead of all others also with the longest steps.
    fn doubts(&mut self, second: i64) -> bool {
        let longest = LENGTHS[LENGTHS.len() - 1];
        let steps = longest / LENGTHS[self.length];
        let end = self
            .steps
            .first
            .saturating_add(self.steps.slots.len() as i64);
        let ahead = second.div_euclid(LENGTHS[self.length]).saturating_sub(end);
        let from = self.steps.first.div_euclid(steps);
        let has_room = second.div_euclid(longest).saturating_sub(from) < STEPS as i64;
        if self.steps.slots.is_empty() || has_room || ahead / steps < STEPS as i64 / 2 {
            self.steps.strays = 0;
            return false;
        }
        self.steps.strays += 1;
        self.steps.strays < SURE
    }

    #[cold]
    fn lengthen(&mut self) {
        let factor = LENGTHS[self.length + 1] / LENGTHS[self.length];
        self.length += 1;
        let old = std::mem::replace(&mut self.steps, Ring::new(STEPS));
        for (index, step) in old.iter() {
            if let Some(place) = self.steps.slot(index.div_euclid(factor)) {
                place.merge(step, &[]);
            }
        }
    }

    /// Counts what another one did; `names`: the numbers that its endpoints have here, [`u16::MAX`]
    /// for none.
    pub(crate) fn merge(&mut self, mut other: Self, names: &[u16]) {
        for (index, slot) in other.hours.iter() {
            if let Some(own) = self.hours.slot(index) {
                own.stretch.merge(&slot.stretch);
                own.clients.merge(&slot.clients);
            }
        }
        while self.length < other.length {
            self.lengthen();
        }
        while other.length < self.length {
            other.lengthen();
        }
        self.is_cut |= other.is_cut;
        for (index, step) in other.steps.iter() {
            if let Some(own) = self.place(index * LENGTHS[other.length]) {
                own.merge(step, names);
            }
        }
    }

    /// Gives services and marks the numbers of another one.
    pub(crate) fn renumber_events(&mut self, services: &[Option<u8>], marks: &[Option<u8>]) {
        for step in self.steps.slots.iter_mut().flatten() {
            if let Some(events) = &mut step.events {
                events.renumber(services, marks);
            }
        }
    }

    /// The memory that they take.
    pub(crate) fn bytes(&self) -> usize {
        let hours = self.hours.iter().map(|(_, hour)| {
            size_of::<HourSlot>() + hour.stretch.latencies.bytes() + hour.clients.bytes()
        });
        let steps = self.steps.iter().map(|(_, step)| {
            let cells = step.cells.capacity() * size_of::<Cell>();
            size_of::<Step>() + step.stretch.latencies.bytes() + cells
        });
        hours.chain(steps).sum()
    }

    pub(crate) fn hours(&self) -> Vec<Hour> {
        self.hours
            .iter()
            .map(|(index, slot)| Hour {
                period: slot.stretch.period(index * 3600),
                clients: slot.clients.count(),
            })
            .collect()
    }

    /// The minutes, each with its begin.
    pub(crate) fn minutes(&self) -> Vec<Period> {
        let mut minutes = Vec::new();
        let mut open: Option<(i64, Stretch)> = None;
        for (index, step) in self.steps.iter() {
            let start = (index * self.step_s()).div_euclid(60) * 60;
            match &mut open {
                Some((begun, stretch)) if *begun == start => stretch.merge(&step.stretch),
                _ => {
                    minutes.extend(open.take().map(|(begun, stretch)| stretch.period(begun)));
                    open = Some((start, step.stretch.clone()));
                }
            }
        }
        minutes.extend(open.map(|(begun, stretch)| stretch.period(begun)));
        minutes.retain(|minute| minute.requests > 0);
        minutes
    }

    /// The steps, each with its begin in seconds since 1970.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (i64, &Step)> {
        let length = self.step_s();
        self.steps
            .iter()
            .map(move |(index, step)| (index * length, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::format::Entry;

    fn add(series: &mut Series, second: i64) {
        let entry = Entry {
            latency_us: Some(10),
            ..Entry::default()
        };
        series.add(second, &Request::new(&entry, Some(second)), 0);
    }

    #[test]
    fn steps_become_longer() {
        let mut series = Series::new();
        for second in 0..2880 {
            add(&mut series, second);
        }
        assert_eq!((series.step_s(), series.steps().count()), (1, 2880));
        add(&mut series, 2880);
        assert_eq!((series.step_s(), series.steps().count()), (10, 289));
        let minutes = series.minutes();
        assert_eq!(minutes.len(), 49);
        assert!(minutes[..48].iter().all(|minute| minute.requests == 60));
        // Not further ahead at once than is believed.
        add(&mut series, 20 * 3600);
        add(&mut series, 40 * 3600);
        assert_eq!((series.step_s(), series.is_cut), (60, false));
        // Now the oldest go.
        add(&mut series, 60 * 2900);
        assert_eq!(series.minutes()[0].start_s, 21 * 60);
        assert!(series.is_cut);
        add(&mut series, 0);
        let hours: u64 = series.hours().iter().map(|hour| hour.period.requests).sum();
        assert_eq!(hours, 2885);
    }

    #[test]
    fn a_wrong_date_costs_nothing_but_itself() {
        let mut series = Series::new();
        for second in 0..600 {
            add(&mut series, second);
            add(&mut series, i64::from(i32::MAX) + second * 100_000);
        }
        assert_eq!((series.step_s(), series.minutes().len()), (1, 10));
        assert_eq!(series.hours().len(), 1);
        // When time goes on there for good, it is followed.
        for second in 0..100 {
            add(&mut series, i64::from(i32::MAX) + second);
        }
        let minutes = series.minutes();
        let count: u64 = minutes.iter().map(|minute| minute.requests).sum();
        assert!(minutes[0].start_s > 1_000_000 && count >= 60, "{minutes:?}");
    }

    #[test]
    fn series_merge() {
        let [mut left, mut right] = [Series::new(), Series::new()];
        add(&mut left, 100_000);
        add(&mut left, 100_000);
        add(&mut right, 90_000);
        add(&mut right, 100_000);
        left.merge(right, &[]);
        assert_eq!(left.step_s(), 10);
        let found: Vec<_> = left
            .minutes()
            .iter()
            .map(|minute| (minute.start_s, minute.requests))
            .collect();
        assert_eq!(found, [(90_000, 1), (99_960, 3)]);
    }
}
