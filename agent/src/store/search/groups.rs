//! Values that are told apart while rows are read, and what each has counted. Pure, and bounded: what
//! comes when there are too many is one group, of others.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::analysis::template::{Template, Templates};
use crate::sink::sqlite::groups::part::Merged;
use crate::sink::sqlite::groups::{VALUE_BYTES, VALUES_MOST};
use crate::sink::sqlite::tally::{Addend, Tally};

/// Values of a kind that are told apart.
const TOLD_APART: usize = 10_000;
/// Places of path templates.
const TEMPLATES: usize = 4096;
/// About what such a place takes.
const TEMPLATE_BYTES: usize = 200;
/// About what a value takes beside its tally and its text.
const OVERHEAD: usize = 64;

type Map<Key, Value> = HashMap<Key, Value, foldhash::quality::RandomState>;

/// Where a row counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Place {
    Value(usize),
    Others,
}

/// About how much memory a tally takes.
pub(super) fn bytes_of(tally: &Tally) -> usize {
    size_of::<Tally>() + 16 * tally.histogram.buckets().count()
}

/// Values of one kind.
#[derive(Debug, Default)]
pub(super) struct Values {
    places: Map<Arc<str>, usize>,
    values: Vec<(Arc<str>, Tally)>,
    others: Tally,
    /// No new one is told apart any more: each that is has all its rows.
    is_closed: bool,
}

impl Values {
    /// The place of a value.
    pub(super) fn place(&mut self, value: &str) -> Place {
        if let Some(place) = self.places.get(value) {
            return Place::Value(*place);
        }
        let is_full = self.is_closed || self.values.len() >= TOLD_APART;
        if is_full || value.len() > VALUE_BYTES {
            return Place::Others;
        }
        let place = self.values.len();
        let value: Arc<str> = value.into();
        self.places.insert(Arc::clone(&value), place);
        self.values.push((value, Tally::default()));
        Place::Value(place)
    }

    pub(super) fn add(&mut self, place: Place, addend: &Addend) {
        let tally = match place {
            Place::Value(place) => self.values.get_mut(place).map(|(_, tally)| tally),
            Place::Others => None,
        };
        tally.unwrap_or(&mut self.others).add(addend);
    }

    /// All that have counted something.
    pub(super) fn merged(&self) -> Merged {
        let mut merged = Merged {
            others: self.others.clone(),
            ..Merged::default()
        };
        for (value, tally) in &self.values {
            if tally.exchanges() > 0 {
                merged.group(value).merge(tally);
            }
        }
        merged
    }

    pub(super) fn bytes(&self) -> usize {
        let values = self.values.iter();
        values
            .map(|(value, tally)| value.len() + OVERHEAD + bytes_of(tally))
            .sum()
    }

    /// Keeps the most frequent, and no new one from now on. Places that were given before are void.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.values
            .sort_by_key(|(_, tally)| Reverse(tally.exchanges()));
        let kept = self.values.len().min(VALUES_MOST);
        for (_, tally) in self.values.drain(kept..) {
            self.others.merge(&tally);
        }
        self.values.shrink_to_fit();
        let places = self.values.iter().enumerate();
        self.places = places
            .map(|(place, (value, _))| (Arc::clone(value), place))
            .collect();
    }

    fn name(&self, place: usize) -> &str {
        self.values.get(place).map_or("", |(value, _)| value)
    }
}

/// Methods with path templates. Templates become parts of others while they are learned: whoever got the
/// place of one before counts for the one that it is a part of.
#[derive(Debug)]
pub(super) struct Endpoints {
    templates: Templates,
    /// Of each template, the places by their methods.
    of_template: Map<Template, Vec<(Place, usize)>>,
    endpoints: Vec<Endpoint>,
    told_apart: usize,
    others: Tally,
    is_closed: bool,
}

#[derive(Debug)]
enum Endpoint {
    Counts(Box<Tally>),
    /// It is a part of the one with this place.
    PartOf(usize),
    /// It is one of the others.
    Other,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            templates: Templates::new(TEMPLATES),
            of_template: Map::default(),
            endpoints: Vec::new(),
            told_apart: 0,
            others: Tally::default(),
            is_closed: false,
        }
    }
}

