//! The groups of the minutes that records come for now, in memory. What a record costs here, it costs
//! each: once its values are known nothing is allocated.
//!
//! Values that come first have a place; where a minute has [`KEPT`] of a kind, new ones count for
//! others, so that no client makes it grow. All minutes together are held to [`BYTES_MOST`]: the writer
//! writes and forgets those that were not used for longest.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use super::slowest::Slowest;
use super::{Kind, MINUTE, VALUE_BYTES, floor};
use crate::analysis::template::{Template, Templates};
use crate::http::exchange::record::{ExchangeRecord, Role};
use crate::sink::sqlite::tally::{Addend, Tally};

/// Values of a kind and minute that are told apart in memory. More than are written, so that those
/// that turn out to be the most frequent may have come late.
const KEPT: usize = 1000;
/// Methods that are told apart.
const METHODS: usize = 64;
/// Places of path templates.
const TEMPLATES: usize = 8192;
/// Memory for groups, in about so many bytes.
const BYTES_MOST: usize = 48 << 20;
/// Minutes in memory, of both roles.
const MINUTES_MOST: usize = 3000;
/// What a group takes beside its value, about.
const GROUP_BYTES: usize = 640;

/// The groups that are in memory, and what tells endpoints apart.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(super) minutes: Vec<Minute>,
    /// Where the last record went.
    last: usize,
    templates: Templates,
    pub(super) methods: Vec<Box<str>>,
    /// Counts uses of minutes.
    uses: u64,
    bytes: usize,
    pub(super) written: super::written::Written,
}

/// The groups of a minute and role.
#[derive(Debug)]
pub(super) struct Minute {
    /// Its first second.
    pub(super) time: i64,
    pub(super) role: Role,
    /// Something was added since it was written.
    pub(super) changed: bool,
    used: u64,
    pub(super) all: Tally,
    pub(super) slowest: Slowest,
    pub(super) endpoints: Table<(u8, Template)>,
    pub(super) hosts: Table<Box<str>>,
    pub(super) clients: Table<IpAddr>,
    pub(super) agents: Table<Box<str>>,
    pub(super) methods: Table<u8>,
    pub(super) statuses: Table<u16>,
}

/// The groups of a kind.
#[derive(Debug)]
pub(super) struct Table<K> {
    pub(super) groups: HashMap<K, Tally, foldhash::fast::RandomState>,
    pub(super) others: Tally,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            groups: HashMap::default(),
            others: Tally::default(),
        }
    }
}

impl<K: Eq + Hash> Table<K> {
    /// The group of this value; that of others where there is no room. Gives the memory that it took.
    fn group<Q>(&mut self, value: &Q, length: usize) -> (&mut Tally, usize)
    where
        Q: Eq + Hash + ?Sized,
        K: std::borrow::Borrow<Q>,
        Q: ToKey<K>,
    {
        if length > VALUE_BYTES {
            return (&mut self.others, 0);
        }
        let mut taken = 0;
        if !self.groups.contains_key(value) {
            if self.groups.len() >= KEPT {
                return (&mut self.others, 0);
            }
            taken = length + GROUP_BYTES;
            self.groups.insert(value.to_key(), Tally::default());
        }
        // It has just been made.
        (
            self.groups.get_mut(value).unwrap_or(&mut self.others),
            taken,
        )
    }

    /// Counts an exchange. Gives the memory that it took.
    fn add<Q>(&mut self, value: &Q, length: usize, addend: &Addend) -> usize
    where
        Q: Eq + Hash + ToKey<K> + ?Sized,
        K: std::borrow::Borrow<Q>,
    {
        // One search where it is there, which is nearly always.
        if let Some(tally) = self.groups.get_mut(value) {
            tally.add(addend);
            return 0;
        }
        let (tally, taken) = self.group(value, length);
        tally.add(addend);
        taken
    }
}

/// What becomes the key of a table.
pub(super) trait ToKey<K> {
    fn to_key(&self) -> K;
}

