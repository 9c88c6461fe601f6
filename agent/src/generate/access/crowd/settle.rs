//! The users who are on the site before the first line: in the middle of their sessions and pauses, as
//! many as the rate needs.
//!
//! All pauses are alike, so at any moment the users who wait are spread over the lines of sessions
//! evenly. One user goes through session after session without a pause, and now and then one who waits is
//! left behind there. How long that takes depends on the number of users alone: of long stays only so
//! many lines are made, each standing for several. Then these users make lines that nobody sees, for a
//! few pauses, until they come as evenly as they will later.

use std::cmp::Reverse;

use super::{AddressText, Crowd, State, Tally, Turn, User};
use crate::generate::access::world::World;
use crate::generate::draw;

/// Lines by which is found how many of the lines have a pause behind them.
const FIRST: u32 = 8192;

/// Lines of a stay that are made, about; where it has more each stands for several.
const OF_STAY: f64 = 32.0;

/// Lines between two users who are left behind: few of them come from one session,
const LEAST_APART: usize = 8;
/// and none where there are few users.
const MOST_APART: usize = 64;

/// Lines that each of them makes before the first that is seen.
const UNSEEN: u32 = 4;

/// A line of one who makes no pauses.
struct Step {
    /// The lines that it stands for.
    lines: u32,
    /// There is a pause behind it.
    waits: bool,
}

impl Crowd {
    /// Lets in, where nobody is, the users whose lines come from `begin` on (nanoseconds since the epoch)
    /// at a rate that needs `needed` users, were there a pause behind every line.
    pub fn settle(&mut self, world: &World, begin: i64, needed: f64) {
        if needed < 0.5 {
            return;
        }
        let pause = world.pause.middle().max(1e-9);
        let stay_lines = world.stay.middle() / pause;
        let each = (stay_lines / OF_STAY).ceil().max(1.0) as u32;
        let mut user = User::new(world);
        let (mut lines, mut waits) = (0_u64, 0_u64);
        for _ in 0..FIRST {
            let step = self.step(&mut user, world, each);
            lines += u64::from(step.lines);
            waits += if step.waits { step.lines.into() } else { 0 };
        }
        let count = needed * (waits as f64 / lines as f64);
        let count = count.round().min(self.most as f64) as usize;
        let apart = (FIRST as usize / count.max(1)).clamp(LEAST_APART, MOST_APART);
        let distance = waits as f64 / f64::from(FIRST) * apart as f64;
        let mut left = distance;
        let mut found = Vec::with_capacity(count);
        // About half of these steps are made.
        for _ in 0..2 * apart * count {
            if found.len() >= count {
                break;
            }
            let step = self.step(&mut user, world, each);
            if step.waits {
                left -= f64::from(step.lines);
                if left <= 0.0 {
                    left += distance;
                    let mut one = user.clone();
                    if let Some(stay) = &mut one.stay {
                        // It may be at any of the lines that this one stands for.
                        let back = draw::below(&mut self.stream, each);
                        *stay = stay.saturating_add(nanoseconds(f64::from(back) * pause));
                    }
                    found.push(one);
                }
            }
        }
        self.names.extend(user.name.take());
        let unseen = found.len() as u32 * UNSEEN;
        let step = pause / needed;
        let from = begin.saturating_sub(nanoseconds(f64::from(unseen) * step));
        for one in found {
            self.let_in(one, from, world);
        }
        for line in 0..unseen {
            let after = nanoseconds(f64::from(line) * step);
            self.next(from.saturating_add(after), world);
        }
        self.tally = Tally::default();
    }

    /// The next line of a user who makes no pauses and begins a new session behind each.
    fn step(&mut self, user: &mut User, world: &World, each: u32) -> Step {
        loop {
            if user.state == State::End {
                self.names.extend(user.name.take());
                *user = User::new(world);
            }
            if self.turn(world).act(user, 0, 0).is_none() {
                continue;
            }
            let lines = match &mut user.stay {
                Some(stay) => {
                    let more = f64::from(each - 1) * world.pause.middle();
                    *stay = stay.saturating_sub(nanoseconds(more));
                    each
                }
                None => 1,
            };
            return Step {
                lines,
                waits: user.state != State::End,
            };
        }
    }

    /// A user who is in the middle of a session and a pause.
    fn let_in(&mut self, mut user: User, now: i64, world: &World) {
        if user.name.is_some() {
            user.name = self.turn(world).draw_name();
        }
        user.address = AddressText::new(world.address(&mut self.stream));
        user.agent = world.agent(&mut self.stream);
        let due = now.saturating_add(world.pause.rest(&mut self.stream));
        self.waiting.push(Reverse((due, self.users.len() as u32)));
        self.users.push(user);
    }

    fn turn<'a>(&'a mut self, world: &'a World) -> Turn<'a> {
        Turn {
            world,
            stream: &mut self.stream,
            names: &mut self.names,
            tally: &mut self.tally,
        }
    }
}

fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}
