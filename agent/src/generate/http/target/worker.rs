//! One thread of the target: its connections, and when each of them is answered.

mod answer;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;

use self::answer::LINGER;
use super::TargetReport;
use super::connection::Reader;
use super::site::{Asked, Planned, Rest, Site};
use crate::generate::http::arrivals::nanoseconds;
use crate::generate::http::socket::{self, Happened, Poller};
use crate::generate::stop::Stop;

/// The token of the listener.
const LISTENER: u64 = u64::MAX;

/// How often flags and idle connections are looked at, in nanoseconds.
const GLANCE: u64 = 20_000_000;

/// Connections that are taken one after the other, before others have their turn.
const ACCEPT_MOST: usize = 64;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Vacant,
    Reading,
    /// The answer is to be sent later.
    Delayed,
    Writing,
    /// It is never answered.
    Hanging,
    /// It was refused: what it still sends is thrown away, so that it can see why.
    Lingering,
}

#[derive(Debug)]
struct Connection {
    socket: Option<OwnedFd>,
    age: u32,
    state: State,
    /// Since when, in nanoseconds.
    since: u64,
    /// There may be something to read.
    may_read: bool,
    /// The other side sends no more.
    ends: bool,
    reader: Reader,
    /// What was read, and where in it what was not taken yet begins and ends.
    input: Vec<u8>,
    from: usize,
    to: usize,
    asked: Asked,
    planned: Planned,
    out: Vec<u8>,
    out_at: usize,
    rest: Rest,
    keeps: bool,
    is_refused: bool,
    answers: u64,
}

impl Connection {
    fn new() -> Self {
        Self {
            socket: None,
            age: 0,
            state: State::Vacant,
            since: 0,
            may_read: false,
            ends: false,
            reader: Reader::default(),
            input: Vec::new(),
            from: 0,
            to: 0,
            asked: Asked::default(),
            planned: Planned::default(),
            out: Vec::new(),
            out_at: 0,
            rest: Rest::Nothing,
            keeps: true,
            is_refused: false,
            answers: 0,
        }
    }
}

/// What is to happen next to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Wait,
    Close,
    Reset,
}

/// One thread of the target.
pub(super) struct Worker<'a> {
    listener: &'a TcpListener,
    site: Arc<Site>,
    /// Connections of all threads.
    open: &'a AtomicU64,
    stream: ChaCha8Rng,
    begun: Instant,
    poller: Poller,
    connections: Vec<Connection>,
    vacant: Vec<u32>,
    /// Answers that are due then.
    delayed: BinaryHeap<Reverse<(u64, u64)>>,
    report: TargetReport,
    glanced: u64,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        listener: &'a TcpListener,
        site: Arc<Site>,
        open: &'a AtomicU64,
        stream: ChaCha8Rng,
        begun: Instant,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add_listener(listener, LISTENER)?;
        Ok(Self {
            listener,
            site,
            open,
            stream,
            begun,
            poller,
            connections: Vec::new(),
            vacant: Vec::new(),
            delayed: BinaryHeap::new(),
            report: TargetReport::default(),
            glanced: 0,
        })
    }

    /// Until it is time to stop.
    pub(super) fn run(
        mut self,
        stop: &Stop,
        duration: Option<Duration>,
    ) -> io::Result<TargetReport> {
        socket::sleep_exactly();
        let end = duration.map_or(u64::MAX, nanoseconds);
        loop {
            let now = self.now();
            if now >= self.glanced.saturating_add(GLANCE) {
                if stop.is_told() || now >= end {
                    break;
                }
                self.glance(now);
            }
            self.answer_what_is_due(now);
            let next = self.delayed.peek().map_or(u64::MAX, |next| next.0.0);
            let next = next.min(self.glanced.saturating_add(GLANCE));
            let wait = Duration::from_nanos(next.saturating_sub(self.now()));
            let count = self.poller.wait(wait)?;
            for at in 0..count {
                let Some(happened) = self.poller.happened(at) else {
                    continue;
                };
                match happened.token {
                    LISTENER => self.accept(),
                    _ => self.handle(happened),
                }
            }
        }
        Ok(self.report)
    }

    #[inline]
    fn now(&self) -> u64 {
        nanoseconds(self.begun.elapsed())
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPT_MOST {
            let socket = match socket::accept(self.listener) {
                Ok(Some(socket)) => socket,
                Ok(None) => return,
                Err(_) => {
                    // No descriptors: others have to be closed first.
                    std::thread::sleep(Duration::from_millis(1));
                    return;
                }
            };
            if self.open.load(Relaxed) >= u64::from(self.site.limits.connections) {
                self.report.shut_out += 1;
                socket::reset(socket);
                continue;
            }
            let place = self.vacant.pop().unwrap_or_else(|| {
                self.connections.push(Connection::new());
                (self.connections.len() - 1) as u32
            });
            let now = self.now();
            let Some(connection) = self.connections.get_mut(place as usize) else {
                return;
            };
            connection.age = connection.age.wrapping_add(1) & 0x7fff_ffff;
            let token = u64::from(connection.age) << 32 | u64::from(place);
            if self.poller.add(&socket, token).is_err() {
                self.vacant.push(place);
                continue;
            }
            self.open.fetch_add(1, Relaxed);
            self.report.connections += 1;
            connection.socket = Some(socket);
            connection.state = State::Reading;
            connection.since = now;
            connection.may_read = false;
            connection.ends = false;
            connection.reader = Reader::default();
            (connection.from, connection.to) = (0, 0);
            connection.keeps = true;
            connection.is_refused = false;
            connection.answers = 0;
        }
    }

    #[inline]
    fn handle(&mut self, happened: Happened) {
        let place = happened.token as u32;
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return;
        };
        if connection.age != (happened.token >> 32) as u32 || connection.state == State::Vacant {
            return;
        }
        connection.may_read |= happened.reads;
        connection.ends |= happened.ends;
        self.advance(place);
    }

    fn glance(&mut self, now: u64) {
        self.glanced = now;
        let idle = nanoseconds(self.site.limits.idle);
        for place in 0..self.connections.len() as u32 {
            let Some(connection) = self.connections.get(place as usize) else {
                continue;
            };
            let most = match connection.state {
                State::Vacant | State::Delayed => continue,
                State::Reading | State::Writing | State::Hanging => idle,
                State::Lingering => LINGER,
            };
            if now.saturating_sub(connection.since) <= most {
                continue;
            }
            let rest = connection.input.get(connection.from..connection.to);
            let is_between = connection.state == State::Reading
                && !connection.reader.has_begun(rest.unwrap_or_default());
            self.report.timed_out += u64::from(!is_between && connection.state != State::Lingering);
            self.close(place, false);
        }
    }
}
