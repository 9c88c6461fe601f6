//! What is counted over the entries of logs, in bounded memory: tables that keep what is frequent,
//! histograms for percentiles, estimates of how many different ones there were. Pure.
//!
//! [`Statistics`] of several threads merge; counts then are what one thread would have counted.

mod agents;
mod clients;
mod endpoints;
mod events;
mod finish;
mod histogram;
mod keyed;
mod series;
mod size;
mod slowest;
mod tallies;
#[cfg(test)]
mod tests;
mod unique;

use agents::{FAMILIES, classify};
use clients::Clients;
use endpoints::{Endpoints, Known};
use events::EventTotals;
use histogram::Histogram;
use keyed::{Hashes, Keyed, Tallied};
use series::{Series, cell_at};
use slowest::Slowest;
use tallies::{Request, Tally};
use unique::Unique;

pub(super) use finish::text;

use super::format::Entry;

/// Methods that are told apart; the last is for all others.
const METHODS: usize = 32;
const HOURS: usize = 24;

/// What is counted for a path.
#[derive(Clone, Copy, Debug, Default)]
struct PathTally {
    tally: Tally,
    timed: u64,
    sum_us: u64,
    max_us: u64,
    known: Known,
}

impl Tallied for PathTally {
    fn weight(&self) -> u64 {
        self.tally.requests
    }

    fn absorb(&mut self, other: &Self) {
        self.tally.absorb(&other.tally);
        self.timed += other.timed;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.max_us = self.max_us.max(other.max_us);
    }
}

/// What is counted for a user agent.
#[derive(Clone, Copy, Debug, Default)]
struct AgentTally {
    requests: u64,
    /// Its family and one; 0: not told yet.
    family: u8,
}

impl Tallied for AgentTally {
    fn weight(&self) -> u64 {
        self.requests
    }

    fn absorb(&mut self, other: &Self) {
        self.requests += other.requests;
        self.family = other.family;
    }
}

/// What is counted for an hour of the day.
#[derive(Clone, Debug, Default)]
struct DayHour {
    requests: u64,
    client_errors: u64,
    server_errors: u64,
    bytes: u64,
    latencies: Histogram,
}

/// All that is counted.
#[derive(Clone, Debug)]
pub struct Statistics {
    hashes: Hashes,
    /// Entries from this second on are in the future.
    future_s: i64,
    totals: Tally,
    of_bots: u64,
    /// Durations of requests without a time.
    untimed: Histogram,
    hours_of_day: Box<[DayHour]>,
    statuses: Box<[u64]>,
    methods: Vec<(Box<[u8]>, Tally)>,
    paths: Keyed<PathTally>,
    endpoints: Endpoints,
    hosts: Keyed<Tally>,
    referrers: Keyed<Tally>,
    clients: Clients,
    all_clients: Unique<15>,
    agents: Keyed<AgentTally>,
    families: Box<[Tally]>,
    series: Series,
    slowest: Slowest,
    events: EventTotals,
    first_us: i64,
    last_us: i64,
    /// Entries whose time is in the future.
    future: u64,
    /// Entries without a time.
    no_time: u64,
}

impl Statistics {
    /// Nothing is counted yet; entries more than a day after `now_s` are in the future. All that are
    /// to be merged come from one by [`Self::fresh`].
    #[must_use]
    pub fn new(now_s: i64) -> Self {
        Self::with(Hashes::default(), now_s.saturating_add(86_400))
    }