impl ToKey<Box<Self>> for str {
    fn to_key(&self) -> Box<Self> {
        self.into()
    }
}

impl<K: Copy> ToKey<K> for K {
    fn to_key(&self) -> K {
        *self
    }
}

impl Groups {
    pub(super) fn new(written: super::written::Written) -> Self {
        Self {
            minutes: Vec::new(),
            last: 0,
            templates: Templates::new(TEMPLATES),
            methods: Vec::new(),
            uses: 0,
            bytes: 0,
            written,
        }
    }

    /// Counts an exchange whose minute is in memory; false: it is not, and is to be read first.
    pub(super) fn add(&mut self, id: i64, record: &ExchangeRecord<'_>, addend: &Addend) -> bool {
        let time = floor(record.ts.as_second(), MINUTE);
        if !self.turn_to(time, record.role) {
            return false;
        }
        let method = record.method.map(|method| self.method(method));
        let endpoint = match (method, record.target) {
            (Some(method), Some(target)) => Some((method, self.template(target))),
            _ => None,
        };
        let minute = &mut self.minutes[self.last];
        minute.changed = true;
        minute.all.add(addend);
        if let Some(latency) = addend.ttfb_us {
            minute.slowest.add(latency, id);
        }
        let mut taken = 0;
        if let Some(endpoint) = endpoint {
            taken += match endpoint.1 {
                Template::OTHER => {
                    minute.endpoints.others.add(addend);
                    0
                }
                _ => minute.endpoints.add(&endpoint, 0, addend),
            };
        }
        if let Some(method) = method {
            taken += minute.methods.add(&method, 0, addend);
        }
        if let Some(host) = record.host {
            taken += minute.hosts.add(host, host.len(), addend);
        }
        if let Some(agent) = record.user_agent {
            taken += minute.agents.add(agent, agent.len(), addend);
        }
        if let Some(status) = record.status {
            taken += minute.statuses.add(&status, 0, addend);
        }
        taken += minute.clients.add(&record.src_ip, 0, addend);
        self.bytes += taken;
        self.written.pending += 1;
        true
    }

    /// Makes the minute the one that is added to, if it is in memory.
    fn turn_to(&mut self, time: i64, role: Role) -> bool {
        let is_wanted = |minute: &Minute| minute.time == time && minute.role == role;
        if !self.minutes.get(self.last).is_some_and(is_wanted) {
            let Some(found) = self.minutes.iter().rposition(is_wanted) else {
                return false;
            };
            self.last = found;
            self.uses += 1;
            self.minutes[found].used = self.uses;
        }
        true
    }

    /// Puts a minute into memory, without any groups.
    pub(super) fn begin(&mut self, time: i64, role: Role) {
        self.uses += 1;
        self.last = self.minutes.len();
        self.minutes.push(Minute {
            time,
            role,
            changed: false,
            used: self.uses,
            all: Tally::default(),
            slowest: Slowest::default(),
            endpoints: Table::default(),
            hosts: Table::default(),
            clients: Table::default(),
            agents: Table::default(),
            methods: Table::default(),
            statuses: Table::default(),
        });
    }

