//! One thread of load: its connections, its schedule, its account.
//!
//! A connection is vacant, opening, idle or asking. In the closed loop a connection asks again as soon as it
//! has an answer; in the open loop a request takes an idle connection when it is due, else opens one, else
//! (where there are as many as there may be) waits and is late.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::arrivals::{Arrivals, Due, nanoseconds};
use super::gate::Gate;
use super::load::{Live, LoadPlan};
use super::requests::Sequence;
use super::socket::{self, Poller};
use super::spins::Spins;
use super::tally::{Ending, Fault, LATE, Stamped, Tally};
use crate::generate::stop::Stop;

mod connection;

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// How often clocks of requests, flags and the live account are looked at, in nanoseconds.
const GLANCE: u64 = 20_000_000;

/// A start that is nearer than this is waited for without sleep, in nanoseconds: to wake up takes about
/// as long.
const NEAR: u64 = 120_000;

/// After the end of a run answers are waited for no longer than this, in nanoseconds,
const DRAIN: u64 = 1_000_000_000;
/// and where it was told to stop than this.
const DRAIN_TOLD: u64 = 200_000_000;

/// In the closed loop answers are waited for without sleep for so long, in nanoseconds: a target whose
/// answer has to wake us pays for that, and we are told late.
const SPIN: u64 = 30_000;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Vacant,
    Opening,
    Idle,
    Asking,
}

/// A place for a connection.
#[derive(Debug)]
struct Slot {
    socket: Option<OwnedFd>,
    /// How many connections were here: what happened to an earlier one is no news.
    age: u32,
    phase: Phase,
    /// Since when, in nanoseconds from the start.
    since: u64,
    /// The request that is asked, when it was due and when it was sent.
    number: u64,
    intended: u64,
    sent: u64,
    to_head: bool,
    /// What of it could not be sent yet, from here on.
    out: Vec<u8>,
    out_at: usize,
    answer: Answer,
    /// Requests that were sent on this connection.
    asked: u64,
    /// Where it stands among those that are idle.
    idle_at: u32,
}

impl Slot {
    /// Puts the time of its request on record, and the request itself where each of them is wanted.
    #[inline]
    fn tell(&self, plan: &LoadPlan, tally: &mut Tally, now: u64, ending: Ending) {
        let is_open_loop = plan.arrivals != Arrivals::Closed;
        let intended = is_open_loop.then_some(self.intended);
        tally.record(self.sent, intended, now, ending);
        if plan.keeps_stamps {
            tally.stamped.push(Stamped {
                number: self.number,
                local: self.socket.as_ref().and_then(socket::local_address),
                sent: self.sent,
                ended: now,
                ending,
            });
        }
    }

    fn new() -> Self {
        Self {
            socket: None,
            age: 0,
            phase: Phase::Vacant,
            since: 0,
            number: 0,
            intended: 0,
            sent: 0,
            to_head: false,
            out: Vec::new(),
            out_at: 0,
            answer: Answer::default(),
            asked: 0,
            idle_at: 0,
        }
    }

    /// Closes what is here.
    fn close(&mut self, live: &Live) {
        if self.socket.take().is_some() && self.phase != Phase::Opening {
            live.closed();
        }
        self.phase = Phase::Vacant;
    }
}

/// What starting what is due came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing will be started any more.
    Over,
    /// Something is due then, in nanoseconds from the start.
    At(u64),
    /// Something has to happen to a connection first.
    Happens,
}

/// One thread of load.
pub(super) struct Worker<'a> {
    plan: &'a LoadPlan,
    stop: &'a Stop,
    live: &'a Live,
    begun: Instant,
    poller: Poller,
    buffer: Box<[u8]>,
    /// The request that is being put together.
    scratch: Vec<u8>,
    slots: Vec<Slot>,
    idle: Vec<u32>,
    vacant: Vec<u32>,
    /// Connections there may be.
    most: usize,
    /// Requests under way.
    busy: u64,
    gate: Gate,
    due: Due,
    sequence: Sequence,
    tally: Tally,
    is_closed_loop: bool,
    is_told: bool,
    timeout: u64,
    /// When nothing is started any more, in nanoseconds from the start.
    end: u64,
    /// When clocks were looked at.
    glanced: u64,
    reported: Reported,
    spins: Spins,
}

