//! The bytes of one row of groups.
//!
//! ```text
//! version ─► others (length, tally) ─► number of groups ─► value (length, text), tally (length, bytes) …
//! ```
//!
//! Groups stand in the order of their exchanges, the most first. One that is not wanted is passed over
//! by its length.

use std::collections::HashMap;

use super::VALUES_MOST;
use crate::sink::sqlite::tally::Tally;
use crate::sink::sqlite::tally::varint::{Bytes, NotOurs, put, put_bytes};

const VERSION: u64 = 1;

/// Writes groups, of which it keeps [`VALUES_MOST`] apart, and adds the rest to `others`.
pub(crate) fn encode(groups: &mut Vec<(&str, &Tally)>, others: &Tally) -> Vec<u8> {
    let by_exchanges = |group: &(&str, &Tally)| std::cmp::Reverse(group.1.exchanges());
    groups.sort_unstable_by(|one, other| {
        // By value where they are equal, so that the same groups make the same bytes.
        by_exchanges(one)
            .cmp(&by_exchanges(other))
            .then(one.0.cmp(other.0))
    });
    let mut rest = others.clone();
    for (_, tally) in groups.iter().skip(VALUES_MOST) {
        rest.merge(tally);
    }
    groups.truncate(VALUES_MOST);
    let mut bytes = Vec::with_capacity(64 + groups.len() * 128);
    let mut tally_bytes = Vec::with_capacity(256);
    put(&mut bytes, VERSION);
    if rest.exchanges() > 0 {
        rest.encode(&mut tally_bytes);
    }
    put_bytes(&mut bytes, &tally_bytes);
    put(&mut bytes, groups.len() as u64);
    for (value, tally) in groups.iter() {
        put_bytes(&mut bytes, value.as_bytes());
        tally_bytes.clear();
        tally.encode(&mut tally_bytes);
        put_bytes(&mut bytes, &tally_bytes);
    }
    bytes
}

/// What is read of a row: one group, or the others of all that are kept apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Group<'b> {
    Others(Bytes<'b>),
    Of(&'b str, Bytes<'b>),
}

/// Shows each group of a row.
///
/// # Errors
/// The bytes are none of ours, or what `see` says.
pub(crate) fn read<'b, E: From<NotOurs>>(
    bytes: &'b [u8],
    mut see: impl FnMut(Group<'b>) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = Bytes::new(bytes);
    if bytes.number()? != VERSION {
        return Err(NotOurs.into());
    }
    let others = Bytes::new(bytes.part()?);
    if !others.is_empty() {
        see(Group::Others(others))?;
    }
    for _ in 0..bytes.number()? {
        let value = std::str::from_utf8(bytes.part()?).map_err(|_no_text| NotOurs)?;
        see(Group::Of(value, Bytes::new(bytes.part()?)))?;
    }
    Ok(())
}

/// Groups of several rows together.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) groups: HashMap<Box<str>, Tally, foldhash::quality::RandomState>,
    pub(crate) others: Tally,
}

impl Merged {
    /// Adds a row.
    ///
    /// # Errors
    /// The bytes are none of ours.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), NotOurs> {
        read(bytes, |group| match group {
            Group::Others(mut tally) => self.others.merge_encoded(&mut tally),
            Group::Of(value, mut tally) => self.group(value).merge_encoded(&mut tally),
        })
    }

    /// The group of this value, made where there is none.
    pub(crate) fn group(&mut self, value: &str) -> &mut Tally {
        if !self.groups.contains_key(value) {
            self.groups.insert(value.into(), Tally::default());
        }
        // It has just been made.
        self.groups.get_mut(value).unwrap_or(&mut self.others)
    }

    /// As the bytes of a row.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut groups = self
            .groups
            .iter()
            .map(|(value, tally)| (&**value, tally))
            .collect();
        encode(&mut groups, &self.others)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::exchange::record::Outcome;
    use crate::sink::sqlite::tally::Addend;

    fn merged(values: &[(String, u64)]) -> Merged {
        let mut merged = Merged::default();
        for (value, latency) in values {
            let addend = Addend::new(Outcome::Complete, Some(200), None, None, Some(*latency));
            merged.group(value).add(&addend);
        }
        merged
    }

    #[test]
    fn beyond_the_bound_the_rare_are_others() {
        let mut values: Vec<(String, u64)> = (0..VALUES_MOST + 100)
            .map(|number| (format!("/{number}"), 10))
            .collect();
        values.extend([("/often".to_owned(), 1000), ("/often".to_owned(), 1000)]);
        let bytes = merged(&values).encode();
        let mut read = Merged::default();
        read.add(&bytes).unwrap();
        assert_eq!(read.groups.len(), VALUES_MOST);
        assert_eq!(read.groups["/often"].exchanges(), 2);
        assert_eq!(read.others.exchanges(), 101);
        let all: u64 = read.groups.values().map(Tally::exchanges).sum();
        assert_eq!(all + read.others.exchanges(), values.len() as u64);
    }

    proptest! {
        #[test]
        fn rows_add_up(
            one in prop::collection::vec(("[a-c]{0,2}", 0_u64..1000), 0..20),
            other in prop::collection::vec(("[a-c]{0,2}", 0_u64..1000), 0..20),
        ) {
            let mut read = Merged::default();
            read.add(&merged(&one).encode()).unwrap();
            read.add(&merged(&other).encode()).unwrap();
            let all = merged(&[one, other].concat());
            prop_assert_eq!(read.encode(), all.encode());
            prop_assert_eq!(read.groups, all.groups);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let _read = Merged::default().add(&bytes);
            bytes = merged(&[("a".to_owned(), 5), ("b".to_owned(), 7)]).encode();
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _read = Merged::default().add(&bytes);
            let _read = Merged::default().add(&bytes[..at]);
        }
    }
}
