//! What the users of `tapline gen access` ask: the same users, so that its lines and this traffic match.
//!
//! The same configuration, seed, rate and start give the same requests in the same order: method, target,
//! Referer, User-Agent, and the address of the user in X-Forwarded-For.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{RequestError, STAMP_FIELD, VERSION, check_field, check_target, field, stamp_in};
use crate::generate::access::config::{AccessConfig, by_hour};
use crate::generate::access::crowd::Crowd;
use crate::generate::access::day::{Day, Stretch, nanoseconds};
use crate::generate::access::world::World;
use crate::generate::seed::Seed;

// As `tapline gen access` has it: a test holds the two together.
const PARTS: u32 = 8;
const TURN: u64 = 256;
const STREAM: &str = "access";

/// What the users are made from.
#[derive(Clone, Debug)]
pub struct UsersSettings<'a> {
    /// `config/access.yaml`.
    pub config: &'a AccessConfig,
    /// What random numbers come from.
    pub seed: Seed,
    /// Requests a second, by which users pause; `None`: that of the configuration.
    pub rate: Option<f64>,
    /// When the first comes, by the clock of the users.
    pub start: Timestamp,
    /// What stands in the Host field.
    pub host: &'a str,
    /// Further fields of every request.
    pub fields: &'a [(String, String)],
    /// Requests carry their number.
    pub is_stamped: bool,
}

/// Users, and all that they can ask, written once.
#[derive(Debug)]
pub struct Users {
    world: Arc<World>,
    seed: Seed,
    parts: u32,
    /// When the first is due,
    begin: i64,
    /// and how many users the rate needs then.
    needed: f64,
    day: Day,
    /// By target: its line up to the number, or to its end.
    targets: Vec<Vec<u8>>,
    /// By target: the field that names it.
    referrers: Vec<Vec<u8>>,
    /// By agent.
    agents: Vec<Vec<u8>>,
    /// Fields that all requests have.
    fields: Vec<u8>,
    is_stamped: bool,
}

impl Users {
    /// Users of this configuration.
    ///
    /// # Errors
    /// Something in it cannot stand in a request.
    pub fn new(settings: &UsersSettings<'_>) -> Result<Self, RequestError> {
        let UsersSettings { config, seed, .. } = settings;
        let world = World::new(config, *seed);
        let rate = settings.rate.unwrap_or(config.output.rate);
        let hours = by_hour(&config.traffic.patterns).unwrap_or([1.0; 24]);
        let highest = hours.iter().copied().fold(0.0, f64::max);
        let usual = rate * world.pause.middle();
        let is_full_house = usual * highest > f64::from(world.users);
        let parts = if is_full_house { PARTS } else { 1 };
        let zone = TimeZone::get(&config.traffic.time_zone).unwrap_or(TimeZone::UTC);
        let day = Day::new(nanoseconds(settings.start), rate, 1.0, hours, zone);
        let mut first = day.clone();
        let (begin, multiplier) = (first.peek(), first.multiplier());
        let mut targets = Vec::new();
        let mut referrers = Vec::new();
        for target in world.site.targets() {
            check_target(&target.path)?;
            let mut line = format!("{} {}", target.method, target.path);
            if settings.is_stamped {
                line += &stamp_in(&target.path);
            }
            let mut line = line.into_bytes();
            if !settings.is_stamped {
                line.extend_from_slice(VERSION);
                line.extend_from_slice(length_of(target.method));
            }
            targets.push(line);
            let mut referrer = Vec::new();
            let url = format!("{}{}", config.output.site, target.path);
            check_field("Referer", &url)?;
            field("Referer", &url, &mut referrer);
            referrers.push(referrer);
        }
        let mut agents = Vec::new();
        for agent in &world.agents {
            check_field("User-Agent", agent)?;
            let mut text = Vec::new();
            field("User-Agent", agent, &mut text);
            agents.push(text);
        }
        let mut fields = Vec::new();
        let given = settings.fields.iter();
        if !given
            .clone()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            field("Host", settings.host, &mut fields);
        }
        for (name, value) in given {
            check_field(name, value)?;
            field(name, value, &mut fields);
        }
        Ok(Self {
            parts: parts.min(world.users.max(1)),
            world: Arc::new(world),
            seed: *seed,
            begin,
            needed: usual * multiplier,
            day,
            targets,
            referrers,
            agents,
            fields,
            is_stamped: settings.is_stamped,
        })
    }
}

/// What a request without a body says about that.
fn length_of(method: &str) -> &'static [u8] {
    match method {
        "POST" => b"Content-Length: 0\r\n",
        _ => b"",
    }
}

/// Users on the site, from the first request on.
#[derive(Debug)]
pub struct Visit {
    users: Arc<Users>,
    crowds: Vec<Crowd>,
    day: Day,
    stretch: Option<Stretch>,
    /// Requests of the stretch that were made,
    at: u32,
    /// and of all.
    made: u64,
}

impl Visit {
    pub(super) fn new(users: Arc<Users>) -> Self {
        let crowds = (0..users.parts)
            .map(|part| {
                let stream = users.seed.stream(STREAM, u64::from(part));
                let mut crowd = Crowd::new(&users.world, stream, (part, users.parts));
                let needed = users.needed / f64::from(users.parts.max(1));
                crowd.settle(&users.world, users.begin, needed);
                crowd
            })
            .collect();
        Self {
            crowds,
            day: users.day.clone(),
            users,
            stretch: None,
            at: 0,
            made: 0,
        }
    }

    /// Appends request `number`; those in front of it are made, and left out.
    pub(super) fn write(&mut self, number: u64, out: &mut Vec<u8>) {
        loop {
            let is_wanted = self.made >= number;
            let time = self.next_time();
            let part = self.made / TURN % u64::from(self.users.parts.max(1));
            self.made += 1;
            let Some(crowd) = self.crowds.get_mut(part as usize) else {
                return;
            };
            let hit = crowd.next(time, &self.users.world);
            if !is_wanted {
                continue;
            }
            let users = &*self.users;
            let get = |texts: &[Vec<u8>], at: u32, out: &mut Vec<u8>| {
                out.extend_from_slice(texts.get(at as usize).map_or(b"", Vec::as_slice));
            };
            get(&users.targets, hit.target, out);
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(number).as_bytes();
            if users.is_stamped {
                out.extend_from_slice(digits);
                out.extend_from_slice(VERSION);
                out.extend_from_slice(length_of(users.world.site.target(hit.target).method));
            }
            out.extend_from_slice(&users.fields);
            get(&users.agents, hit.agent, out);
            if let Some(referrer) = hit.referrer {
                get(&users.referrers, referrer, out);
            }
            out.extend_from_slice(b"X-Forwarded-For: ");
            out.extend_from_slice(crowd.address(&hit));
            out.extend_from_slice(b"\r\n");
            if users.is_stamped {
                out.extend_from_slice(STAMP_FIELD.as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(digits);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"\r\n");
            return;
        }
    }

    fn next_time(&mut self) -> i64 {
        loop {
            match self.stretch {
                Some(stretch) if self.at < stretch.lines => {
                    self.at += 1;
                    return stretch.time(self.at - 1);
                }
                _ => {
                    self.stretch = self.day.take(i64::MAX, 1 << 16);
                    self.at = 0;
                    if self.stretch.is_none() {
                        // The end of time.
                        return i64::MAX;
                    }
                }
            }
        }
    }
}
