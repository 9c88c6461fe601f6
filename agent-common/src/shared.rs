//! Memory that several CPUs, or the kernel and the agent, read and write at the same time.

use core::cell::UnsafeCell;

/// A word shared without a lock: every access is one volatile load or store, so it is never torn,
/// cached or repeated by the compiler. Reads may be old; who needs more says why it does not matter.
///
/// `core::sync::atomic` has no types for the BPF target, where an aligned load or store of up to
/// eight bytes is one instruction; this is the one wrapper for that idiom.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct Shared<T: Word>(UnsafeCell<T>);

/// Types whose aligned loads and stores are one instruction.
pub trait Word: Copy + Default {}
impl Word for u16 {}
impl Word for u32 {}
impl Word for u64 {}

// SAFETY: all access goes through `get` and `set`, which are single volatile accesses of a machine
// word; there is no reference to the inside.
unsafe impl<T: Word> Sync for Shared<T> {}

impl<T: Word> Shared<T> {
    /// A shared word with a first value.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Loads the word.
    #[inline(always)]
    pub fn get(&self) -> T {
        // SAFETY: the pointer comes from a live `UnsafeCell`, is aligned and valid; a concurrent
        // store of a machine word cannot tear it.
        unsafe { self.0.get().read_volatile() }
    }

    /// Stores the word.
    #[inline(always)]
    pub fn set(&self, value: T) {
        // SAFETY: as in `get`; the type has no destructor.
        unsafe { self.0.get().write_volatile(value) }
    }
}
