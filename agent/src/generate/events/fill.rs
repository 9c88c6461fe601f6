//! Fills in sentences. What a sentence says of its record is what the record has: where a field is not
//! set yet, the sentence sets it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use super::model::Model;
use super::record::{Metadata, Order, Record, User, fixed, hex, ip, number, padded, tenth, uuid};
use super::sentence::{Part, Sentence};
use super::words;
use crate::generate::draw::{below, between};

/// What is told to a sentence beside its record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given<'a> {
    /// What went wrong.
    pub(super) error: &'static str,
    /// Tenths of a percent that are used up.
    pub(super) usage: u32,
    /// The service that is spoken of.
    pub(super) affected: &'a str,
}

/// One of these, of which there is at least one.
pub(super) fn pick<T: Copy>(stream: &mut ChaCha8Rng, all: &[T]) -> T {
    all[below(stream, all.len() as u32) as usize]
}

/// One of these, of which there is at least one.
pub(super) fn pick_from<'a, T>(stream: &mut ChaCha8Rng, all: &'a [T]) -> &'a T {
    &all[below(stream, all.len() as u32) as usize]
}

pub(super) fn user(model: &Model, stream: &mut ChaCha8Rng) -> User {
    User::Known(pick(stream, &model.users))
}

pub(super) fn request_id(stream: &mut ChaCha8Rng) -> u128 {
    u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64())
}

/// What somebody ordered within the hour before `time`.
pub(super) fn order<'m>(model: &'m Model, stream: &mut ChaCha8Rng, time: i64) -> Order<'m> {
    let before = i64::from(between(stream, 1, 3600)) * 1_000_000;
    Order {
        order: below(stream, 1_000_000),
        transaction: below(stream, 100_000_000),
        cents: between(stream, 100, 50_000),
        quantity: between(stream, 1, 10),
        created_at: time - before,
        email: pick_from::<String>(stream, &model.emails),
        damage: None,
    }
}

/// Puts the sentence into the message of the record.
pub(super) fn say<'m>(
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    sentence: &Sentence,
    given: Given<'_>,
    record: &mut Record<'m>,
) {
    let mut message = std::mem::take(&mut record.message);
    for part in &sentence.parts {
        match part {
            Part::Text(text) => message.extend_from_slice(text.as_bytes()),
            part => fill(model, stream, *part, given, record, &mut message),
        }
    }
    record.message = message;
}

