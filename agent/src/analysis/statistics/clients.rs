//! What clients did, and the minutes in which one did much of it.

use super::keyed::{Keyed, Tallied};
use super::tallies::{Request, Tally};
use super::unique::{Bitmap, FewUnique};
use crate::analysis::report::ClientWindow;

/// Minutes of clients that are kept.
const WINDOWS: usize = 65_536;
/// A minute is kept from this many requests on,
const BUSY: u32 = 10;
/// or from this many that were refused.
const REFUSED: u32 = 3;

/// What is counted for a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTally {
    pub(crate) tally: Tally,
    pub(crate) denied: u64,
    pub(crate) missing: u64,
    pub(crate) of_bots: u64,
    pub(crate) paths: FewUnique,
    /// Seconds since 1970; none where `first` is greater than `last`.
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) has_time: bool,
    minute: Minute,
}

/// What a client does in the minute that goes on.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    number: i64,
    requests: u32,
    denied: u32,
    missing: u32,
    failed: u32,
    paths: Bitmap,
}

impl Tallied for ClientTally {
    fn weight(&self) -> u64 {
        self.tally.requests
    }

    fn absorb(&mut self, other: &Self) {
        self.tally.absorb(&other.tally);
        self.denied += other.denied;
        self.missing += other.missing;
        self.of_bots += other.of_bots;
        self.paths.merge(&other.paths);
        if other.has_time {
            self.seen(other.first);
            self.seen(other.last);
        }
    }
}

impl ClientTally {
    #[inline]
    fn seen(&mut self, second: i64) {
        if !self.has_time {
            (self.first, self.last, self.has_time) = (second, second, true);
        }
        self.first = self.first.min(second);
        self.last = self.last.max(second);
    }

    /// Counts a request for a path with this hash. Gives the minute before, if this is another one.
    #[inline]
    fn add(&mut self, request: &Request<'_, '_>, path: u64, is_bot: bool) -> Option<Minute> {
        self.tally.add(request);
        self.of_bots += u64::from(is_bot);
        self.paths.add(path);
        let (mut denied, mut missing, mut failed) = (0, 0, 0);
        if request.class >= 4 {
            match request.entry.status {
                Some(401 | 403) => denied = 1,
                Some(404) => missing = 1,
                _ => failed = 1,
            }
            self.denied += u64::from(denied);
            self.missing += u64::from(missing);
        }
        let second = request.second?;
        self.seen(second);
        let number = second.div_euclid(60);
        let mut before = None;
        if number != self.minute.number {
            before = Some(self.minute);
            self.minute = Minute {
                number,
                ..Minute::default()
            };
        }
        let minute = &mut self.minute;
        minute.requests = minute.requests.saturating_add(1);
        minute.denied += denied;
        minute.missing += missing;
        minute.failed += failed;
        minute.paths.add(path);
        before
    }
}

/// Clients and their minutes.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) table: Keyed<ClientTally>,
    windows: Vec<RawWindow>,
    /// Minutes that weigh less are not kept.
    least: u64,
}

#[derive(Clone, Debug)]
struct RawWindow {
    client: Box<[u8]>,
    minute: Minute,
}

impl Minute {
    fn is_of_note(&self) -> bool {
        self.requests >= BUSY || self.denied + self.missing + self.failed >= REFUSED
    }

    /// What was refused counts ten times.
    fn weight(&self) -> u64 {
        let refused = u64::from(self.denied) + u64::from(self.missing) + u64::from(self.failed);
        u64::from(self.requests) + 10 * refused
    }

    fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.denied = self.denied.saturating_add(other.denied);
        self.missing = self.missing.saturating_add(other.missing);
        self.failed = self.failed.saturating_add(other.failed);
        self.paths.0 |= other.paths.0;
    }
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self {
            table: Keyed::new(100_000, 8 << 20, 255),
            windows: Vec::new(),
            least: 0,
        }
    }

    /// Counts a request; gives the hash of the client for estimates.
    #[inline]
    pub(crate) fn add(
        &mut self,
        hashes: &super::keyed::Hashes,
        request: &Request<'_, '_>,
        path: u64,
        is_bot: bool,
    ) -> u64 {
        let client = request.entry.client;
        let (slot, _) = self.table.slot(hashes, client);
        let fixed = slot.fixed;
        if let Some(minute) = slot.value.add(request, path, is_bot)
            && minute.is_of_note()
        {
            self.keep(client, minute);
        }
        fixed
    }

    /// The memory that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.windows.len() * (size_of::<RawWindow>() + 32)
    }

    fn keep(&mut self, client: &[u8], minute: Minute) {
        if minute.weight() < self.least {
            return;
        }
        if self.windows.len() >= WINDOWS {
            self.windows
                .sort_by_key(|window| std::cmp::Reverse(window.minute.weight()));
            self.windows.truncate(WINDOWS / 2);
            self.least = self
                .windows
                .last()
                .map_or(0, |last| last.minute.weight() + 1);
        }
        self.windows.push(RawWindow {
            client: client.into(),
            minute,
        });
    }

    /// Keeps the minutes that go on, before they are merged with those of others.
    pub(crate) fn end(&mut self) {
        let mut last = Vec::new();
        for (client, value) in self.table.values_mut() {
            let minute = std::mem::take(&mut value.minute);
            if minute.is_of_note() {
                last.push((Box::<[u8]>::from(client), minute));
            }
        }
        for (client, minute) in last {
            self.keep(&client, minute);
        }
    }

    /// Counts what another one did; both have ended.
    pub(crate) fn merge(&mut self, hashes: &super::keyed::Hashes, other: Self) {
        self.table.merge(hashes, &other.table, ClientTally::absorb);
        for window in other.windows {
            self.keep(&window.client, window.minute);
        }
    }

    /// The minutes, the earliest first; those that go on as far as they went.
    pub(crate) fn windows(&self, text: impl Fn(&[u8]) -> String) -> Vec<ClientWindow> {
        let is_kept = |minute: &Minute| minute.is_of_note() && minute.weight() >= self.least;
        let kept = self.windows.iter();
        let kept = kept.map(|window| (&*window.client, window.minute));
        let open = self
            .table
            .values()
            .filter(|(_, value)| is_kept(&value.minute))
            .map(|(client, value)| (client, value.minute));
        let mut windows: Vec<(&[u8], Minute)> = kept.chain(open).collect();
        windows.sort_by(|left, right| {
            let numbers = left.1.number.cmp(&right.1.number);
            numbers.then_with(|| left.0.cmp(right.0))
        });
        windows.dedup_by(|next, own| {
            let is_same = own.1.number == next.1.number && own.0 == next.0;
            if is_same {
                own.1.merge(&next.1);
            }
            is_same
        });
        windows
            .iter()
            .map(|(client, minute)| ClientWindow {
                client: text(client),
                start_s: minute.number * 60,
                requests: minute.requests,
                denied: minute.denied,
                missing: minute.missing,
                failed: minute.failed,
                distinct_paths: minute.paths.count(),
            })
            .collect()
    }
}