    /// Another one, with nothing counted.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::with(self.hashes.clone(), self.future_s)
    }

    fn with(hashes: Hashes, future_s: i64) -> Self {
        Self {
            hashes,
            future_s,
            totals: Tally::default(),
            of_bots: 0,
            untimed: Histogram::default(),
            hours_of_day: vec![DayHour::default(); HOURS].into(),
            statuses: vec![0; 1000].into(),
            methods: Vec::new(),
            paths: Keyed::new(65_536, 16 << 20, 1024),
            endpoints: Endpoints::new(),
            hosts: Keyed::new(10_000, 1 << 20, 255),
            referrers: Keyed::new(20_000, 4 << 20, 512),
            clients: Clients::new(),
            all_clients: Unique::default(),
            agents: Keyed::new(10_000, 4 << 20, 512),
            families: vec![Tally::default(); FAMILIES].into(),
            series: Series::new(),
            slowest: Slowest::default(),
            events: EventTotals::new(),
            first_us: i64::MAX,
            last_us: i64::MIN,
            future: 0,
            no_time: 0,
        }
    }

    /// Counts an entry.
    #[inline]
    pub fn add(&mut self, entry: &Entry<'_>) {
        let second = self.second_of(entry);
        if entry.is_request() {
            self.add_request(&Request::new(entry, second));
        }
        if let Some(event) = &entry.event {
            let step = second.and_then(|second| self.series.step(second));
            self.events.add(&self.hashes, entry, event, step);
        }
    }

    /// The second of an entry, unless it is in the future.
    #[inline]
    fn second_of(&mut self, entry: &Entry<'_>) -> Option<i64> {
        let Some(time) = entry.time_us else {
            self.no_time += 1;
            return None;
        };
        let second = time.div_euclid(1_000_000);
        if second >= self.future_s {
            self.future += 1;
            return None;
        }
        self.first_us = self.first_us.min(time);
        self.last_us = self.last_us.max(time);
        Some(second)
    }

    #[inline]
    fn add_request(&mut self, request: &Request<'_, '_>) {
        let Self { hashes, .. } = self;
        let entry = request.entry;
        self.totals.add(request);
        if let Some(count) = self
            .statuses
            .get_mut(usize::from(entry.status.unwrap_or_default()))
        {
            *count += 1;
        }
        let method = method_of(&mut self.methods, entry.method);
        if let Some((_, tally)) = self.methods.get_mut(usize::from(method)) {
            tally.add(request);
        }

        let family = match entry.user_agent {
            b"" => 0,
            agent => {
                let value = &mut self.agents.slot(hashes, agent).0.value;
                value.requests += 1;
                if value.family == 0 {
                    value.family = classify(agent) as u8 + 1;
                }
                usize::from(value.family - 1)
            }
        };
        let is_bot = agents::family(family).bot;
        self.of_bots += u64::from(is_bot);
        if let Some(tally) = self.families.get_mut(family) {
            tally.add(request);
        }

        let path = entry.path();
        let (slot, _) = self.paths.slot(hashes, path);
        let path_hash = slot.fixed;
        let value = &mut slot.value;
        let times = value.tally.requests;
        value.tally.add(request);
        if let Some(latency) = entry.latency_us {
            value.timed += 1;
            value.sum_us = value.sum_us.saturating_add(latency);
            value.max_us = value.max_us.max(latency);
            if self.slowest.is_of_note(latency) {
                self.slowest.add(entry);
            }
        }
        let number = self
            .endpoints
            .add(request, method, path, times, &mut value.known);

        if !entry.host.is_empty() {
            self.hosts.slot(hashes, entry.host).0.value.add(request);
        }
        if !entry.referrer.is_empty() {
            let referrer = without_query(entry.referrer);
            self.referrers.slot(hashes, referrer).0.value.add(request);
        }
        let client = match entry.client {
            b"" => 0,
            _ => {
                let client = self.clients.add(hashes, request, path_hash, is_bot);
                self.all_clients.add(client);
                client
            }
        };

        match request.second {
            None => {
                if let Some(latency) = entry.latency_us {
                    self.untimed.add(latency);
                }
            }
            Some(second) => self.add_times(second, request, client, number),
        }
    }

    #[inline]
    fn add_times(
        &mut self,
        second: i64,
        request: &Request<'_, '_>,
        client: u64,
        number: Option<u16>,
    ) {
        let hour = (second.rem_euclid(86_400) / 3600) as usize;
        if let Some(hour) = self.hours_of_day.get_mut(hour) {
            hour.requests += 1;
            hour.client_errors += u64::from(request.class == 4);
            hour.server_errors += u64::from(request.class == 5);
            hour.bytes = hour.bytes.saturating_add(request.bytes);
            if let Some(latency) = request.entry.latency_us {
                hour.latencies.add(latency);
            }
        }
        let Some(step) = self.series.add(second, request, client) else {
            return;
        };
        if let Some(number) = number {
            let cell = cell_at(&mut step.cells, usize::from(number));
            cell.requests = cell.requests.saturating_add(1);
            cell.client_errors += u32::from(request.class == 4);
            cell.server_errors += u32::from(request.class == 5);
            if let Some(latency) = request.entry.latency_us {
                cell.timed += 1;
                cell.sum_us += latency as f32;
                cell.max_us = cell.max_us.max(u32::try_from(latency).unwrap_or(u32::MAX));
            }
        }
    }

    /// Counts what another one did, that is of the same kin.
    pub fn merge(&mut self, mut other: Self) {
        let hashes = &self.hashes;
        self.totals.absorb(&other.totals);
        self.of_bots += other.of_bots;
        self.untimed.merge(&other.untimed);
        for (own, other) in self.hours_of_day.iter_mut().zip(&other.hours_of_day) {
            own.requests += other.requests;
            own.client_errors += other.client_errors;
            own.server_errors += other.server_errors;
            own.bytes = own.bytes.saturating_add(other.bytes);
            own.latencies.merge(&other.latencies);
        }
        for (own, other) in self.statuses.iter_mut().zip(&other.statuses) {
            *own += other;
        }
        let mut methods = Vec::new();
        for (name, tally) in &other.methods {
            let method = method_of(&mut self.methods, name);
            if let Some((_, own)) = self.methods.get_mut(usize::from(method)) {
                own.absorb(tally);
            }
            methods.push(method);
        }
        self.paths.merge(hashes, &other.paths, PathTally::absorb);
        self.hosts.merge(hashes, &other.hosts, Tally::absorb);
        self.referrers
            .merge(hashes, &other.referrers, Tally::absorb);
        self.agents.merge(hashes, &other.agents, AgentTally::absorb);
        self.clients.end();
        other.clients.end();
        self.clients.merge(hashes, other.clients);
        self.all_clients.merge(&other.all_clients);
        for (own, other) in self.families.iter_mut().zip(&other.families) {
            own.absorb(other);
        }
        let numbers = self.endpoints.merge(&other.endpoints, &methods);
        let (services, marks) = self.events.merge(hashes, &other.events);
        other.series.renumber_events(&services, &marks);
        self.series.merge(other.series, &numbers);
        self.slowest.merge(other.slowest);
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        self.future += other.future;
        self.no_time += other.no_time;
    }
}

/// The family of a user agent, and whether it is a robot's.
#[must_use]
pub fn family(agent: &[u8]) -> (&'static str, bool) {
    let family = agents::family(match agent {
        b"" | b"-" => 0,
        agent => classify(agent),
    });
    (family.name, family.bot)
}

/// Whether a user agent is a robot's.
#[must_use]
pub fn is_bot(agent: &[u8]) -> bool {
    agents::family(classify(agent)).bot
}

/// The number of a method; the last one is for all that there is no room for.
#[inline]
fn method_of(methods: &mut Vec<(Box<[u8]>, Tally)>, method: &[u8]) -> u8 {
    let found = methods.iter().position(|(name, _)| **name == *method);
    let place = match found {
        Some(place) => place,
        None => {
            if methods.len() < METHODS {
                let name = match methods.len() + 1 < METHODS {
                    true => method,
                    false => b"(other)",
                };
                methods.push((name.into(), Tally::default()));
            }
            methods.len() - 1
        }
    };
    place as u8
}

fn without_query(text: &[u8]) -> &[u8] {
    match memchr::memchr2(b'?', b'#', text) {
        Some(end) => &text[..end],
        None => text,
    }
}
