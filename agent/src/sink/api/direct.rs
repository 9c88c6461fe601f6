//! Brings one body after the other to the target, and tells at once what became of it: for programs that
//! make records and keep none. Nothing waits on disk; what cannot be sent within the patience is given
//! back as undelivered.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::backoff::delay;
use super::bisect::Plan;
use super::body::{Body, Form, pack};
use super::connection::{Connection, Failure};
use super::target::Target;
use super::verdict::{Refusal, Verdict};

/// Whether it is time to stop is asked this often while waiting.
const GLANCE: Duration = Duration::from_millis(50);

/// What all senders to a target share.
#[derive(Debug)]
pub(crate) struct Direct {
    target: Target,
    /// How long a request may take.
    timeout: Duration,
    /// How long a failure is tried again, from the first of those in a row.
    patience: Duration,
    outage: Cell<Option<Outage>>,
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    since: Instant,
    failures: u32,
}

/// Records on their way: one, or an array.
#[derive(Clone, Debug)]
pub(crate) struct Parcel(Body);

/// Why records were not stored.
#[derive(Debug)]
pub(crate) enum Why {
    /// The target does not take them.
    Refused(Refusal),
    /// The target gave no answer that says they are stored.
    Failed(Failure),
}

/// What became of the records of a parcel.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// The target has them.
    pub(crate) stored: u64,
    /// The target does not take them.
    pub(crate) refused: u64,
    /// The target could not be reached.
    pub(crate) undelivered: u64,
    /// Why, of the last that was not stored.
    pub(crate) why: Option<Why>,
    /// The places in the parcel of those that were not stored, in order.
    pub(crate) places: Vec<Range<usize>>,
}

/// How one request ended.
enum Answer {
    Stored,
    /// Not these records.
    Refused(Why),
    /// Not any records: they are not looked at.
    Denied(Why),
    Unreachable(Why),
}

impl Parcel {
    /// One record: a JSON object.
    pub(crate) fn single(object: Vec<u8>) -> Self {
        Self(Body {
            form: Form::Session,
            is_gzip: false,
            records: 1,
            bytes: object.into(),
        })
    }

    /// So many records: a JSON array of objects. `gzip`: it is compressed.
    pub(crate) fn array(array: Vec<u8>, records: u32, gzip: bool) -> Self {
        // What cannot be compressed is sent as it is.
        let compressed = gzip.then(|| pack(&array)).flatten();
        Self(Body {
            form: Form::Sessions,
            is_gzip: compressed.is_some(),
            records,
            bytes: compressed.map_or_else(|| array.into(), Bytes::from),
        })
    }

    /// Records in it.
    pub(crate) fn records(&self) -> u64 {
        self.0.records.into()
    }

    /// Bytes of the body.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.len() as u64
    }
}

impl Delivered {
    /// Those at these places, behind all that were left before, are not stored.
    fn leave(&mut self, places: Range<usize>) {
        match self.places.last_mut() {
            Some(last) if last.end == places.start => last.end = places.end,
            _ => self.places.push(places),
        }
    }
}

impl Direct {
    pub(crate) fn new(target: Target, timeout: Duration, patience: Duration) -> Self {
        Self {
            target,
            timeout,
            patience,
            outage: Cell::new(None),
        }
    }