impl Endpoints {
    /// The place of an endpoint.
    pub(super) fn place(&mut self, method: Place, target: &str) -> Place {
        let mut template = self.templates.place(target.as_bytes());
        for (from, into) in self.templates.take_merged() {
            self.merge(from, into);
            if template == from {
                template = into;
            }
        }
        if template == Template::OTHER || method == Place::Others {
            return Place::Others;
        }
        let mut known = self.of_template.get(&template).into_iter().flatten();
        if let Some((_, place)) = known.find(|(of, _)| *of == method) {
            return Place::Value(*place);
        }
        if self.is_closed || self.told_apart >= TOLD_APART {
            return Place::Others;
        }
        let place = self.endpoints.len();
        self.endpoints.push(Endpoint::Counts(Box::default()));
        self.told_apart += 1;
        let places = self.of_template.entry(template).or_default();
        places.push((method, place));
        Place::Value(place)
    }

    /// What was counted for the one template belongs to the other.
    fn merge(&mut self, from: Template, into: Template) {
        let Some(gone) = self.of_template.remove(&from) else {
            return;
        };
        let places = self.of_template.entry(into).or_default();
        for (method, old) in gone {
            let same = places.iter().find(|(of, _)| *of == method);
            let Some(new) = same.map(|(_, place)| *place) else {
                places.push((method, old));
                continue;
            };
            let gone = std::mem::replace(&mut self.endpoints[old], Endpoint::PartOf(new));
            self.told_apart -= 1;
            if let (Endpoint::Counts(gone), Endpoint::Counts(sum)) =
                (gone, &mut self.endpoints[new])
            {
                sum.merge(&gone);
            }
        }
    }

    pub(super) fn add(&mut self, place: Place, addend: &Addend) {
        let mut at = match place {
            Place::Value(place) => Some(place),
            Place::Others => None,
        };
        // Each is a part of one that was there before, or not yet a part itself: the way ends.
        while let Some(Endpoint::PartOf(whole)) = at.and_then(|at| self.endpoints.get(at)) {
            at = Some(*whole);
        }
        match at.and_then(|at| self.endpoints.get_mut(at)) {
            Some(Endpoint::Counts(tally)) => tally.add(addend),
            _ => self.others.add(addend),
        }
    }

    /// All that have counted something, with the names that their templates have now.
    pub(super) fn merged(&self, methods: &Values) -> Merged {
        let mut merged = Merged {
            others: self.others.clone(),
            ..Merged::default()
        };
        for (template, places) in &self.of_template {
            let name = self.templates.name(*template);
            for (method, place) in places {
                if let (Place::Value(method), Some(Endpoint::Counts(tally))) =
                    (method, self.endpoints.get(*place))
                    && tally.exchanges() > 0
                {
                    let name = format!("{} {name}", methods.name(*method));
                    merged.group(&name).merge(tally);
                }
            }
        }
        merged
    }

    pub(super) fn bytes(&self) -> usize {
        let of_endpoint = |endpoint: &Endpoint| match endpoint {
            Endpoint::Counts(tally) => OVERHEAD + bytes_of(tally),
            Endpoint::PartOf(_) | Endpoint::Other => size_of::<Endpoint>(),
        };
        let endpoints: usize = self.endpoints.iter().map(of_endpoint).sum();
        endpoints + TEMPLATE_BYTES * self.of_template.len()
    }

    /// Forgets endpoints that are parts of others. Places that were given before are void.
    pub(super) fn tidy(&mut self) {
        if self.endpoints.len() <= 2 * self.told_apart + 1000 {
            return;
        }
        let mut kept = Vec::with_capacity(self.told_apart);
        for (_, place) in self.of_template.values_mut().flatten() {
            let endpoint = std::mem::replace(&mut self.endpoints[*place], Endpoint::Other);
            *place = kept.len();
            kept.push(endpoint);
        }
        self.endpoints = kept;
    }

    /// Keeps the most frequent, and no new one from now on. Places that were given before are void.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        let count = |endpoint: &Endpoint| match endpoint {
            Endpoint::Counts(tally) => tally.exchanges(),
            Endpoint::PartOf(_) | Endpoint::Other => 0,
        };
        let mut counts: Vec<u64> = self.endpoints.iter().map(count).collect();
        counts.sort_unstable_by_key(|count| Reverse(*count));
        let least = counts.get(VALUES_MOST).copied().unwrap_or(0);
        let (endpoints, others) = (&mut self.endpoints, &mut self.others);
        self.of_template.retain(|_, places| {
            places.retain(|(_, place)| {
                let endpoint = &mut endpoints[*place];
                if count(endpoint) > least {
                    return true;
                }
                if let Endpoint::Counts(tally) = std::mem::replace(endpoint, Endpoint::Other) {
                    others.merge(&tally);
                }
                false
            });
            !places.is_empty()
        });
        self.told_apart = self.of_template.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests;
