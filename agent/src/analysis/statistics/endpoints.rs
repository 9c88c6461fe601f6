//! Endpoints: a method and a path template. Templates are learned while they are counted, so that
//! endpoints become parts of others; their counts go with them.

use hashbrown::HashMap;

use super::histogram::Histogram;
use super::keyed::Tallied as _;
use super::tallies::{Request, Tally};
use crate::analysis::template::{Template, Templates};

/// Places in the tree of templates.
const TEMPLATES: usize = 1000;
/// Endpoints that are told apart.
const ENDPOINTS: usize = 2000;
/// Endpoints that have a number for windows.
const NUMBERS: usize = 128;
/// Requests from which on an endpoint gets one.
const FREQUENT: u64 = 8;
/// A path is placed again this often, until it has been seen that often: templates learn from what is
/// frequent.
const LEARN: u64 = 64;
/// Behind that: every so many requests.
const RARELY: u64 = 16;

/// What a path remembers of its endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    template: Option<Template>,
    /// The endpoint that its last method made of it.
    method: u8,
    slot: u32,
    /// When that was so.
    generation: u64,
}

/// What is counted for an endpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointTally {
    pub(crate) tally: Tally,
    pub(crate) latencies: Histogram,
    /// Its number in windows.
    pub(crate) number: Option<u16>,
}

/// All endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) templates: Templates,
    slots: Vec<EndpointTally>,
    free: Vec<u32>,
    places: HashMap<(u8, Template), u32>,
    generation: u64,
    /// Of every number, the one that it became a part of: itself, while it is there.
    pub(crate) numbers: Vec<u16>,
}

/// What has no endpoint of its own.
const OTHER: u32 = 0;

impl Endpoints {
    pub(crate) fn new() -> Self {
        Self {
            templates: Templates::new(TEMPLATES),
            slots: vec![EndpointTally::default()],
            free: Vec::new(),
            places: HashMap::new(),
            generation: 1,
            numbers: Vec::new(),
        }
    }

    /// Counts a request for a path that was asked for `times` before; gives the endpoint's number in
    /// windows.
    #[inline]
    pub(crate) fn add(
        &mut self,
        request: &Request<'_, '_>,
        method: u8,
        path: &[u8],
        times: u64,
        known: &mut Known,
    ) -> Option<u16> {
        let is_stale = known.generation != self.generation;
        if is_stale || times < LEARN || times.is_multiple_of(RARELY) {
            let template = self.place(path);
            if known.template != Some(template) || known.generation != self.generation {
                known.template = Some(template);
                known.generation = 0;
            }
        }
        if known.generation != self.generation || known.method != method {
            let template = known.template.unwrap_or(Template::OTHER);
            known.slot = self.slot_of(method, template);
            known.method = method;
            known.generation = self.generation;
        }
        let numbers = &mut self.numbers;
        let slot = self.slots.get_mut(known.slot as usize)?;
        slot.tally.add(request);
        if let Some(latency) = request.entry.latency_us {
            slot.latencies.add(latency);
        }
        if slot.number.is_none() && slot.tally.requests >= FREQUENT && numbers.len() < NUMBERS {
            let number = numbers.len() as u16;
            numbers.push(number);
            slot.number = Some(number);
        }
        slot.number
    }

    fn place(&mut self, path: &[u8]) -> Template {
        let template = self.templates.place(path);
        match self.templates.has_merged() {
            true => self.follow(template),
            false => template,
        }
    }

    /// Puts endpoints together whose templates are one now; gives the template that this one became.
    #[cold]
    fn follow(&mut self, mut template: Template) -> Template {
        let merged = self.templates.take_merged();
        let methods: Vec<u8> = {
            let mut methods: Vec<u8> = self.places.keys().map(|(method, _)| *method).collect();
            methods.sort_unstable();
            methods.dedup();
            methods
        };
        for (from, into) in merged {
            if template == from {
                template = into;
            }
            for method in &methods {
                let Some(slot) = self.places.remove(&(*method, from)) else {
                    continue;
                };
                match self.places.get(&(*method, into)) {
                    Some(other) => {
                        let other = *other;
                        self.join(slot, other);
                    }
                    None => {
                        self.places.insert((*method, into), slot);
                    }
                }
            }
        }
        self.generation += 1;
        template
    }

