//! How many wrong tokens come from an address: beyond a bound none from there is looked at for a while,
//! so that guessing leads nowhere. A bounded table. Pure: `now` comes in.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The time that is counted over.
const WHILE: Duration = Duration::from_secs(60);

/// What an address may spend within that time.
const BUDGET: u32 = 600;

/// Addresses that are remembered; one more takes the place of the one that has waited longest.
const MOST: usize = 256;

/// How a wrong token came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// By the login, which a person does by hand: ten within the time.
    Login,
    /// With a request. A program that has an old token asks again and again, and must not shut out
    /// another one at the same address: 600 within the time.
    Request,
}

impl Way {
    fn cost(self) -> u32 {
        match self {
            Self::Login => 60,
            Self::Request => 1,
        }
    }
}

/// What each address has spent.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<Spent>);

#[derive(Debug)]
struct Spent {
    network: IpAddr,
    since: Instant,
    spent: u32,
}

impl Failures {
    /// How long an address must wait until a token of it is looked at again; `None`: not at all.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let network = network(address);
        let spent = self.0.iter().find(|spent| spent.network == network)?;
        let rest = WHILE.checked_sub(now.saturating_duration_since(spent.since))?;
        (spent.spent >= BUDGET && !rest.is_zero()).then_some(rest)
    }

    /// A wrong token came from this address.
    pub(super) fn add(&mut self, address: IpAddr, way: Way, now: Instant) {
        let network = network(address);
        self.0
            .retain(|spent| now.saturating_duration_since(spent.since) < WHILE);
        if let Some(known) = self.0.iter_mut().find(|spent| spent.network == network) {
            known.spent = known.spent.saturating_add(way.cost());
            return;
        }
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Spent {
            network,
            since: now,
            spent: way.cost(),
        });
    }
}

/// Whoever has one address of IPv6 has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(network.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_wrong_logins_are_enough_for_a_minute() {
        let mut failures = Failures::default();
        let start = Instant::now();
        let (one, other) = (ip("192.0.2.1"), ip("192.0.2.2"));
        for _ in 0..10 {
            assert_eq!(failures.wait(one, start), None);
            failures.add(one, Way::Login, start);
        }
        assert_eq!(failures.wait(one, start), Some(WHILE));
        assert_eq!(failures.wait(ip("::ffff:192.0.2.1"), start), Some(WHILE));
        assert_eq!(failures.wait(other, start), None);
        let second = Duration::from_secs(1);
        assert_eq!(failures.wait(one, start + WHILE - second), Some(second));
        assert_eq!(failures.wait(one, start + WHILE), None);
        failures.add(one, Way::Login, start + WHILE);
        assert_eq!(failures.wait(one, start + WHILE), None);
    }

    #[test]
    fn a_program_with_an_old_token_may_fail_more_often() {
        let mut failures = Failures::default();
        let now = Instant::now();
        for _ in 0..599 {
            failures.add(ip("::1"), Way::Request, now);
        }
        assert_eq!(failures.wait(ip("::1"), now), None);
        failures.add(ip("::1"), Way::Request, now);
        assert_eq!(failures.wait(ip("::2"), now), Some(WHILE));
        assert_eq!(failures.wait(ip("2001:db8::1"), now), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut failures = Failures::default();
        let now = Instant::now();
        for number in 0..2 * MOST as u32 {
            failures.add(IpAddr::V4(number.into()), Way::Login, now);
        }
        assert_eq!(failures.0.len(), MOST);
    }
}
