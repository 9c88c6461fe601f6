//! The table of flows in the kernel, read in slices by `BPF_MAP_LOOKUP_BATCH`.
//!
//! It is not mapped: what is read of a mapped table stays in this process's memory, all of it.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use agent_common::flow::{FLOW_WAYS, FlowBucket, FlowBucketImage, FlowRecord};
use agent_common::shared::Shared;

use super::super::mapped::Mapped;
use super::{Taken, visit_bucket};

/// Buckets read at once: a quarter of a MiB.
pub const SLICE: u32 = 128;

/// The table of flows.
#[derive(Debug)]
pub struct FlowTable {
    map: OwnedFd,
    known: Mapped<Shared<u64>>,
    buckets: u32,
    tick_ns: u32,
    /// Where the next slice begins.
    next: u32,
    keys: Vec<u32>,
    values: Vec<FlowBucketImage>,
}

impl FlowTable {
    /// The table in the map `FLOWS` with so many buckets, and the words in `FLOWS_KNOWN`. `tick_ns`: the
    /// nanoseconds of a coarse tick.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(
        map: BorrowedFd<'_>,
        known: BorrowedFd<'_>,
        buckets: u32,
        tick_ns: u32,
    ) -> io::Result<Self> {
        let known = Mapped::new(known, buckets as usize * FLOW_WAYS)?;
        Ok(Self::new(
            map.try_clone_to_owned()?,
            known,
            buckets,
            tick_ns,
        ))
    }

    pub(in super::super) fn new(
        map: OwnedFd,
        known: Mapped<Shared<u64>>,
        buckets: u32,
        tick_ns: u32,
    ) -> Self {
        Self {
            map,
            known,
            buckets,
            tick_ns,
            next: 0,
            keys: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Shows the flows of the next slice ([`SLICE`] buckets) to `visit`, which is told whether there is
    /// news; see [`super::TakeFlow::found`]. True: that was the last
    /// slice, and the next call begins from the front.
    ///
    /// # Errors
    /// What the kernel says; the walk then begins from the front.
    pub fn read_slice(
        &mut self,
        visit: &mut dyn FnMut(&FlowRecord, bool) -> Taken,
    ) -> io::Result<bool> {
        let first = self.next;
        let count = SLICE.min(self.buckets - first);
        self.keys.resize(SLICE as usize, 0);
        self.values
            .resize(SLICE as usize, FlowBucketImage::default());
        self.next = 0;
        let read = self.look_up(first, count)?;
        for (place, image) in self.values.iter().take(read as usize).enumerate() {
            let bucket: &FlowBucket = image.bucket();
            let index = first + place as u32;
            visit_bucket(bucket, index, self.tick_ns, visit, |slot, word| {
                if let Some(known) = self.known.get(slot as usize) {
                    known.set(word);
                }
            });
        }
        let last = read < count || first + count >= self.buckets;
        if !last {
            self.next = first + count;
        }
        Ok(last)
    }

    /// Begins from the front.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// Buckets in the table.
    #[must_use]
    pub fn buckets(&self) -> u32 {
        self.buckets
    }

    /// Reads `count` buckets from `first` on. Gives their number.
    fn look_up(&mut self, first: u32, count: u32) -> io::Result<u32> {
        const LOOKUP_BATCH: libc::c_long = 24;
        // Behind which key it goes on; 0 for none.
        let before = first.wrapping_sub(1);
        let mut last = 0_u32;
        let mut batch = Batch {
            before: if first == 0 {
                0
            } else {
                (&raw const before) as u64
            },
            last: (&raw mut last) as u64,
            keys: self.keys.as_mut_ptr() as u64,
            values: self.values.as_mut_ptr() as u64,
            count,
            map: self.map.as_raw_fd().cast_unsigned(),
            element_flags: 0,
            flags: 0,
        };
        const { assert!(offset_of!(Batch, flags) == 48) };
        // SAFETY: the arrays have room for `count` keys and values, as the caller made them; the kernel
        // writes no more, and any bits are a bucket.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                LOOKUP_BATCH,
                &raw mut batch,
                size_of::<Batch>(),
            )
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            // The end of the table.
            if error.raw_os_error() != Some(libc::ENOENT) {
                return Err(error);
            }
        }
        Ok(batch.count.min(count))
    }
}

/// `union bpf_attr`, the part for batches.
#[repr(C)]
#[derive(Debug)]
struct Batch {
    before: u64,
    last: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}
