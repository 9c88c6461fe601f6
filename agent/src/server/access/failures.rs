//! How many logins with a wrong token come from an address: beyond a bound none from there is looked at for
//! a while, so that trying by hand leads nowhere. A bounded table. Pure: `now` comes in.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The time that is counted over.
const WHILE: Duration = Duration::from_secs(60);

/// Wrong ones of an address within that time.
const WRONG_MOST: u32 = 10;

/// Addresses that are remembered; one more takes the place of the one that has waited longest.
const MOST: usize = 256;

/// Wrong ones of each address.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<Wrong>);

#[derive(Debug)]
struct Wrong {
    network: IpAddr,
    since: Instant,
    count: u32,
}

impl Failures {
    /// How long an address must wait until a token of it is looked at again; `None`: not at all.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let network = network(address);
        let wrong = self.0.iter().find(|wrong| wrong.network == network)?;
        let rest = WHILE.checked_sub(now.saturating_duration_since(wrong.since))?;
        (wrong.count >= WRONG_MOST && !rest.is_zero()).then_some(rest)
    }

    /// A wrong token came from this address.
    pub(super) fn add(&mut self, address: IpAddr, now: Instant) {
        let network = network(address);
        self.0
            .retain(|wrong| now.saturating_duration_since(wrong.since) < WHILE);
        if let Some(known) = self.0.iter_mut().find(|wrong| wrong.network == network) {
            known.count = known.count.saturating_add(1);
            return;
        }
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Wrong {
            network,
            since: now,
            count: 1,
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
            failures.add(one, start);
        }
        assert_eq!(failures.wait(one, start), Some(WHILE));
        assert_eq!(failures.wait(ip("::ffff:192.0.2.1"), start), Some(WHILE));
        assert_eq!(failures.wait(other, start), None);
        let second = Duration::from_secs(1);
        assert_eq!(failures.wait(one, start + WHILE - second), Some(second));
        assert_eq!(failures.wait(one, start + WHILE), None);
        failures.add(one, start + WHILE);
        assert_eq!(failures.wait(one, start + WHILE), None);
    }

    #[test]
    fn one_network_is_one() {
        let mut failures = Failures::default();
        let now = Instant::now();
        for number in 0..10 {
            failures.add(ip(&format!("2001:db8::{number}")), now);
        }
        assert_eq!(failures.wait(ip("2001:db8::ffff"), now), Some(WHILE));
        assert_eq!(failures.wait(ip("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut failures = Failures::default();
        let now = Instant::now();
        for number in 0..2 * MOST as u32 {
            failures.add(IpAddr::V4(number.into()), now);
        }
        assert_eq!(failures.0.len(), MOST);
    }
}