/// What of the account is in the live one.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    answered: u64,
    failed: u64,
    received: u64,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        plan: &'a LoadPlan,
        stop: &'a Stop,
        live: &'a Live,
        begun: Instant,
        (thread, threads): (u32, u32),
    ) -> io::Result<Self> {
        let share = plan.connections / threads + u32::from(thread < plan.connections % threads);
        Ok(Self {
            poller: Poller::new()?,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            scratch: Vec::with_capacity(4096),
            slots: Vec::new(),
            idle: Vec::new(),
            vacant: Vec::new(),
            most: share.max(1) as usize,
            busy: 0,
            gate: Gate::default(),
            due: Due::new(plan.arrivals, plan.seed, thread, threads),
            sequence: Sequence::new(&plan.requests),
            tally: Tally::new().map_err(io::Error::other)?,
            is_closed_loop: plan.arrivals == Arrivals::Closed,
            is_told: false,
            timeout: nanoseconds(plan.timeout),
            end: plan.duration.map_or(u64::MAX, nanoseconds),
            glanced: 0,
            reported: Reported::default(),
            spins: Spins::default(),
            plan,
            stop,
            live,
            begun,
        })
    }

    /// Until there is enough, the time is over, or it is time to stop.
    pub(super) fn run(mut self) -> io::Result<Tally> {
        if !self.is_closed_loop {
            socket::sleep_exactly();
        }
        let mut drain_until = None;
        loop {
            let now = self.now();
            if now >= self.glanced.saturating_add(GLANCE) {
                self.glance(now);
            }
            let next = self.start_what_is_due(now);
            if next == Next::Over {
                if self.busy == 0 {
                    break;
                }
                let until = *drain_until.get_or_insert_with(|| self.drain(now));
                // Told later, it ends sooner.
                let until = match self.is_told {
                    true => until.min(self.now().saturating_add(DRAIN_TOLD)),
                    false => until,
                };
                drain_until = Some(until);
                if now >= until {
                    break;
                }
            }
            let wait = self.wait(next);
            let count = self.poll(wait)?;
            for at in 0..count {
                if let Some(happened) = self.poller.happened(at) {
                    self.handle(happened);
                }
            }
        }
        self.finish();
        Ok(self.tally)
    }

    /// Waits until something happens, so long at most.
    #[inline]
    fn poll(&mut self, most: Duration) -> io::Result<usize> {
        if self.is_closed_loop && self.busy > 0 && self.spins.begin() {
            let until = self.now().saturating_add(SPIN);
            loop {
                let count = self.poller.wait(Duration::ZERO)?;
                if count > 0 {
                    self.spins.found();
                    return Ok(count);
                }
                if self.now() >= until {
                    break;
                }
            }
            self.spins.missed();
        }
        self.poller.wait(most)
    }

    #[inline]
    fn now(&self) -> u64 {
        nanoseconds(self.begun.elapsed())
    }

    /// Until when the requests that were started stand for: in the open loop until the next would be due.
    fn starts_over(&self, now: u64) -> u64 {
        let until = match self.is_closed_loop || self.is_told {
            true => now,
            false => now.max(self.due.at()),
        };
        until.min(self.end)
    }

    /// Nothing is started any more: writes down when that was, and how late.
    fn end_starts(&mut self, now: u64) {
        self.tally.starts_over = self.starts_over(now);
        if !self.is_closed_loop {
            self.tally.behind = now.saturating_sub(self.due.at());
        }
    }

    /// When answers are waited for no longer.
    fn drain(&mut self, now: u64) -> u64 {
        self.end_starts(now);
        let is_counted = self
            .plan
            .count
            .is_some_and(|count| self.due.number() >= count);
        // The last start of the open loop is over before the end is there.
        let is_cut = self.is_told || now >= self.end || !is_counted;
        let most = match is_cut {
            true => {
                let rest = self.tally.starts_over.saturating_sub(now);
                rest.saturating_add(DRAIN.min(self.timeout))
            }
            // Every request of a number that was asked for ends in some way.
            false => self.timeout.saturating_add(2 * GLANCE),
        };
        now.saturating_add(most)
    }

    fn wait(&self, next: Next) -> Duration {
        let now = self.now();
        let nanoseconds = match next {
            Next::Over | Next::Happens => GLANCE,
            Next::At(then) => match then.saturating_sub(now) {
                left if left <= NEAR && !self.is_closed_loop => 0,
                left if self.is_closed_loop => left,
                left => left - NEAR,
            },
        };
        let glance = self.glanced.saturating_add(GLANCE).saturating_sub(now);
        Duration::from_nanos(nanoseconds.min(glance))
    }

    /// Whether request `number` is still to be started.
    #[inline]
    fn is_over(&self, now: u64) -> bool {
        self.is_told
            || self
                .plan
                .count
                .is_some_and(|count| self.due.number() >= count)
            || (self.is_closed_loop && now >= self.end)
            || self.due.at() >= self.end
    }

    fn start_what_is_due(&mut self, now: u64) -> Next {
        loop {
            if self.is_over(now) {
                return Next::Over;
            }
            let intended = self.due.at();
            if intended > now {
                return Next::At(intended);
            }
            if !self.is_closed_loop && self.is_hopeless(intended, now) {
                self.tally.dropped += 1;
                self.due.advance();
                continue;
            }
            if !self.gate.admits(now) {
                return Next::At(self.gate.opens_at());
            }
            let Some(place) = self.free_slot() else {
                return Next::Happens;
            };
            self.start(place, now);
        }
    }

    /// Whether a start is given up: the target is down, or it would come too late.
    fn is_hopeless(&self, intended: u64, now: u64) -> bool {
        !self.gate.admits(now)
            || now - intended > self.timeout
            || now > self.end.saturating_add(GLANCE)
    }

    /// A connection that is idle, else a place for one.
    #[inline]
    fn free_slot(&mut self) -> Option<u32> {
        if let Some(place) = self.idle.pop() {
            return Some(place);
        }
        if let Some(place) = self.vacant.pop() {
            return Some(place);
        }
        if self.slots.len() < self.most {
            self.slots.push(Slot::new());
            return Some(self.slots.len() as u32 - 1);
        }
        None
    }

    /// Starts the next request there.
    #[inline]
    fn start(&mut self, place: u32, now: u64) {
        let number = self.due.number();
        let intended = if self.is_closed_loop {
            now
        } else {
            self.due.at()
        };
        self.due.advance();
        self.gate.passed(now);
        self.tally.started += 1;
        self.busy += 1;
        self.scratch.clear();
        let to_head = self.sequence.write(number, &mut self.scratch);
        if !self.is_closed_loop {
            let late = now.saturating_sub(intended);
            self.tally.late += u64::from(late > LATE);
            self.tally.lateness.saturating_record(late);
        }
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        slot.number = number;
        slot.intended = intended;
        slot.to_head = to_head;
        slot.sent = now;
        slot.out.clear();
        slot.out_at = 0;
        match slot.phase {
            Phase::Idle => self.ask(place, now),
            _ => {
                slot.out.extend_from_slice(&self.scratch);
                self.open(place, now);
            }
        }
    }

    /// Looks at what is looked at now and then.
    fn glance(&mut self, now: u64) {
        self.glanced = now;
        self.is_told = self.is_told || self.stop.is_told();
        for place in 0..self.slots.len() as u32 {
            let Some(slot) = self.slots.get(place as usize) else {
                continue;
            };
            let fault = match slot.phase {
                Phase::Opening => Fault::ConnectTimeout,
                Phase::Asking => Fault::Timeout,
                Phase::Idle | Phase::Vacant => continue,
            };
            if now.saturating_sub(slot.since) > self.timeout {
                self.fail(place, fault);
            }
        }
        self.report();
    }

    /// Brings the live account up to date.
    fn report(&mut self) {
        let now = Reported {
            answered: self.tally.answered,
            failed: self.tally.failed(),
            received: self.tally.received,
        };
        let before = std::mem::replace(&mut self.reported, now);
        let live = self.live;
        live.answered
            .fetch_add(now.answered - before.answered, Relaxed);
        live.failed.fetch_add(now.failed - before.failed, Relaxed);
        live.received
            .fetch_add(now.received - before.received, Relaxed);
    }

    /// Closes the account.
    fn finish(&mut self) {
        let now = self.now();
        if self.tally.starts_over == 0 {
            self.end_starts(now);
        }
        for slot in &self.slots {
            if !matches!(slot.phase, Phase::Opening | Phase::Asking) {
                continue;
            }
            self.tally.unfinished += 1;
            slot.tell(self.plan, &mut self.tally, now, Ending::Unfinished);
        }
        self.report();
    }
}
