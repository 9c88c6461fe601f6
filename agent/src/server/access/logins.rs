//! Who has logged in: random values, each given to a browser as a cookie in exchange for the token. A
//! bounded number of them, each for a bounded time; they are kept in memory alone. Pure: `now` comes in.

use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

/// The name of the cookie.
pub(in crate::server) const COOKIE_NAME: &str = "tapline_session";

/// How long one is good for.
pub(in crate::server) const LASTS: Duration = Duration::from_secs(12 * 3600);

/// How many there may be; one more takes the place of the oldest.
const MOST: usize = 64;

/// Cookies of our name that are looked at: another server of the host may have set one for another path.
const LOOKED_AT: usize = 4;

/// The bytes of a value.
const BYTES: usize = 32;

/// The values that were given out.
#[derive(Default)]
pub(super) struct Logins(Vec<(String, Instant)>);

impl Logins {
    /// Remembers a value made of these random bytes, and gives it.
    pub(super) fn add(&mut self, random: [u8; BYTES], now: Instant) -> String {
        self.0
            .retain(|(_, since)| now.saturating_duration_since(*since) < LASTS);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        let value: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.push((value.clone(), now));
        value
    }

    /// Whether the cookie of a request is one of the values.
    pub(super) fn has(&self, fields: &HeaderMap, now: Instant) -> bool {
        cookies(fields).any(|given| self.position(given, now).is_some())
    }

    /// Forgets the value of a request's cookie.
    pub(super) fn remove(&mut self, fields: &HeaderMap, now: Instant) {
        for given in cookies(fields) {
            if let Some(place) = self.position(given, now) {
                self.0.remove(place);
            }
        }
    }

    /// Looks at all of them, in a time that does not depend on how much of one is right.
    fn position(&self, given: &str, now: Instant) -> Option<usize> {
        let mut found = None;
        for (place, (value, since)) in self.0.iter().enumerate() {
            let is_current = now.saturating_duration_since(*since) < LASTS;
            if is_equal(given.as_bytes(), value.as_bytes()) && is_current {
                found = Some(place);
            }
        }
        found
    }
}

/// Looks at every byte that is given, and stops at none: only the length can be told from the time.
pub(super) fn is_equal(given: &[u8], secret: &[u8]) -> bool {
    let mut differs = u8::from(given.len() != secret.len());
    for (index, byte) in given.iter().enumerate() {
        let expected = secret.get(index).copied().unwrap_or(!byte);
        differs = black_box(differs | (byte ^ expected));
    }
    differs == 0
}

/// The values of our cookie (RFC 6265, section 5.4).
fn cookies(fields: &HeaderMap) -> impl Iterator<Item = &str> {
    fields
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value)
        .take(LOOKED_AT)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        fields
    }

    #[test]
    fn a_value_is_good_until_it_is_given_back_or_too_old() {
        let mut logins = Logins::default();
        let now = Instant::now();
        let value = logins.add([7; BYTES], now);
        assert_eq!(value, "07".repeat(BYTES));
        let check = |logins: &Logins, cookie: &str, now, good| {
            assert_eq!(logins.has(&with(cookie), now), good, "{cookie:?}");
        };
        let ours = format!("{COOKIE_NAME}={value}");
        check(&logins, &ours, now, true);
        check(&logins, &format!("a=b; {ours}; c=d"), now, true);
        check(&logins, &format!("{COOKIE_NAME}=old; {ours}"), now, true);
        check(
            &logins,
            &format!("{}{ours}", format!("{COOKIE_NAME}=x; ").repeat(9)),
            now,
            false,
        );
        check(&logins, &format!("{COOKIE_NAME}="), now, false);
        check(&logins, &format!("x{ours}"), now, false);
        check(&logins, &format!("{ours}0"), now, false);
        check(&logins, &ours[..ours.len() - 1], now, false);
        check(&logins, &ours, now + LASTS, false);
        assert!(!logins.has(&HeaderMap::new(), now));
        logins.remove(&with("a=b"), now);
        check(&logins, &ours, now, true);
        logins.remove(&with(&ours), now);
        check(&logins, &ours, now, false);
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let mut logins = Logins::default();
        let now = Instant::now();
        let values: Vec<String> = (0..=MOST)
            .map(|number| logins.add([number as u8; BYTES], now))
            .collect();
        assert_eq!(logins.0.len(), MOST);
        let has =
            |place: usize| logins.has(&with(&format!("{COOKIE_NAME}={}", values[place])), now);
        assert!(!has(0) && has(1) && has(MOST));
        // Old ones make room first.
        logins.add([255; BYTES], now + LASTS);
        assert_eq!(logins.0.len(), 1);
    }
}
