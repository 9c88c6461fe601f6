//! Arrays of the kernel programs, mapped into this process: read and written without system calls.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use agent_common::shared::Shared;

/// Values that may be mapped: every part of them is a [`Shared`] word, so that nobody holds a
/// reference to memory that the kernel changes, and every bit pattern is one of them.
///
/// # Safety
/// The type must consist of [`Shared`] words alone.
pub(super) unsafe trait Mappable {}

// SAFETY: a shared word.
unsafe impl Mappable for Shared<u64> {}

/// An array map, mapped.
#[derive(Debug)]
pub(super) struct Mapped<T> {
    start: NonNull<T>,
    entries: usize,
    bytes: usize,
    marker: PhantomData<T>,
}

// SAFETY: the mapping belongs to the process; its words are shared by nature.
unsafe impl<T: Mappable> Send for Mapped<T> {}

impl<T: Mappable> Mapped<T> {
    /// Maps the array map behind `map`, made with `BPF_F_MMAPABLE` and `entries` values of `T`.
    ///
    /// # Errors
    /// What `mmap` says.
    pub(super) fn new(map: BorrowedFd<'_>, entries: usize) -> io::Result<Self> {
        const {
            assert!(
                size_of::<T>().is_multiple_of(8),
                "the kernel pads to 8 bytes"
            )
        };
        let bytes = size_of::<T>() * entries;
        // SAFETY: a new mapping at an address of the kernel's choice; it refuses one that is longer
        // than the map.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self {
            start,
            entries,
            bytes,
            marker: PhantomData,
        })
    }

    /// The value at `index`.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        // SAFETY: inside the mapping, which lives as long as `self`; page-aligned at its start, and
        // sizes are multiples of the alignment. Any bits are a `T`.
        (index < self.entries).then(|| unsafe { self.start.add(index).as_ref() })
    }
}

impl Mapped<Shared<u64>> {
    /// Changes the word at `index` in one step that nobody comes between. `change` gives the new word for the old
    /// one, perhaps several times; `None`: it stays. False: it stays, or there is none.
    pub(super) fn change(&self, index: usize, change: impl FnMut(u64) -> Option<u64>) -> bool {
        let Some(word) = self.get(index) else {
            return false;
        };
        atomic(word)
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, change)
            .is_ok()
    }
}

/// A shared word, for accesses that other memory is ordered by.
pub(super) fn atomic(word: &Shared<u64>) -> &AtomicU64 {
    // SAFETY: a shared word is a transparent `UnsafeCell` of an aligned `u64`, borrowed as long as the atomic;
    // whoever else uses it does so by single accesses of the whole word too.
    unsafe { AtomicU64::from_ptr(std::ptr::from_ref(word).cast_mut().cast()) }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; no reference outlives `self`.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.bytes);
        }
    }
}
