//! Joins requests with responses that stand in lines of their own, by the addresses of the two sides.
//! Pure: the time is that of the lines.

use std::collections::{HashMap, VecDeque};

use super::format::{Entry, Head};

/// Requests that wait for their response.
const MOST: usize = 65_536;
/// Bytes that they take at most.
const MOST_BYTES: usize = 16 << 20;
/// What one takes beside its texts, about.
const OVERHEAD: usize = 256;
/// How long one waits, in microseconds of the lines.
const PATIENCE_US: i64 = 300 * 1_000_000;
/// Bytes of a text that are kept.
const LONG: usize = 2048;

/// Which connection: this host's part, the client's and the server's address and port.
type Key = Box<[u8]>;

/// Requests that wait.
#[derive(Debug, Default)]
pub struct Pairing {
    waiting: HashMap<Key, VecDeque<Held>>,
    /// Those that wait, in the order in which they came, and some that do not any more.
    order: VecDeque<(u64, Key)>,
    number: u64,
    count: usize,
    /// Those that wait take so many bytes.
    bytes: usize,
    /// Responses without a request.
    orphans: u64,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Held {
    number: u64,
    time_us: i64,
    client: Box<[u8]>,
    method: Box<[u8]>,
    target: Box<[u8]>,
    host: Box<[u8]>,
    referrer: Box<[u8]>,
    user_agent: Box<[u8]>,
}

impl Held {
    /// What it takes, with its key, which stands in two places.
    fn bytes(&self, key: &[u8]) -> usize {
        let texts = [
            &self.client,
            &self.method,
            &self.target,
            &self.host,
            &self.referrer,
            &self.user_agent,
        ];
        OVERHEAD + 2 * key.len() + texts.iter().map(|text| text.len()).sum::<usize>()
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            time_us: Some(self.time_us),
            client: &self.client,
            method: &self.method,
            target: &self.target,
            host: &self.host,
            referrer: &self.referrer,
            user_agent: &self.user_agent,
            ..Entry::default()
        }
    }
}

impl Pairing {
    /// Responses without a request so far.
    #[must_use]
    pub fn orphans(&self) -> u64 {
        self.orphans
    }

