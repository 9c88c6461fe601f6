//! Tables by text, with a bound on their size: when one is full, the half with the fewest requests
//! goes into `others`, so that what is frequent is told apart also when it comes late.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::{FixedState, RandomState};
use hashbrown::HashTable;

use super::unique::Unique;

/// What is counted for a text.
pub(crate) trait Tallied: Default {
    /// How much it counts when room is needed.
    fn weight(&self) -> u64;
    /// Adds what the other one counted.
    fn absorb(&mut self, other: &Self);
}

/// Hashes of texts: one that nobody can foresee for places in tables, and one that is always the same
/// for estimates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hashes {
    secret: RandomState,
}

impl Hashes {
    #[inline]
    pub(crate) fn secret(&self, text: &[u8]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        hasher.write(text);
        hasher.finish()
    }

    /// Always the same for the same text.
    pub(crate) fn fixed(text: &[u8]) -> u64 {
        let mut hasher = FixedState::with_seed(0x7461_706c_696e_6521).build_hasher();
        hasher.write(text);
        hasher.finish()
    }
}

/// A text with what is counted for it.
#[derive(Clone, Debug)]
pub(crate) struct Slot<V> {
    start: u32,
    length: u32,
    secret: u64,
    /// The hash for estimates.
    pub(crate) fixed: u64,
    /// What is counted.
    pub(crate) value: V,
}

/// A table by text.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<V> {
    table: HashTable<u32>,
    slots: Vec<Slot<V>>,
    texts: Vec<u8>,
    most: usize,
    most_bytes: usize,
    longest: usize,
    /// What is counted for texts that are not told apart.
    pub(crate) others: V,
    /// All texts that ever were in `others`.
    gone: Option<Unique<14>>,
}

impl<V: Tallied> Keyed<V> {
    /// At most `most` texts of at most `most_bytes` together; of longer ones than `longest` only the
    /// beginning is looked at.
    pub(crate) fn new(most: usize, most_bytes: usize, longest: usize) -> Self {
        Self {
            table: HashTable::new(),
            slots: Vec::new(),
            texts: Vec::new(),
            most,
            most_bytes: most_bytes.min(u32::MAX as usize / 2).max(4 * longest),
            longest,
            others: V::default(),
            gone: None,
        }
    }

    /// The slot of a text, and whether it is new.
    #[inline]
    pub(crate) fn slot(&mut self, hashes: &Hashes, text: &[u8]) -> (&mut Slot<V>, bool) {
        let text = &text[..text.len().min(self.longest)];
        let secret = hashes.secret(text);
        let (slots, texts) = (&self.slots, &self.texts);
        let found = self
            .table
            .find(secret, |index| {
                let slot = &slots[*index as usize];
                slot.secret == secret && text_of(texts, slot) == text
            })
            .copied();
        match found {
            Some(index) => (&mut self.slots[index as usize], false),
            None => (self.insert(secret, text), true),
        }
    }

    #[cold]
    fn insert(&mut self, secret: u64, text: &[u8]) -> &mut Slot<V> {
        while self.slots.len() >= self.most || self.texts.len() + text.len() > self.most_bytes {
            self.prune();
        }
        let index = self.slots.len();
        let start = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        self.slots.push(Slot {
            start,
            length: text.len() as u32,
            secret,
            fixed: Hashes::fixed(text),
            value: V::default(),
        });
        let slots = &self.slots;
        self.table
            .insert_unique(secret, index as u32, |index| slots[*index as usize].secret);
        &mut self.slots[index]
    }