    fn join(&mut self, from: u32, into: u32) {
        if from == into || from == OTHER {
            return;
        }
        let Some(gone) = self.slots.get_mut(from as usize).map(std::mem::take) else {
            return;
        };
        self.free.push(from);
        let Some(own) = self.slots.get_mut(into as usize) else {
            return;
        };
        own.tally.absorb(&gone.tally);
        own.latencies.merge(&gone.latencies);
        match (own.number, gone.number) {
            (Some(own), Some(gone)) => {
                if let Some(number) = self.numbers.get_mut(usize::from(gone)) {
                    *number = own;
                }
            }
            (None, number) => own.number = number,
            (Some(_), None) => {}
        }
    }

    fn slot_of(&mut self, method: u8, template: Template) -> u32 {
        if template == Template::OTHER {
            return OTHER;
        }
        if let Some(slot) = self.places.get(&(method, template)) {
            return *slot;
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < ENDPOINTS => {
                self.slots.push(EndpointTally::default());
                self.slots.len() as u32 - 1
            }
            None => return OTHER,
        };
        self.places.insert((method, template), slot);
        slot
    }

    /// The number that a number stands for now.
    pub(crate) fn number(&self, mut number: u16) -> u16 {
        // Numbers only ever become parts of others: this ends.
        for _ in 0..=NUMBERS {
            match self.numbers.get(usize::from(number)) {
                Some(next) if *next != number => number = *next,
                _ => break,
            }
        }
        number
    }

    /// The end of learning.
    pub(crate) fn settle(&mut self) {
        self.templates.settle();
        if self.templates.has_merged() {
            self.follow(Template::OTHER);
        }
    }

    /// What has no endpoint of its own.
    pub(crate) fn other(&self) -> Option<&EndpointTally> {
        self.slots.first()
    }

    /// All endpoints: method, template and what was counted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, Template, &EndpointTally)> {
        self.places.iter().filter_map(|((method, template), slot)| {
            Some((*method, *template, self.slots.get(*slot as usize)?))
        })
    }

    /// Counts what another one did, whose methods have the numbers `methods` here. Gives the numbers
    /// that those of its windows have here, [`u16::MAX`] for none.
    pub(crate) fn merge(&mut self, other: &Self, methods: &[u8]) -> Vec<u16> {
        let mut names = vec![u16::MAX; other.numbers.len()];
        if let (Some(own), Some(theirs)) = (self.slots.first_mut(), other.other()) {
            own.tally.absorb(&theirs.tally);
            own.latencies.merge(&theirs.latencies);
        }
        let mut rows: Vec<_> = other
            .iter()
            .map(|(method, template, tally)| (other.templates.name(template), method, tally))
            .collect();
        // The order of a hash table is of chance, templates are not to depend on it.
        rows.sort_by(|left, right| (&left.0, left.1).cmp(&(&right.0, right.1)));
        for (name, method, tally) in rows {
            let method = methods
                .get(usize::from(method))
                .copied()
                .unwrap_or_default();
            let template = self.place(name.as_bytes());
            let slot = self.slot_of(method, template);
            let Some(own) = self.slots.get_mut(slot as usize) else {
                continue;
            };
            own.tally.absorb(&tally.tally);
            own.latencies.merge(&tally.latencies);
            if own.number.is_none() && tally.number.is_some() && self.numbers.len() < NUMBERS {
                let number = self.numbers.len() as u16;
                self.numbers.push(number);
                own.number = Some(number);
            }
            if let (Some(own), Some(theirs)) = (own.number, tally.number) {
                for (number, name) in names.iter_mut().enumerate() {
                    if other.number(number as u16) == theirs {
                        *name = own;
                    }
                }
            }
        }
        names
    }
}
