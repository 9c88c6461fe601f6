//! What becomes of a connection that can go on: it is read, answered when that is due, written to, closed.

use std::cmp::Reverse;
use std::sync::atomic::Ordering::Relaxed;

use rustix::net::{Shutdown, shutdown};

use super::super::config::Misdeed;
use super::super::connection::Came;
use super::super::site::{Asked, Rest};
use super::{Connection, State, Then, Worker};
use crate::generate::http::arrivals::nanoseconds;
use crate::generate::http::socket;

/// Bytes that a connection begins with for what it reads.
const INPUT: usize = 2048;

/// How long a refused client may take to see why, in nanoseconds.
pub(super) const LINGER: u64 = 1_000_000_000;

/// What a garbled answer is.
const GARBAGE: &[u8] = b"\x16\x03\x01\x02\x00not HTTP at all\r\n\r\n";

impl Worker<'_> {
    /// Goes on as far as it is possible now.
    #[inline]
    pub(super) fn advance(&mut self, place: u32) {
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

    pub(super) fn answer_what_is_due(&mut self, now: u64) {
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

    pub(super) fn close(&mut self, place: u32, is_reset: bool) {
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
