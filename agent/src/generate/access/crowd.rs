//! The users who are on the site, and whose turn it is. Pure: the time of each line is given.
//!
//! For every line the user is taken who has waited longest beyond the end of the pause; where no pause is
//! over, a new user comes. So there are as many users as the rate of lines needs, and each pauses as
//! long as the configuration says. Where the rate needs more users than there may be, pauses are cut
//! short: the clock by which users pause goes on to the end of the pause that ends first.
//!
//! A site that is watched from some moment on has users in the middle of their sessions: [`Crowd::settle`]
//! lets them in before the first line.

mod settle;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use rand_chacha::ChaCha8Rng;

use super::hit::{AddressText, Hit};
use super::outcome::Outcome;
use super::site::{PageNumber, Site, TargetNumber};
use super::state::State;
use super::world::World;
use crate::generate::draw;

/// The part of requests whose referrer is not told.
const HIDDEN: f64 = 0.3;

/// Users who log in are drawn from so many.
const FAMILIAR: u32 = 500;

/// Sizes of answers in bytes.
const SIZES: (u32, u32) = (100, 5000);

/// A user who is on the site.
#[derive(Clone, Debug)]
struct User {
    /// What comes next.
    state: State,
    /// Nanoseconds that the stay in BROWSING still lasts; `None`: it has not begun.
    stay: Option<i64>,
    /// The page that is open.
    page: PageNumber,
    /// The target that is open; `None`: no page is.
    target: Option<TargetNumber>,
    agent: u32,
    /// The name by which the user is logged in.
    name: Option<u32>,
    address: AddressText,
}

/// How often sessions moved from state to state.
pub type Tally = [[u64; State::ALL.len()]; State::ALL.len()];

/// The users of one part of the site's visitors.
#[derive(Debug)]
pub struct Crowd {
    stream: ChaCha8Rng,
    users: Vec<User>,
    /// Users by the end of their pauses, in nanoseconds.
    waiting: BinaryHeap<Reverse<(i64, u32)>>,
    /// Places of users who are gone.
    free: Vec<u32>,
    /// Names that nobody has.
    names: Vec<u32>,
    /// Users at the same time, at most.
    most: usize,
    /// How far the clock by which users pause is ahead of that of the lines.
    ahead: i64,
    tally: Tally,
}

impl User {
    /// Who has not been here.
    fn new(world: &World) -> Self {
        Self {
            state: State::Start,
            stay: None,
            page: world.site.home,
            target: None,
            agent: 0,
            name: None,
            address: AddressText::default(),
        }
    }
}

impl Crowd {
    /// Nobody yet. `part` of `parts`: users and their names are shared out evenly.
    #[must_use]
    pub fn new(world: &World, stream: ChaCha8Rng, (part, parts): (u32, u32)) -> Self {
        let parts = parts.max(1);
        let names: Vec<u32> = (0..world.names.len() as u32)
            .filter(|number| number % parts == part)
            .rev()
            .collect();
        Self {
            stream,
            users: Vec::new(),
            waiting: BinaryHeap::new(),
            free: Vec::new(),
            most: names.len().max(1),
            names,
            ahead: 0,
            tally: Tally::default(),
        }
    }

    /// Users who are on the site.
    #[must_use]
    pub fn users(&self) -> usize {
        self.waiting.len()
    }

    /// How often sessions moved.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The address of the user of a line that was just made.
    #[inline]
    #[must_use]
    pub fn address(&self, hit: &Hit) -> &[u8] {
        let user = self.users.get(hit.user as usize);
        user.map_or(b"-", |user| user.address.as_bytes())
    }

    /// The line at `now` (nanoseconds since the epoch; never before that of the line before).
    pub fn next(&mut self, now: i64, world: &World) -> Hit {
        loop {
            let mut clock = now.saturating_add(self.ahead);
            let is_full = self.waiting.len() >= self.most;
            let first = self.waiting.peek_mut();
            let Some(mut first) = first.filter(|first| is_full || first.0.0 <= clock) else {
                return self.enter(now, world);
            };
            let Reverse((due, place)) = *first;
            if due > clock {
                self.ahead = self.ahead.saturating_add(due.saturating_sub(clock));
                clock = due;
            }
            let Some(user) = self.users.get_mut(place as usize) else {
                // Every place that waits is there.
                PeekMut::pop(first);
                continue;
            };
            let mut turn = Turn {
                world,
                stream: &mut self.stream,
                names: &mut self.names,
                tally: &mut self.tally,
            };
            let hit = turn.act(user, place, now);
            if user.state == State::End {
                if let Some(name) = user.name.take() {
                    self.names.push(name);
                }
                PeekMut::pop(first);
                self.free.push(place);
            } else if hit.is_some() {
                first.0.0 = clock.saturating_add(world.pause.draw(&mut self.stream));
            }
            if let Some(hit) = hit {
                return hit;
            }
        }
    }

    /// A user comes, and with it a line.
    fn enter(&mut self, now: i64, world: &World) -> Hit {
        let place = self.free.pop().unwrap_or_else(|| {
            self.users.push(User::new(world));
            (self.users.len() - 1) as u32
        });
        let stream = &mut self.stream;
        let address = AddressText::new(world.address(stream));
        let agent = world.agent(stream);
        let state = world.moves.draw(State::Start, stream);
        self.tally[State::Start as usize][state as usize] += 1;
        let Some(user) = self.users.get_mut(place as usize) else {
            return Hit::default();
        };
        *user = User {
            state,
            agent,
            address,
            ..User::new(world)
        };
        let mut turn = Turn {
            world,
            stream,
            names: &mut self.names,
            tally: &mut self.tally,
        };
        // The first state of a session always writes a line.
        let hit = turn.act(user, place, now).unwrap_or_default();
        if user.state == State::End {
            if let Some(name) = user.name.take() {
                self.names.push(name);
            }
            self.free.push(place);
        } else {
            let clock = now.saturating_add(self.ahead);
            let due = clock.saturating_add(world.pause.draw(&mut self.stream));
            self.waiting.push(Reverse((due, place)));
        }
        hit
    }
}