    /// The group of the minute begun last that a row names; None: that of others of the kind.
    pub(super) fn group_as_written(&mut self, kind: Kind, value: Option<&str>) -> &mut Tally {
        let endpoint = match (kind, value.and_then(|value| value.split_once(' '))) {
            (Kind::Endpoint, Some((method, path))) => {
                Some((self.method(method), self.template(path)))
            }
            _ => None,
        };
        let method = match (kind, value) {
            (Kind::Method, Some(method)) => Some(self.method(method)),
            _ => None,
        };
        let last = self.last;
        let minute = &mut self.minutes[last];
        let length = value.map_or(0, str::len);
        let (tally, taken) = match (kind, value) {
            (Kind::All | Kind::Slowest, _) => (&mut minute.all, 0),
            (Kind::Endpoint, _) => match endpoint {
                Some(endpoint) if endpoint.1 != Template::OTHER => {
                    minute.endpoints.group(&endpoint, 0)
                }
                _ => (&mut minute.endpoints.others, 0),
            },
            (Kind::Method, _) => match method {
                Some(method) => minute.methods.group(&method, 0),
                None => (&mut minute.methods.others, 0),
            },
            (Kind::Host, Some(host)) => minute.hosts.group(host, length),
            (Kind::Host, None) => (&mut minute.hosts.others, 0),
            (Kind::UserAgent, Some(agent)) => minute.agents.group(agent, length),
            (Kind::UserAgent, None) => (&mut minute.agents.others, 0),
            (Kind::Client, _) => match value.and_then(|value| value.parse().ok()) {
                Some(client) => minute.clients.group::<IpAddr>(&client, 0),
                None => (&mut minute.clients.others, 0),
            },
            (Kind::Status, _) => match value.and_then(|value| value.parse().ok()) {
                Some(status) => minute.statuses.group::<u16>(&status, 0),
                None => (&mut minute.statuses.others, 0),
            },
        };
        self.bytes += taken;
        tally
    }

    /// The keys of the slowest of the minute begun last.
    pub(super) fn slowest_as_written(&mut self) -> &mut Slowest {
        let last = self.last;
        &mut self.minutes[last].slowest
    }

    /// Whether more is in memory than is to be.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > BYTES_MOST || self.minutes.len() >= MINUTES_MOST
    }

    /// Forgets all minutes but those used last, until half of the room is free. They are written.
    pub(super) fn forget(&mut self, keep: usize) {
        self.minutes.sort_by_key(|minute| minute.used);
        while self.minutes.len() > keep {
            self.minutes.remove(0);
        }
        self.last = self.minutes.len().saturating_sub(1);
        self.bytes = self.minutes.iter().map(Minute::bytes).sum();
    }

    /// The number of a method; one for all beyond the bound.
    fn method(&mut self, method: &str) -> u8 {
        if let Some(place) = self.methods.iter().position(|known| **known == *method) {
            return place as u8;
        }
        if self.methods.len() >= METHODS || method.len() > VALUE_BYTES {
            return METHODS as u8;
        }
        self.methods.push(method.into());
        (self.methods.len() - 1) as u8
    }

    /// The name of a method by its number.
    pub(super) fn method_name(&self, method: u8) -> Option<&str> {
        self.methods.get(usize::from(method)).map(AsRef::as_ref)
    }

    /// The name of an endpoint.
    pub(super) fn endpoint_name(&self, (method, template): (u8, Template)) -> Option<String> {
        let method = self.method_name(method)?;
        let name = format!("{method} {}", self.templates.name(template));
        (name.len() <= VALUE_BYTES).then_some(name)
    }

    fn template(&mut self, target: &str) -> Template {
        let template = self.templates.place(target.as_bytes());
        if !self.templates.has_merged() {
            return template;
        }
        self.merge_templates();
        // The one that was found may be a part of another one now.
        let template = self.templates.place(target.as_bytes());
        self.merge_templates();
        template
    }

    fn merge_templates(&mut self) {
        for (from, into) in self.templates.take_merged() {
            for minute in &mut self.minutes {
                for method in 0..=METHODS as u8 {
                    let Some(gone) = minute.endpoints.groups.remove(&(method, from)) else {
                        continue;
                    };
                    minute.changed = true;
                    let groups = &mut minute.endpoints.groups;
                    groups.entry((method, into)).or_default().merge(&gone);
                }
            }
        }
    }
}

impl Minute {
    fn bytes(&self) -> usize {
        let texts = |table: &Table<Box<str>>| -> usize {
            let texts = table.groups.keys().map(|value| value.len() + GROUP_BYTES);
            texts.sum()
        };
        let fixed = self.endpoints.groups.len()
            + self.clients.groups.len()
            + self.methods.groups.len()
            + self.statuses.groups.len();
        texts(&self.hosts) + texts(&self.agents) + fixed * GROUP_BYTES
    }
}
