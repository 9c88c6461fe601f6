//! One thread of the target: its connections, and when each of them is answered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rustix::net::{Shutdown, shutdown};

use super::TargetReport;
use super::config::Misdeed;
use super::connection::{Came, Reader};
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

/// Bytes that a connection begins with for what it reads.
const INPUT: usize = 2048;

/// How long a refused client may take to see why, in nanoseconds.
const LINGER: u64 = 1_000_000_000;

/// What a garbled answer is.
const GARBAGE: &[u8] = b"\x16\x03\x01\x02\x00not HTTP at all\r\n\r\n";

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

    /// Goes on as far as it is possible now.
    #[inline]
    fn advance(&mut self, place: u32) {
        loop {
            let Some(connection) = self.connections.get_mut(place as usize) else {
                return;
            };
            let then = match connection.state {
                State::Reading => self.read(place),
                State::Writing => self.write(place),
                State::Lingering => self.throw_away(place),
                State::Hanging if connection.ends => Then::Close,
                State::Hanging | State::Delayed | State::Vacant => Then::Wait,
            };
            match then {
                Then::GoOn => {}
                Then::Wait => return,
                Then::Close => return self.close(place, false),
                Then::Reset => return self.close(place, true),
            }
        }
    }

    #[inline]
    fn read(&mut self, place: u32) -> Then {
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return Then::Wait;
        };
        let bytes = connection.input.get(connection.from..connection.to);
        let bytes = bytes.unwrap_or_default();
        if !bytes.is_empty() {
            let (taken, came) = connection.reader.take(&self.site, bytes);
            connection.from += taken;
            match came {
                Came::More { is_awaited } => {
                    let nothing_more = connection.from == connection.to;
                    if let Some(socket) = connection
                        .socket
                        .as_ref()
                        .filter(|_| is_awaited && nothing_more)
                    {
                        let sent = socket::write(socket, b"HTTP/1.1 100 Continue\r\n\r\n");
                        self.report.sent += sent.ok().flatten().unwrap_or(0) as u64;
                    }
                }
                Came::Request(asked) => return self.plan(place, asked),
                Came::Refused(status) => return self.refuse(place, status),
            }
        }
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return Then::Wait;
        };
        if !connection.may_read {
            return Then::Wait;
        }
        make_room(connection, self.site.limits.head as usize);
        let room = connection
            .input
            .get_mut(connection.to..)
            .unwrap_or_default();
        let size = room.len();
        let Some(socket) = &connection.socket else {
            return Then::Close;
        };
        match socket::read(socket, room) {
            Ok(Some(0)) | Err(_) => Then::Close,
            Ok(Some(count)) => {
                self.report.received += count as u64;
                connection.to += count;
                // The kernel had no more, and says so when it has.
                connection.may_read = count == size || connection.ends;
                Then::GoOn
            }
            Ok(None) => {
                connection.may_read = false;
                Then::Wait
            }
        }
    }

    /// A request is there.
    #[inline]
    fn plan(&mut self, place: u32, asked: Asked) -> Then {
        self.report.requests += 1;
        let planned = self.site.plan(&asked, &mut self.stream);
        let now = if planned.delay > 0 { self.now() } else { 0 };
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return Then::Wait;
        };
        connection.answers += 1;
        connection.asked = asked;
        connection.planned = planned;
        let most = self.site.limits.requests;
        if most.is_some_and(|most| connection.answers >= most) {
            connection.asked.keeps = false;
        }
        if planned.delay > 0 {
            connection.state = State::Delayed;
            let token = u64::from(connection.age) << 32 | u64::from(place);
            let due = now.saturating_add(planned.delay);
            self.delayed.push(Reverse((due, token)));
            return Then::Wait;
        }
        self.answer(place)
    }

    /// Answers what is asked, or does what it should not.
    #[inline]
    fn answer(&mut self, place: u32) -> Then {
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return Then::Wait;
        };
        connection.state = State::Writing;
        connection.out.clear();
        connection.out_at = 0;
        connection.rest = Rest::Nothing;
        if let Some(misdeed) = connection.planned.misdeed {
            self.report.faults += 1;
            connection.keeps = false;
            match misdeed {
                Misdeed::Hang => {
                    connection.state = State::Hanging;
                    connection.since = nanoseconds(self.begun.elapsed());
                    return Then::GoOn;
                }
                Misdeed::Reset => return Then::Reset,
                Misdeed::Close => return Then::Close,
                Misdeed::Garbage => {
                    connection.out.extend_from_slice(GARBAGE);
                    return Then::GoOn;
                }
                Misdeed::Cut | Misdeed::Framing => {}
            }
        }
        let answered =
            self.site
                .answer(&connection.asked, &connection.planned, &mut connection.out);
        (connection.rest, connection.keeps) = answered;
        Then::GoOn
    }

    fn answer_what_is_due(&mut self, now: u64) {
        while let Some(Reverse((due, token))) = self.delayed.peek().copied() {
            if due > now {
                return;
            }
            self.delayed.pop();
            let place = token as u32;
            let connection = self.connections.get(place as usize);
            let is_there = connection.is_some_and(|connection| {
                connection.age == (token >> 32) as u32 && connection.state == State::Delayed
            });
            if !is_there {
                continue;
            }
            match self.answer(place) {
                Then::Close => self.close(place, false),
                Then::Reset => self.close(place, true),
                Then::GoOn | Then::Wait => self.advance(place),
            }
        }
    }

    /// Says what is wrong, and ends the connection.
    fn refuse(&mut self, place: u32, status: u16) -> Then {
        self.report.refused += 1;
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return Then::Wait;
        };
        let reason = match status {
            413 => "Content Too Large",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            505 => "HTTP Version Not Supported",
            _ => "Bad Request",
        };
        let answer = format!(
            "HTTP/1.1 {status} {reason}\r\nServer: tapline\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        connection.out.clear();
        connection.out.extend_from_slice(answer.as_bytes());
        connection.out_at = 0;
        connection.rest = Rest::Nothing;
        connection.keeps = false;
        connection.is_refused = true;
        connection.state = State::Writing;
        Then::GoOn
    }

    #[inline]
    fn write(&mut self, place: u32) -> Then {
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return Then::Wait;
        };
        loop {
            let ready = connection.out.get(connection.out_at..).unwrap_or_default();
            if ready.is_empty() {
                if connection.rest == Rest::Nothing {
                    break;
                }
                connection.out.clear();
                connection.out_at = 0;
                self.site.fill(&mut connection.rest, &mut connection.out);
                continue;
            }
            let Some(socket) = &connection.socket else {
                return Then::Close;
            };
            match socket::write(socket, ready) {
                Ok(Some(count)) => {
                    self.report.sent += count as u64;
                    connection.out_at += count;
                    if connection.out_at < connection.out.len() {
                        connection.since = nanoseconds(self.begun.elapsed());
                    }
                }
                Ok(None) => return Then::Wait,
                Err(_) => return Then::Close,
            }
        }
        self.report.answers += 1;
        if connection.is_refused {
            let Some(socket) = &connection.socket else {
                return Then::Close;
            };
            if shutdown(socket, Shutdown::Write).is_err() {
                return Then::Close;
            }
            connection.state = State::Lingering;
            connection.may_read = true;
            connection.since = nanoseconds(self.begun.elapsed());
            return Then::GoOn;
        }
        if !connection.keeps {
            return Then::Close;
        }
        connection.state = State::Reading;
        connection.since = nanoseconds(self.begun.elapsed());
        Then::GoOn
    }

    fn throw_away(&mut self, place: u32) -> Then {
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return Then::Wait;
        };
        (connection.from, connection.to) = (0, 0);
        make_room(connection, INPUT);
        let Some(socket) = &connection.socket else {
            return Then::Close;
        };
        match socket::read(socket, &mut connection.input) {
            Ok(Some(0)) | Err(_) => Then::Close,
            Ok(Some(count)) => {
                self.report.received += count as u64;
                let now = nanoseconds(self.begun.elapsed());
                match now.saturating_sub(connection.since) > LINGER {
                    true => Then::Close,
                    false => Then::GoOn,
                }
            }
            Ok(None) => Then::Wait,
        }
    }

    fn close(&mut self, place: u32, is_reset: bool) {
        let Some(connection) = self.connections.get_mut(place as usize) else {
            return;
        };
        if let Some(socket) = connection.socket.take() {
            self.open.fetch_sub(1, Relaxed);
            match is_reset {
                true => socket::reset(socket),
                false => drop(socket),
            }
        }
        connection.state = State::Vacant;
        // What one client needed is not kept for the next.
        if connection.input.len() > 4 * INPUT {
            connection.input = Vec::new();
        }
        if connection.out.capacity() > 4 * INPUT {
            connection.out = Vec::new();
        }
        self.vacant.push(place);
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

/// Makes room for more: what was taken goes, then there is more of it, up to what a head may have.
#[inline]
fn make_room(connection: &mut Connection, head_most: usize) {
    if connection.from == connection.to {
        (connection.from, connection.to) = (0, 0);
    } else if connection.from > 0 {
        connection
            .input
            .copy_within(connection.from..connection.to, 0);
        connection.to -= connection.from;
        connection.from = 0;
    }
    if connection.to == connection.input.len() {
        let size = (connection.input.len() * 2).clamp(INPUT, head_most.max(INPUT) + INPUT);
        connection.input.resize(size.max(connection.to + 1), 0);
    }
}