    /// Sends the parcel over the connection until all of it is settled. An array that is refused is
    /// taken apart until the records at fault stand alone. While `stops` says so, nothing is tried
    /// again.
    pub(crate) async fn deliver(
        &self,
        connection: &mut Connection,
        Parcel(body): &Parcel,
        stops: impl Fn() -> bool,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let mut plan = Plan::whole(body.records as usize);
        let mut parts = None;
        while let Some(range) = plan.next() {
            let records = range.len() as u64;
            let part = parts.as_ref().map(|parts: &Vec<_>| {
                let form = match records {
                    1 => Form::Session,
                    _ => Form::Sessions,
                };
                Body::of(form, parts.get(range.clone()).unwrap_or_default())
            });
            let answer = self
                .send(connection, part.as_ref().unwrap_or(body), &stops)
                .await;
            match answer {
                Answer::Stored => {
                    plan.settle();
                    delivered.stored += records;
                }
                Answer::Refused(why) => {
                    delivered.why = Some(why);
                    if records > 1 && parts.is_none() {
                        parts = body.take_apart().ok();
                    }
                    if records > 1 && parts.is_some() {
                        plan.split();
                    } else {
                        plan.settle();
                        delivered.refused += records;
                        delivered.leave(range);
                    }
                }
                Answer::Denied(why) => {
                    delivered.why = Some(why);
                    let left: Vec<_> = plan.left().collect();
                    delivered.refused += left.len() as u64;
                    left.into_iter()
                        .for_each(|place| delivered.leave(place..place + 1));
                    return delivered;
                }
                Answer::Unreachable(why) => {
                    delivered.why = Some(why);
                    let left: Vec<_> = plan.left().collect();
                    delivered.undelivered += left.len() as u64;
                    left.into_iter()
                        .for_each(|place| delivered.leave(place..place + 1));
                    return delivered;
                }
            }
        }
        delivered
    }

    /// Sends until there is an answer that settles it, or patience is at its end.
    async fn send(
        &self,
        connection: &mut Connection,
        body: &Body,
        stops: &impl Fn() -> bool,
    ) -> Answer {
        loop {
            let failure = match connection.post(&self.target, body, self.timeout).await {
                Ok(Verdict::Stored) => {
                    self.outage.set(None);
                    return Answer::Stored;
                }
                Ok(Verdict::Refused(refusal)) => {
                    self.outage.set(None);
                    return Answer::Refused(Why::Refused(refusal));
                }
                Ok(Verdict::Failed(answered)) => Failure::Answered(answered),
                Err(failure) => failure,
            };
            let status = match &failure {
                Failure::Answered(answered) => Some(answered.status),
                _ => None,
            };
            // It answers, and will not answer otherwise.
            if status.is_some_and(|status| {
                (300..500).contains(&status) && !matches!(status, 408 | 425 | 429)
            }) {
                self.outage.set(None);
                return Answer::Denied(Why::Failed(failure));
            }
            let now = Instant::now();
            let outage = match self.outage.get() {
                Some(Outage { since, failures }) => Outage {
                    since,
                    failures: failures.saturating_add(1),
                },
                None => {
                    let then = match self.patience.is_zero() {
                        true => "",
                        false => "; they are tried again",
                    };
                    tracing::warn!(
                        url = %self.target,
                        error = &failure as &dyn std::error::Error,
                        "records cannot be sent{then}"
                    );
                    Outage {
                        since: now,
                        failures: 1,
                    }
                }
            };
            self.outage.set(Some(outage));
            let wait = delay(outage.failures, failure.retry_after(), random());
            let over = outage.since + self.patience;
            if now >= over || stops() || !wait_until((now + wait).min(over), stops).await {
                return match status {
                    Some(_) => Answer::Denied(Why::Failed(failure)),
                    None => Answer::Unreachable(Why::Failed(failure)),
                };
            }
        }
    }
}

/// Whether the time came before it was time to stop.
async fn wait_until(then: Instant, stops: &impl Fn() -> bool) -> bool {
    loop {
        let now = Instant::now();
        if now >= then {
            return true;
        }
        if stops() {
            return false;
        }
        tokio::time::sleep_until(then.min(now + GLANCE)).await;
    }
}

/// A number for the length of a wait, of which nothing else depends.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

impl fmt::Display for Why {
    /// It and its causes in one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(formatter, "{refusal}"),
            Self::Failed(failure) => formatter.write_str(&with_causes(failure)),
        }
    }
}

/// An error and its causes in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
