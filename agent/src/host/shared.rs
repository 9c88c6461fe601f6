//! A value that one thread replaces and others read without a lock.
//!
//! The hot thread asks once a drain; as long as nothing changed that is one atomic load. Only after
//! a change it takes the lock, for the time of one reference count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Makes the two ends of a shared value that begins as `first`.
pub fn shared<T>(first: T) -> (Publisher<T>, Reader<T>) {
    let publisher = Publisher {
        cell: Arc::new(Cell {
            version: AtomicU64::new(0),
            current: Mutex::new(Arc::new(first)),
        }),
    };
    let reader = publisher.reader();
    (publisher, reader)
}

/// The end that replaces the value.
#[derive(Debug)]
pub struct Publisher<T> {
    cell: Arc<Cell<T>>,
}

impl<T> Publisher<T> {
    /// Puts `value` in the place of the present one. Readers see it at their next [`Reader::latest`].
    pub fn publish(&self, value: T) {
        let value = Arc::new(value);
        let mut current = self.cell.lock();
        *current = value;
        // Inside the lock, so that a reader that takes the lock gets a version and the value that
        // belongs to it.
        self.cell.version.fetch_add(1, Ordering::Release);
    }

    /// The present value.
    pub fn latest(&self) -> Arc<T> {
        Arc::clone(&self.cell.lock())
    }

    /// Another reader of the same value, for another thread.
    pub fn reader(&self) -> Reader<T> {
        let current = self.cell.lock();
        Reader {
            version: self.cell.version.load(Ordering::Acquire),
            snapshot: Arc::clone(&current),
            cell: Arc::clone(&self.cell),
        }
    }
}

/// The end that reads. It keeps the last value it saw, so reading costs one atomic load.
#[derive(Debug)]
pub struct Reader<T> {
    cell: Arc<Cell<T>>,
    version: u64,
    snapshot: Arc<T>,
}

impl<T> Reader<T> {
    /// The newest value. Call it once a drain, not once a record.
    pub fn latest(&mut self) -> &T {
        if self.cell.version.load(Ordering::Acquire) != self.version {
            let current = self.cell.lock();
            self.version = self.cell.version.load(Ordering::Acquire);
            self.snapshot = Arc::clone(&current);
        }
        &self.snapshot
    }
}

#[derive(Debug)]
struct Cell<T> {
    version: AtomicU64,
    current: Mutex<Arc<T>>,
}

impl<T> Cell<T> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Arc<T>> {
        // The value is replaced whole, so a thread that panicked left no half of one behind.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_each_new_value_and_the_old_ones_are_freed() {
        let first = Arc::new(1);
        let (publisher, mut reader) = shared(Arc::clone(&first));
        let mut second_reader = publisher.reader();
        assert_eq!(**reader.latest(), 1);
        publisher.publish(Arc::new(2));
        assert_eq!((**reader.latest(), **second_reader.latest()), (2, 2));
        assert_eq!(**publisher.latest(), 2);
        assert_eq!(Arc::strong_count(&first), 1);
    }

    #[test]
    fn values_never_go_back_while_they_are_replaced() {
        let (publisher, mut reader) = shared(0_u64);
        let writer = std::thread::spawn(move || {
            for value in 1..=20_000 {
                publisher.publish(value);
            }
        });
        let mut last = 0;
        while last < 20_000 {
            let value = *reader.latest();
            assert!(value >= last, "{value} after {last}");
            last = value;
        }
        writer.join().unwrap();
    }
}