    /// Keeps the half with the most requests, of equal ones the earliest. It takes no memory of its own:
    /// the table is as large as it may be.
    fn prune(&mut self) {
        let half = self.slots.len() / 2;
        if half < self.slots.len() {
            let order = |slot: &Slot<V>| (std::cmp::Reverse(slot.value.weight()), slot.start);
            self.slots.select_nth_unstable_by_key(half, order);
        }
        let hashes = self.gone.get_or_insert_default();
        for slot in self.slots.drain(half..) {
            self.others.absorb(&slot.value);
            hashes.add(slot.fixed);
        }
        self.slots.sort_unstable_by_key(|slot| slot.start);
        self.table.clear();
        let mut end = 0;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let start = slot.start as usize;
            let length = slot.length as usize;
            // Texts stand in the order of their slots: none is written over before it was moved.
            self.texts.copy_within(start..start + length, end);
            slot.start = end as u32;
            end += length;
            // All hashes are distinct places already: nothing grows here.
            self.table
                .insert_unique(slot.secret, index as u32, |_| slot.secret);
        }
        self.texts.truncate(end);
    }

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<V>>()
            + self.texts.capacity()
            + self.table.capacity() * 5
    }

    /// Makes room for the texts of another table, so that growing does not copy them again and again.
    fn reserve(&mut self, other: &Self) {
        let room =
            |own: usize, more: usize, most: usize| (own + more).min(most).saturating_sub(own);
        let slots = room(self.slots.len(), other.slots.len(), self.most);
        let texts = room(self.texts.len(), other.texts.len(), self.most_bytes);
        let own = &self.slots;
        self.table
            .reserve(slots, |index| own[*index as usize].secret);
        self.slots.reserve_exact(slots);
        self.texts.reserve_exact(texts);
    }

    /// Adds what another table counted.
    pub(crate) fn merge(
        &mut self,
        hashes: &Hashes,
        other: &Self,
        mut each: impl FnMut(&mut V, &V),
    ) {
        self.reserve(other);
        for slot in &other.slots {
            let (own, _) = self.slot(hashes, text_of(&other.texts, slot));
            each(&mut own.value, &slot.value);
        }
        self.others.absorb(&other.others);
        if let Some(gone) = &other.gone {
            self.gone.get_or_insert_default().merge(gone);
        }
    }

    /// How many different texts there were; an estimate where not all are told apart.
    pub(crate) fn distinct(&self) -> u64 {
        match &self.gone {
            None => self.slots.len() as u64,
            Some(gone) => {
                let mut all = gone.clone();
                self.slots.iter().for_each(|slot| all.add(slot.fixed));
                all.count().max(self.slots.len() as u64)
            }
        }
    }

    /// The `most` heaviest texts with what is counted for them, the heaviest first, then in the order
    /// of the texts; and what the others weigh.
    pub(crate) fn heaviest(&self, most: usize) -> (Vec<(&[u8], &V)>, u64) {
        let slots = self.slots.iter();
        let mut rows: Vec<(u64, &[u8], &V)> = slots
            .map(|slot| (slot.value.weight(), text_of(&self.texts, slot), &slot.value))
            .collect();
        let order = |left: &(u64, &[u8], &V), right: &(u64, &[u8], &V)| {
            right.0.cmp(&left.0).then_with(|| left.1.cmp(right.1))
        };
        let mut unlisted = 0;
        if most < rows.len() {
            rows.select_nth_unstable_by(most, order);
            unlisted = rows.drain(most..).map(|row| row.0).sum();
        }
        rows.sort_unstable_by(order);
        let rows = rows.into_iter().map(|(_, text, value)| (text, value));
        (rows.collect(), unlisted)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&[u8], &V)> {
        let slots = self.slots.iter();
        slots.map(|slot| (text_of(&self.texts, slot), &slot.value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut V)> {
        let texts = &self.texts;
        self.slots.iter_mut().map(move |slot| {
            let (start, length) = (slot.start as usize, slot.length as usize);
            (&texts[start..start + length], &mut slot.value)
        })
    }
}

#[inline]
fn text_of<'t, V>(texts: &'t [u8], slot: &Slot<V>) -> &'t [u8] {
    let start = slot.start as usize;
    &texts[start..start + slot.length as usize]
}

impl Tallied for u64 {
    fn weight(&self) -> u64 {
        *self
    }

    fn absorb(&mut self, other: &Self) {
        *self += other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_there_is_no_room() {
        let hashes = Hashes::default();
        let mut table: Keyed<u64> = Keyed::new(100, 1 << 20, 20);
        let mut total = 0;
        for round in 0..50_u64 {
            for value in 0..97 {
                table
                    .slot(&hashes, format!("rare {round} {value}").as_bytes())
                    .0
                    .value += 1;
                table.slot(&hashes, b"frequent").0.value += 1;
                total += 2;
            }
        }
        let (rows, _) = table.heaviest(1000);
        assert!(rows.len() <= 100);
        assert_eq!(rows[0], (&b"frequent"[..], &4850));
        let (first, unlisted) = table.heaviest(10);
        assert_eq!(first, rows[..10]);
        let kept: u64 = rows.iter().map(|row| row.1).sum();
        let listed: u64 = first.iter().map(|row| row.1).sum();
        assert_eq!(listed + unlisted, kept);
        assert_eq!(kept + table.others, total);
        let distinct = table.distinct() as f64;
        assert!((distinct - 4851.0).abs() < 4851.0 * 0.04, "{distinct}");
    }

    #[test]
    fn long_texts_and_many_bytes() {
        let hashes = Hashes::default();
        let mut table: Keyed<u64> = Keyed::new(1000, 400, 100);
        for value in 0..100 {
            let text = format!("{value:0200}");
            table.slot(&hashes, text.as_bytes()).0.value += 1;
        }
        assert_eq!(table.heaviest(9).0.len(), 1);
        for value in 0..100_u64 {
            table
                .slot(&hashes, format!("{value:090}").as_bytes())
                .0
                .value += 1;
        }
        assert!(table.texts.len() <= 400);
    }

    #[test]
    fn tables_merge() {
        let hashes = Hashes::default();
        let [mut left, mut right] = [(); 2].map(|()| Keyed::<u64>::new(10, 100, 10));
        for text in ["a", "b", "a"] {
            left.slot(&hashes, text.as_bytes()).0.value += 1;
        }
        for text in ["b", "c"] {
            right.slot(&hashes, text.as_bytes()).0.value += 1;
        }
        left.merge(&hashes, &right, |own, other| *own += other);
        let (found, _) = left.heaviest(9);
        assert_eq!(found, [(&b"a"[..], &2), (b"b", &2), (b"c", &1)]);
        assert_eq!(left.distinct(), 3);
    }
}
