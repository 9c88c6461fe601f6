//! What happens on one connection of a [`Worker`]: it opens, asks, is answered, fails.

use rustix::io::Errno;

use super::{BUFFER, Phase, Worker};
use crate::generate::http::answer::Whole;
use crate::generate::http::socket::{self, Happened};
use crate::generate::http::tally::{Ending, Fault};

impl Worker<'_> {
    /// Opens a connection in this place.
    pub(super) fn open(&mut self, place: u32, now: u64) {
        let opened = socket::connect(self.plan.address);
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        slot.age = slot.age.wrapping_add(1);
        slot.phase = Phase::Opening;
        slot.since = now;
        slot.asked = 0;
        let token = u64::from(slot.age) << 32 | u64::from(place);
        match opened {
            Ok(socket) => {
                let added = self.poller.add(&socket, token);
                slot.socket = Some(socket);
                if added.is_err() {
                    self.fail(place, Fault::Local);
                }
            }
            Err(errno) => self.fail(place, Fault::from(errno)),
        }
    }

    /// Sends the request in `scratch`, on a connection that is open.
    #[inline]
    pub(super) fn ask(&mut self, place: u32, now: u64) {
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        slot.phase = Phase::Asking;
        slot.since = now;
        slot.sent = now;
        slot.asked += 1;
        slot.answer.begin(slot.to_head);
        let Some(socket) = &slot.socket else {
            return;
        };
        match socket::write(socket, &self.scratch) {
            Ok(count) => {
                let count = count.unwrap_or(0);
                self.tally.sent += count as u64;
                if let Some(rest) = self.scratch.get(count..).filter(|rest| !rest.is_empty()) {
                    slot.out.extend_from_slice(rest);
                }
            }
            Err(errno) => self.fail(place, Fault::from(errno)),
        }
    }

    /// Sends what is left of a request.
    fn go_on_asking(&mut self, place: u32) {
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        let rest = slot.out.get(slot.out_at..).unwrap_or_default();
        let Some(socket) = slot.socket.as_ref().filter(|_| !rest.is_empty()) else {
            return;
        };
        match socket::write(socket, rest) {
            Ok(count) => {
                let count = count.unwrap_or(0);
                slot.out_at += count;
                self.tally.sent += count as u64;
            }
            // It may have answered before it closed: what there is to read decides.
            Err(Errno::PIPE | Errno::CONNRESET) => slot.out.clear(),
            Err(errno) => self.fail(place, Fault::from(errno)),
        }
    }

    #[inline]
    pub(super) fn handle(&mut self, happened: Happened) {
        let place = happened.token as u32;
        let age = (happened.token >> 32) as u32;
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        if slot.age != age {
            return;
        }
        match slot.phase {
            Phase::Vacant => {}
            Phase::Opening => {
                if !happened.writes {
                    return;
                }
                let Some(socket) = &slot.socket else {
                    return;
                };
                match socket::connected(socket) {
                    Ok(()) => {
                        self.tally.connections += 1;
                        self.live.opened();
                        // Who speaks before it is asked answers something else.
                        let early = match socket::read(socket, &mut self.buffer) {
                            Ok(None) => None,
                            Ok(Some(0)) => Some(Fault::ClosedEarly),
                            Ok(Some(count)) => {
                                self.tally.received += count as u64;
                                self.tally.unasked += count as u64;
                                Some(Fault::Framing)
                            }
                            Err(errno) => Some(Fault::from(errno)),
                        };
                        if let Some(fault) = early {
                            slot.phase = Phase::Asking;
                            return self.fail(place, fault);
                        }
                        std::mem::swap(&mut self.scratch, &mut slot.out);
                        slot.out.clear();
                        let now = self.now();
                        self.ask(place, now);
                        if happened.reads {
                            self.read(place, happened.ends);
                        }
                    }
                    Err(errno) => self.fail(place, Fault::from(errno)),
                }
            }
            Phase::Asking => {
                if happened.writes {
                    self.go_on_asking(place);
                }
                if happened.reads {
                    self.read(place, happened.ends);
                }
            }
            Phase::Idle if happened.reads => self.read_unasked(place),
            Phase::Idle => {}
        }
    }

    /// Reads an answer. `ends`: there is an end to be seen behind what is there.
    #[inline]
    fn read(&mut self, place: u32, ends: bool) {
        loop {
            let Some(slot) = self.slots.get_mut(place as usize) else {
                return;
            };
            let Some(socket) = slot.socket.as_ref().filter(|_| slot.phase == Phase::Asking) else {
                return;
            };
            let taken = match socket::read(socket, &mut self.buffer) {
                Ok(None) => return,
                Ok(Some(0)) => match slot.answer.close() {
                    Ok(whole) => Ok(Some(whole)),
                    Err(wrong) => Err(Fault::from(wrong)),
                },
                Ok(Some(count)) => {
                    self.tally.received += count as u64;
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    match slot.answer.take(bytes) {
                        // The kernel had no more than that, and says so when it has.
                        Ok(None) if count < BUFFER && !ends => return,
                        Ok(whole) => Ok(whole),
                        Err(wrong) => Err(Fault::from(wrong)),
                    }
                }
                Err(errno) => Err(Fault::from(errno)),
            };
            match taken {
                Ok(None) => {}
                Ok(Some(whole)) => return self.answered(place, whole, ends),
                Err(fault) => return self.fail(place, fault),
            }
        }
    }

    /// Something came, or it ended, where nothing was asked.
    fn read_unasked(&mut self, place: u32) {
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        let Some(socket) = &slot.socket else {
            return;
        };
        match socket::read(socket, &mut self.buffer) {
            Ok(None) => return,
            Ok(Some(count)) => {
                self.tally.received += count as u64;
                self.tally.unasked += count as u64;
            }
            Err(_) => {}
        }
        slot.close(self.live);
        // The last one takes its place.
        let at = slot.idle_at as usize;
        self.idle.swap_remove(at);
        if let Some(moved) = self.idle.get(at)
            && let Some(moved) = self.slots.get_mut(*moved as usize)
        {
            moved.idle_at = at as u32;
        }
        self.vacant.push(place);
    }

    /// An answer is there. `ends`: so is the end of the connection.
    #[inline]
    fn answered(&mut self, place: u32, whole: Whole, ends: bool) {
        let now = self.now();
        self.busy -= 1;
        self.gate.answered();
        self.tally.answer(&whole);
        self.tally.last_end = now;
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        slot.tell(self.plan, &mut self.tally, now, Ending::Answered(whole));
        // A request that is still being sent has been answered too early to go on with.
        let is_sent = slot.out_at >= slot.out.len();
        let is_worn = self
            .plan
            .requests_per_connection
            .is_some_and(|most| slot.asked >= most);
        if whole.is_kept && is_sent && !is_worn && !ends {
            slot.phase = Phase::Idle;
        } else {
            slot.close(self.live);
        }
        if self.is_closed_loop && !self.is_over(now) && self.gate.admits(now) {
            return self.start(place, now);
        }
        self.put_back(place);
    }

    #[cold]
    pub(super) fn fail(&mut self, place: u32, fault: Fault) {
        let now = self.now();
        self.busy -= 1;
        self.gate.failed(now);
        self.tally.fail(fault);
        // How long we were patient says nothing of how fast the target is.
        if !fault.is_patience() {
            self.tally.last_end = now;
        }
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return;
        };
        slot.tell(self.plan, &mut self.tally, now, Ending::Failed(fault));
        slot.close(self.live);
        self.put_back(place);
    }

    #[inline]
    fn put_back(&mut self, place: u32) {
        match self.slots.get_mut(place as usize) {
            Some(slot) if slot.phase == Phase::Idle => {
                slot.idle_at = self.idle.len() as u32;
                self.idle.push(place);
            }
            _ => self.vacant.push(place),
        }
    }
}