    /// Takes a head; `done` gets every request whose response came, or will not come any more.
    pub fn take(&mut self, head: &Head<'_>, mut done: impl FnMut(&Entry<'_>)) {
        self.give_up(head.time_us, &mut done);
        self.key.clear();
        self.key.push(u8::from(head.kind.is_served()));
        self.key.extend_from_slice(head.client);
        self.key.push(b' ');
        self.key.extend_from_slice(head.server);
        if head.kind.is_request() {
            self.hold(head);
            return;
        }
        // An interim response is not the one that is waited for.
        if matches!(head.status, Some(100 | 102..=199)) {
            return;
        }
        let Some(queue) = self.waiting.get_mut(&*self.key) else {
            self.orphans += 1;
            return;
        };
        if let Some(held) = queue.pop_front() {
            self.count -= 1;
            self.bytes -= held.bytes(&self.key);
            let taken = u64::try_from(head.time_us - held.time_us).ok();
            done(&Entry {
                status: head.status,
                bytes: head.bytes,
                latency_us: head.latency_us.or(taken),
                ..held.entry()
            });
        }
        if queue.is_empty() {
            self.waiting.remove(&*self.key);
        }
    }

    /// The end of the lines: what waits still was not answered.
    pub fn end(&mut self, mut done: impl FnMut(&Entry<'_>)) {
        while let Some((number, key)) = self.order.pop_front() {
            self.drop_request(number, &key, &mut done);
        }
    }

    fn hold(&mut self, head: &Head<'_>) {
        let short = |text: &[u8]| text[..text.len().min(LONG)].into();
        self.number += 1;
        self.count += 1;
        let key: Key = self.key.as_slice().into();
        let held = Held {
            number: self.number,
            time_us: head.time_us,
            client: short(Head::address(head.client)),
            method: short(head.method),
            target: short(head.target),
            host: short(head.host),
            referrer: short(head.referrer),
            user_agent: short(head.user_agent),
        };
        self.bytes += held.bytes(&key);
        self.waiting.entry(key.clone()).or_default().push_back(held);
        self.order.push_back((self.number, key));
        self.forget_answered();
    }

    /// Takes those that were answered out of the order, once they are most of it: they stand there as
    /// long as an earlier one waits.
    fn forget_answered(&mut self) {
        if self.order.len() < 2 * self.count + 1024 {
            return;
        }
        let waiting = &self.waiting;
        self.order.retain(|(number, key)| {
            // Those of a key are answered in their order.
            let first = waiting.get(key).and_then(|queue| queue.front());
            first.is_some_and(|held| held.number <= *number)
        });
    }

    /// Gives those up that waited too long, or that there is no room for.
    fn give_up(&mut self, now_us: i64, done: &mut impl FnMut(&Entry<'_>)) {
        while let Some((number, key)) = self.order.front() {
            let held = self.waiting.get(key).and_then(|queue| queue.front());
            let is_over = match held {
                // It was answered.
                Some(held) if held.number != *number => true,
                None => true,
                Some(held) => {
                    self.count > MOST
                        || self.bytes > MOST_BYTES
                        || now_us.saturating_sub(held.time_us) > PATIENCE_US
                }
            };
            if !is_over {
                break;
            }
            if let Some((number, key)) = self.order.pop_front() {
                self.drop_request(number, &key, done);
            }
        }
    }

    /// Gives a request up, unless it was answered.
    fn drop_request(&mut self, number: u64, key: &[u8], done: &mut impl FnMut(&Entry<'_>)) {
        let Some(queue) = self.waiting.get_mut(key) else {
            return;
        };
        if queue.front().is_some_and(|held| held.number == number)
            && let Some(held) = queue.pop_front()
        {
            self.count -= 1;
            self.bytes -= held.bytes(key);
            done(&Entry {
                unanswered: true,
                ..held.entry()
            });
        }
        if queue.is_empty() {
            self.waiting.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::format::HeadKind;

    fn head(kind: HeadKind, second: i64, client: &'static str) -> Head<'static> {
        Head {
            time_us: second * 1_000_000,
            kind,
            client: client.as_bytes(),
            server: b"10.0.0.1#80",
            method: b"GET",
            target: b"/",
            status: Some(200),
            ..Head::default()
        }
    }

    #[test]
    fn what_waits_takes_no_more_memory_than_it_may() {
        let mut pairing = Pairing::default();
        let (mut unanswered, mut answered) = (0, 0);
        let target = "/x".repeat(900);
        for number in 0..40_000 {
            let client = format!("{number}");
            let ask = Head {
                client: client.as_bytes(),
                target: target.as_bytes(),
                ..head(HeadKind::ClientQuery, 0, "")
            };
            pairing.take(&ask, |entry| unanswered += u64::from(entry.unanswered));
            // The first one waits for ever, and every second one is answered at once.
            if number % 2 == 1 {
                let answer = Head {
                    client: client.as_bytes(),
                    ..head(HeadKind::ClientResponse, 0, "")
                };
                pairing.take(&answer, |entry| {
                    answered += u64::from(!entry.unanswered);
                    unanswered += u64::from(entry.unanswered);
                });
            }
            assert!(pairing.bytes <= MOST_BYTES + 4096, "{}", pairing.bytes);
            assert!(pairing.order.len() <= 2 * pairing.count + 1024);
        }
        assert!(unanswered > 1000 && pairing.count > 1000, "{unanswered}");
        pairing.end(|entry| unanswered += u64::from(entry.unanswered));
        assert_eq!((unanswered, answered), (20_000, 20_000));
        assert_eq!((pairing.bytes, pairing.count, pairing.orphans), (0, 0, 0));
    }

    fn check(heads: &[Head<'_>], expected: &[&str], orphans: u64) {
        let mut pairing = Pairing::default();
        let mut found = Vec::new();
        let mut note = |entry: &Entry<'_>| {
            found.push(format!(
                "{} {:?} {:?} {}",
                String::from_utf8_lossy(entry.client),
                entry.status,
                entry.latency_us,
                entry.unanswered
            ));
        };
        for head in heads {
            pairing.take(head, &mut note);
        }
        pairing.end(&mut note);
        assert_eq!(found, expected);
        assert_eq!(pairing.orphans(), orphans);
        assert!(pairing.waiting.is_empty() && pairing.count == 0);
    }

    #[test]
    fn requests_and_responses() {
        use HeadKind::{ClientQuery, ClientResponse, ServerQuery};
        let (a, b) = ("10.0.0.2#1", "10.0.0.3#1");
        check(
            &[
                head(ClientQuery, 0, a),
                head(ClientQuery, 1, b),
                head(ClientQuery, 2, a),
                head(ClientResponse, 3, a),
                head(ClientResponse, 4, b),
                head(ClientResponse, 5, a),
                head(ClientResponse, 6, a),
            ],
            &[
                "10.0.0.2 Some(200) Some(3000000) false",
                "10.0.0.3 Some(200) Some(3000000) false",
                "10.0.0.2 Some(200) Some(3000000) false",
            ],
            1,
        );
        check(
            &[
                head(ClientQuery, 0, a),
                head(ServerQuery, 0, a),
                head(ClientQuery, 1000, b),
            ],
            &[
                "10.0.0.2 None None true",
                "10.0.0.2 None None true",
                "10.0.0.3 None None true",
            ],
            0,
        );
        let mut interim = head(ClientResponse, 1, a);
        interim.status = Some(100);
        check(
            &[head(ClientQuery, 0, a), interim, head(ClientResponse, 2, a)],
            &["10.0.0.2 Some(200) Some(2000000) false"],
            0,
        );
    }

    #[test]
    fn there_is_a_bound() {
        let mut pairing = Pairing::default();
        let mut given_up = 0;
        for number in 0..100_000_u64 {
            let client = format!("10.0.0.1#{number}");
            let head = Head {
                client: client.as_bytes(),
                ..head(HeadKind::ClientQuery, 0, "")
            };
            pairing.take(&head, |_| given_up += 1);
        }
        assert!(pairing.order.len() <= MOST + 2);
        assert!(given_up > 100_000 - MOST - 3);
    }
}
