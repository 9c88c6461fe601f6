//! Where an exchange may stand, by its identifier alone: those of one run are numbered in the order in which
//! they began, nearly, so their places are found as a word is in a dictionary. It is a guess, and whoever
//! has another order (programs that make identifiers of their own) loses a few milliseconds by it.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use rusqlite::OptionalExtension as _;

use super::read::Table;
use super::{ReadError, ReadFile, Store};
use crate::session::identifier::Identifier;

/// Rows of a file that are looked at first, evenly over it.
const SAMPLES: i64 = 64;
/// Rows in a row of which one must be of the run: several may have written at a time.
const BESIDE: i64 = 64;
/// Rows that are looked at between the nearest two.
const STEPS: usize = 40;
/// Keys between two rows that are near enough: a tenth of a second.
const NEAR: i64 = 2 * 100_000;
/// Keys to both sides of them, within which the order is not relied on: a second.
const BESIDE_KEYS: i64 = 2 * 1_000_000;

impl Store {
    /// The stretches of keys in which the exchange may stand, the newest first: short ones, or none.
    pub(super) fn probable_places(
        &self,
        identifier: Identifier,
    ) -> Result<Vec<RangeInclusive<i64>>, ReadError> {
        let mut files: Vec<&ReadFile> = self.files.iter().collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.day));
        let mut places = Vec::new();
        for file in files {
            if self.is_late() {
                break;
            }
            places.extend(file.probable_place(identifier)?);
        }
        Ok(places)
    }
}

/// The keys between which the wanted number lies, where numbers rise with keys.
#[derive(Clone, Copy, Debug)]
struct Between {
    wanted: u64,
    low: i64,
    high: i64,
}

impl Between {
    /// The first row of the run from this key on has this number.
    fn add(&mut self, from: i64, (number, key): (u64, i64)) {
        match number.cmp(&self.wanted) {
            Ordering::Less => self.low = self.low.max(key),
            Ordering::Equal => (self.low, self.high) = (key, key),
            Ordering::Greater => self.high = self.high.min(from),
        }
    }

    fn length(&self) -> i64 {
        self.high.saturating_sub(self.low)
    }
}

impl ReadFile {
    fn probable_place(
        &self,
        identifier: Identifier,
    ) -> Result<Option<RangeInclusive<i64>>, ReadError> {
        let Some((first, last)) = self.range(Table::Exchanges)? else {
            return Ok(None);
        };
        let (run, wanted) = identifier.parts();
        let mut between = Between {
            wanted,
            low: first,
            high: last,
        };
        let mut is_of_run = false;
        let step = (last - first) / SAMPLES;
        for sample in 0..=SAMPLES {
            let from = first + sample * step;
            if let Some(found) = self.number_from(run, from)? {
                is_of_run = true;
                between.add(from, found);
            }
        }
        for _ in 0..STEPS {
            if !is_of_run || between.length() <= NEAR {
                break;
            }
            let from = between.low + between.length() / 2;
            match self.number_from(run, from)? {
                Some(found) => between.add(from, found),
                // There is none of the run behind.
                None => between.high = from,
            }
        }
        // Numbers that do not rise with the keys say nothing.
        let is_near = is_of_run && (0..=NEAR).contains(&between.length());
        Ok(is_near.then(|| between.low - BESIDE_KEYS..=between.high + BESIDE_KEYS))
    }

    /// The number and the key of a row of the run, of the first ones from this key on.
    fn number_from(&self, run: u64, key: i64) -> Result<Option<(u64, i64)>, ReadError> {
        let find = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT exchange_id, id FROM (SELECT exchange_id, id FROM exchanges WHERE id >= ? \
                 ORDER BY id LIMIT ?) WHERE exchange_id >= ? AND exchange_id <= ? ORDER BY id LIMIT 1",
            )?;
            let [lowest, highest] = [0, u64::MAX].map(|number| Identifier::new(run, number));
            let row = statement.query_row(
                (key, BESIDE, lowest.to_string(), highest.to_string()),
                |row| Ok((row.get_ref(0)?.as_str()?.parse().ok(), row.get(1)?)),
            );
            row.optional()
        };
        let found: Option<(Option<Identifier>, i64)> =
            find().map_err(|source| self.failed(source))?;
        Ok(found.and_then(|(identifier, key)| Some((identifier?.parts().1, key))))
    }
}
