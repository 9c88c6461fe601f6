//! What a search has found: sums over time, groups of every kind, the slowest. Pure, and bounded.

use rusqlite::Row;

use super::groups::{Endpoints, Place, Values};
use crate::sink::sqlite::groups::part::Merged;
use crate::sink::sqlite::groups::slowest::Slowest;
use crate::sink::sqlite::tally::Tally;
use crate::store::rows::{Counted, MORE};
use crate::store::series::{POINTS_MOST, STEPS, Series};
use crate::store::top::By;

/// Bytes that a search may take; beyond them values that are rare become others.
const BYTES_MOST: usize = 16 << 20;

/// What is found so far.
#[derive(Debug)]
pub(super) struct Found {
    whole: Tally,
    /// By the finest step that the range can be shown by; None: it is too long for all of them.
    series: Option<Series>,
    /// Of the day, UTC.
    hours: [Tally; 24],
    statuses: Values,
    methods: Values,
    hosts: Values,
    clients: Values,
    agents: Values,
    endpoints: Endpoints,
    slowest: Slowest,
}

/// A row that is not counted yet.
#[derive(Debug)]
pub(super) struct FoundRow {
    id: i64,
    counted: Counted,
    places: Places,
}

/// Where a row counts; None: it has no such value.
#[derive(Debug)]
struct Places {
    status: Option<Place>,
    method: Option<Place>,
    endpoint: Option<Place>,
    host: Option<Place>,
    client: Option<Place>,
    agent: Option<Place>,
}

impl Found {
    /// Nothing, between these seconds.
    pub(super) fn new((from, to): (i64, i64)) -> Self {
        let length = to.saturating_sub(from);
        let step = STEPS.into_iter().find(|step| length / step <= POINTS_MOST);
        Self {
            whole: Tally::default(),
            series: step.map(|step| Series::new((from, to), Some(step))),
            hours: Default::default(),
            statuses: Values::default(),
            methods: Values::default(),
            hosts: Values::default(),
            clients: Values::default(),
            agents: Values::default(),
            endpoints: Endpoints::default(),
            slowest: Slowest::default(),
        }
    }

    /// Reads a row; it is to be counted when the stretch that it is of is whole.
    pub(super) fn row(&mut self, row: &Row<'_>) -> rusqlite::Result<FoundRow> {
        let text = |index: usize| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str_or_null()?);
        let status: Option<u16> = row.get(3)?;
        let (method, target) = (text(MORE)?, text(MORE + 1)?);
        let of_method = method.map(|method| self.methods.place(method));
        let places = Places {
            status: status.map(|status| self.statuses.place(&format!("{status:03}"))),
            endpoint: match (of_method, target) {
                (Some(method), Some(target)) => Some(self.endpoints.place(method, target)),
                _ => None,
            },
            method: of_method,
            host: text(MORE + 2)?.map(|host| self.hosts.place(host)),
            client: text(MORE + 3)?.map(|client| self.clients.place(client)),
            agent: text(MORE + 4)?.map(|agent| self.agents.place(agent)),
        };
        Ok(FoundRow {
            id: row.get(0)?,
            counted: Counted::of(row)?,
            places,
        })
    }

    /// Counts a row.
    pub(super) fn count(
        &mut self,
        FoundRow {
            id,
            counted,
            places,
        }: &FoundRow,
    ) {
        let Counted { second, addend } = counted;
        self.whole.add(addend);
        if let Some(step) = self.series.as_mut().and_then(|series| series.at(*second)) {
            step.add(addend);
        }
        let hour = second.div_euclid(3600).rem_euclid(24);
        if let Some(sum) = self.hours.get_mut(hour.unsigned_abs() as usize) {
            sum.add(addend);
        }
        for (values, place) in [
            (&mut self.statuses, places.status),
            (&mut self.methods, places.method),
            (&mut self.hosts, places.host),
            (&mut self.clients, places.client),
            (&mut self.agents, places.agent),
        ] {
            if let Some(place) = place {
                values.add(place, addend);
            }
        }
        if let Some(place) = places.endpoint {
            self.endpoints.add(place, addend);
        }
        if let Some(latency) = addend.ttfb_us {
            self.slowest.add(latency, *id);
        }
    }

    /// The sums of these seconds, by steps of so many; None: in one. Nothing where there are too many steps.
    pub(super) fn series(&self, range: (i64, i64), step: Option<i64>) -> Series {
        let mut shown = match (step, &self.series) {
            (Some(step), None) => Series {
                from: range.0,
                step,
                tallies: Vec::new(),
            },
            _ => Series::new(range, step),
        };
        match (step, &self.series) {
            (None, _) => {
                if let Some(whole) = shown.tallies.first_mut() {
                    whole.merge(&self.whole);
                }
            }
            (Some(_), Some(series)) => {
                for (place, tally) in series.tallies.iter().enumerate() {
                    if tally.exchanges() > 0 {
                        // Each step that is asked for is a multiple of the finest.
                        let second = series.from.saturating_add(place as i64 * series.step);
                        shown.add(second, tally);
                    }
                }
            }
            (Some(_), None) => {}
        }
        shown
    }

    /// The groups.
    pub(super) fn top(&self, by: By) -> Merged {
        match by {
            By::Endpoint => self.endpoints.merged(&self.methods),
            By::Host => self.hosts.merged(),
            By::Client => self.clients.merged(),
            By::Method => self.methods.merged(),
            By::Status => self.statuses.merged(),
            By::UserAgent => self.agents.merged(),
            By::Hour => {
                let mut merged = Merged::default();
                for (hour, tally) in self.hours.iter().enumerate() {
                    if tally.exchanges() > 0 {
                        merged.group(&hour.to_string()).merge(tally);
                    }
                }
                merged
            }
        }
    }

    /// Latencies and keys of the slowest, the slowest first.
    pub(super) fn slowest(&self) -> &[(u64, i64)] {
        self.slowest.found()
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let series = self.series.iter().flat_map(|series| &series.tallies);
        let values = [
            &self.statuses,
            &self.methods,
            &self.hosts,
            &self.clients,
            &self.agents,
        ];
        series.map(super::groups::bytes_of).sum::<usize>()
            + values.map(Values::bytes).iter().sum::<usize>()
            + self.endpoints.bytes()
    }

    /// Lets go what is not needed, and makes others of what is rare where all takes too much memory. No row may be waiting to be counted.
    pub(super) fn keep_small(&mut self) {
        self.endpoints.tidy();
        if self.bytes() <= BYTES_MOST {
            return;
        }
        // Methods stay: endpoints have their names from them, and there are few.
        for values in [&mut self.hosts, &mut self.clients, &mut self.agents] {
            values.close();
        }
        self.endpoints.close();
    }
}