fn fill<'m>(
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    part: Part,
    given: Given<'_>,
    record: &mut Record<'m>,
    out: &mut Vec<u8>,
) {
    let out = &mut *out;
    match part {
        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
        Part::Affected => out.extend_from_slice(given.affected.as_bytes()),
        Part::Attempt => number(between(stream, 1, 5), out),
        Part::Bytes => number(between(stream, 100, 50_000), out),
        Part::CacheKey => {
            word(stream, words::CACHE_KEYS, out);
            out.push(b':');
            number(below(stream, 10_000), out);
        }
        Part::Chars => word(stream, words::CHARS, out),
        Part::Client => {
            let drawn = pick(stream, &model.addresses);
            ip(*record.address.get_or_insert(drawn), out);
            out.push(b':');
            number(between(stream, 30_000, 65_535), out);
        }
        Part::Config => {
            word(stream, words::WORKLOADS, out);
            out.extend_from_slice(b"-config");
        }
        Part::Connections => number(between(stream, 1, 10) * 100, out),
        Part::Constraint => word(stream, words::CONSTRAINTS, out),
        Part::Container | Part::Deployment => word(stream, words::WORKLOADS, out),
        Part::Count => number(between(stream, 1, 100), out),
        Part::Days => number(between(stream, 1, 30), out),
        Part::Domain => out.extend_from_slice(pick_from(stream, &model.domains).as_bytes()),
        Part::Email => out.extend_from_slice(pick_from(stream, &model.emails).as_bytes()),
        Part::Endpoint => {
            let drawn = pick(stream, words::ENDPOINTS);
            out.extend_from_slice(record.endpoint.get_or_insert(drawn).as_bytes());
        }
        Part::Error => out.extend_from_slice(given.error.as_bytes()),
        Part::FewPercent => number(between(stream, 1, 10), out),
        Part::Field => word(stream, words::FIELDS, out),
        Part::File => out.extend_from_slice(pick_from(stream, &model.files).as_bytes()),
        Part::Heap => number(between(stream, 1, 16) * 512, out),
        Part::Ip => {
            let drawn = pick(stream, &model.addresses);
            ip(*record.address.get_or_insert(drawn), out);
        }
        Part::JobId => {
            out.extend_from_slice(b"JOB-");
            padded(below(stream, 100_000), 5, out);
        }
        Part::Lag => number(between(stream, 1000, 10_000), out),
        Part::SmallLag => number(between(stream, 10, 999), out),
        Part::Latency => number(between(stream, 1, 1000), out),
        Part::Metric => word(stream, words::METRICS, out),
        Part::Namespace => word(stream, words::NAMESPACES, out),
        Part::Node => {
            out.extend_from_slice(b"node-");
            number(between(stream, 1, 10), out);
        }
        Part::OrderId => {
            out.extend_from_slice(b"ORD-");
            padded(ordered(model, stream, record).order, 6, out);
        }
        Part::Param => word(stream, words::PARAMS, out),
        Part::Pattern => word(stream, words::PATTERNS, out),
        Part::Payload => word(stream, words::PAYLOADS, out),
        Part::Percent => number(between(stream, 70, 99), out),
        Part::Pod => {
            word(stream, words::WORKLOADS, out);
            out.push(b'-');
            hex(&stream.next_u32().to_be_bytes()[..3], out);
        }
        Part::Policy => word(stream, words::POLICIES, out),
        Part::Process => word(stream, words::PROCESSES, out),
        Part::Pvc => {
            out.extend_from_slice(b"data-");
            word(stream, words::WORKLOADS, out);
            out.push(b'-');
            number(below(stream, 5), out);
        }
        Part::QueryType => word(stream, words::QUERY_TYPES, out),
        Part::Replicas => number(between(stream, 1, 10), out),
        Part::RequestId => {
            let id = match record.request_id {
                Some(id) => id,
                None => request_id(stream),
            };
            record.request_id = Some(id);
            uuid(id, out);
        }
        Part::Resource => word(stream, words::RESOURCES, out),
        Part::ServerError => {
            let all = words::statuses_of(record.code.unwrap_or(words::INTERNAL));
            let drawn = pick(stream, all);
            number((*record.status.get_or_insert(drawn)).into(), out);
        }
        Part::Service => out.extend_from_slice(other_service(stream, record).as_bytes()),
        Part::Size => number(between(stream, 1024, 10_485_760), out),
        Part::Status => number((*record.status.get_or_insert(200)).into(), out),
        Part::Table => word(stream, words::TABLES, out),
        Part::Time => number(record.response_time.unwrap_or_default() / 100, out),
        Part::TransactionId => {
            out.extend_from_slice(b"TXN-");
            padded(ordered(model, stream, record).transaction, 8, out);
        }
        Part::Usage => tenth(given.usage, out),
        Part::UserId => {
            if !matches!(record.user, User::Known(_)) {
                record.user = user(model, stream);
            }
            if let User::Known(user) = record.user {
                hex(&user.to_be_bytes(), out);
            }
        }
        Part::Value => fixed(below(stream, 10_001), out),
    }
}

fn word(stream: &mut ChaCha8Rng, words: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(pick(stream, words).as_bytes());
}

/// The order that the record tells of.
fn ordered<'m>(model: &'m Model, stream: &mut ChaCha8Rng, record: &mut Record<'m>) -> Order<'m> {
    if let Metadata::Order(order) = record.metadata {
        return order;
    }
    let order = order(model, stream, record.time);
    record.metadata = Metadata::Order(order);
    order
}

/// A service that the record does not come from.
fn other_service(stream: &mut ChaCha8Rng, record: &Record<'_>) -> &'static str {
    let place = below(stream, words::UPSTREAMS.len() as u32) as usize;
    let drawn = words::UPSTREAMS[place];
    match drawn == record.place.service {
        true => words::UPSTREAMS[(place + 1) % words::UPSTREAMS.len()],
        false => drawn,
    }
}