/// What a user needs for a turn.
struct Turn<'a> {
    world: &'a World,
    stream: &'a mut ChaCha8Rng,
    names: &'a mut Vec<u32>,
    tally: &'a mut Tally,
}

impl Turn<'_> {
    /// Goes on to the next line, or to the end without one.
    fn act(&mut self, user: &mut User, place: u32, now: i64) -> Option<Hit> {
        loop {
            match user.state {
                State::Login => {
                    let name = self.draw_name();
                    if let Some(old) = user.name.take() {
                        self.names.push(old);
                    }
                    let mut hit = self.hit(user, place, now, Site::LOGIN, None);
                    // Who could not log in has no name.
                    match hit.outcome.is_failure() {
                        true => self.names.extend(name),
                        false => user.name = name,
                    }
                    hit.name = user.name;
                    self.go_on(user);
                    return Some(hit);
                }
                State::DirectAccess => {
                    user.page = self.world.site.landing(self.stream);
                    let target = self.world.site.open(user.page, self.stream);
                    let hit = self.hit(user, place, now, target, None);
                    user.target = Some(target);
                    self.go_on(user);
                    return Some(hit);
                }
                State::Browsing => match user.stay {
                    // It is over: the pause before this turn was the last.
                    Some(left) if left <= 0 => {
                        user.stay = None;
                        self.go_on(user);
                    }
                    stay => {
                        let left = stay.unwrap_or_else(|| self.world.stay.draw(self.stream));
                        let hit = self.open_next(user, place, now);
                        // A pause of the length that most have; how long it really is depends on the
                        // rate.
                        user.stay = Some(left - self.world.pause.draw(self.stream).max(1));
                        return Some(hit);
                    }
                },
                State::Logout => {
                    // Who is not logged in only goes away.
                    let name = user.name;
                    let hit = name.map(|name| {
                        let hit = self.hit(user, place, now, Site::LOGOUT, user.target);
                        self.names.push(name);
                        hit
                    });
                    user.name = None;
                    user.page = self.world.site.home;
                    user.target = None;
                    self.go_on(user);
                    if hit.is_some() {
                        return hit;
                    }
                }
                State::Abandon => {
                    let leaves_cart = draw::happens(self.stream, self.world.cart);
                    let hit = leaves_cart.then(|| {
                        let page = self.world.site.cart;
                        let target = self.world.site.open(page, self.stream);
                        let hit = self.hit(user, place, now, target, user.target);
                        (user.page, user.target) = (page, Some(target));
                        hit
                    });
                    self.go_on(user);
                    if hit.is_some() {
                        return hit;
                    }
                }
                State::Error => {
                    let world = self.world;
                    let target = match user.target {
                        Some(target) => target,
                        None => world.site.open(user.page, self.stream),
                    };
                    let mut hit = self.hit(user, place, now, target, user.target);
                    hit.outcome = Outcome::ServerError;
                    hit.status = hit.outcome.status(&world.status);
                    self.go_on(user);
                    return Some(hit);
                }
                State::Start | State::Leave => self.go_on(user),
                State::End => return None,
            }
        }
    }

    /// A name that nobody has: one of those behind, which are those without numbers and those of users
    /// who were here.
    fn draw_name(&mut self) -> Option<u32> {
        let last = self.names.len().checked_sub(1)?;
        let back = draw::below(self.stream, FAMILIAR.min(last as u32 + 1));
        Some(self.names.swap_remove(last - back as usize))
    }

    /// Moves to the next state.
    fn go_on(&mut self, user: &mut User) {
        let next = self.world.moves.draw(user.state, self.stream);
        self.tally[user.state as usize][next as usize] += 1;
        user.state = next;
    }

    fn open_next(&mut self, user: &mut User, place: u32, now: i64) -> Hit {
        let site = &self.world.site;
        user.page = site.after(user.page, self.stream);
        let target = site.open(user.page, self.stream);
        let hit = self.hit(user, place, now, target, user.target);
        user.target = Some(target);
        hit
    }

    fn hit(
        &mut self,
        user: &User,
        place: u32,
        now: i64,
        number: TargetNumber,
        referrer: Option<TargetNumber>,
    ) -> Hit {
        let target = self.world.site.target(number);
        let outcome = target.outcomes.draw(self.stream);
        let hidden = draw::happens(self.stream, HIDDEN);
        let size = draw::between(self.stream, SIZES.0, SIZES.1);
        // Milliseconds, as a server and its database take them; the microseconds are random too.
        let (least, most) = match outcome {
            Outcome::ServerError => (200_000, 800_000),
            outcome if outcome.is_failure() => (50_000, 200_000),
            _ => (50_000, 300_000),
        };
        Hit {
            time: now,
            user: place,
            name: user.name,
            target: number,
            outcome,
            status: outcome.status(&self.world.status),
            size,
            micros: draw::between(self.stream, least, most),
            referrer: referrer.filter(|_| !hidden && !target.is_typed),
            agent: user.agent,
        }
    }
}

#[cfg(test)]
mod tests;
