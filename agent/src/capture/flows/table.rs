//! The table of flows in the kernel, read in slices by `BPF_MAP_LOOKUP_BATCH`.
//!
//! It is not mapped: what is read of a mapped table stays in this process's memory, all of it.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use agent_common::flow::{
    FLOW_WAYS, FlowBucketImage, FlowLinesImage, FlowRecord, line_index, looked, looked_at,
};
use agent_common::shared::Shared;

use super::super::mapped::Mapped;
use super::{Taken, Words, visit_bucket};

/// Buckets read at once: not quite half a MiB.
pub const SLICE: u32 = 128;

/// The table of flows.
#[derive(Debug)]
pub struct FlowTable {
    maps: FlowMaps,
    known: Mapped<Shared<u64>>,
    buckets: u32,
    tick_ns: u32,
    /// Where the next slice begins.
    next: u32,
    keys: Vec<u32>,
    buckets_read: Vec<FlowBucketImage>,
    /// The same, read behind the lines.
    buckets_again: Vec<FlowBucketImage>,
    lines_read: [Vec<FlowLinesImage>; 2],
}

/// A slice that was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Read {
    /// It was the last one, and the next begins from the front.
    pub last: bool,
    /// Packets that are on record now, and that the kernel side counts as left out nevertheless.
    pub counted_twice: u64,
}

impl Words for Mapped<Shared<u64>> {
    fn look(&mut self, slot: u32, generation: u32) -> bool {
        self.change(slot as usize, |word| looked_at(word, generation))
    }

    fn looked(&mut self, slot: u32, generation: u32, told: Option<(u64, bool)>) -> u64 {
        let mut twice = 0;
        self.change(slot as usize, |word| {
            let (word, counted) = looked(word, generation, told);
            twice = counted;
            Some(word)
        });
        twice
    }
}

/// The maps that the table consists of.
#[derive(Debug)]
pub(in super::super) struct FlowMaps {
    /// `FLOWS`.
    pub(in super::super) flows: OwnedFd,
    /// `FLOW_LINES`.
    pub(in super::super) lines: OwnedFd,
}

impl FlowTable {
    /// The table in the maps `FLOWS`, with so many buckets, and `FLOW_LINES`, and the words in `FLOWS_KNOWN`.
    /// `tick_ns`: the nanoseconds of a coarse tick.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(
        flows: BorrowedFd<'_>,
        lines: BorrowedFd<'_>,
        known: BorrowedFd<'_>,
        buckets: u32,
        tick_ns: u32,
    ) -> io::Result<Self> {
        let known = Mapped::new(known, buckets as usize * FLOW_WAYS)?;
        let maps = FlowMaps {
            flows: flows.try_clone_to_owned()?,
            lines: lines.try_clone_to_owned()?,
        };
        Ok(Self::new(maps, known, buckets, tick_ns))
    }

    pub(in super::super) fn new(
        maps: FlowMaps,
        known: Mapped<Shared<u64>>,
        buckets: u32,
        tick_ns: u32,
    ) -> Self {
        Self {
            maps,
            known,
            buckets,
            tick_ns,
            next: 0,
            keys: Vec::new(),
            buckets_read: Vec::new(),
            buckets_again: Vec::new(),
            lines_read: [Vec::new(), Vec::new()],
        }
    }

    /// Shows the flows of the next slice ([`SLICE`] buckets) to `visit`, which is told whether there is
    /// news; see [`super::TakeFlow::found`].
    ///
    /// # Errors
    /// What the kernel says; the walk then begins from the front.
    pub fn read_slice(
        &mut self,
        visit: &mut dyn FnMut(&FlowRecord, bool) -> Taken,
    ) -> io::Result<Read> {
        let first = self.next;
        let count = SLICE.min(self.buckets - first);
        self.next = 0;
        let keys = &mut self.keys;
        let mut read = look_up(&self.maps.flows, first, count, keys, &mut self.buckets_read)?;
        for (side, lines) in (0..).zip(&mut self.lines_read) {
            let first = line_index(self.buckets - 1, side, first);
            read = read.min(look_up(&self.maps.lines, first, count, keys, lines)?);
        }
        let again = &mut self.buckets_again;
        read = read.min(look_up(&self.maps.flows, first, count, keys, again)?);
        let [low, high] = &self.lines_read;
        let buckets = self.buckets_read.iter().zip(&self.buckets_again);
        let images = buckets.zip(low.iter().zip(high));
        let mut counted_twice = 0;
        for (index, ((bucket, later), (low, high))) in (first..first + read).zip(images) {
            let lines = [low.lines(), high.lines()];
            let flows = (bucket.bucket(), lines, later.bucket());
            counted_twice += visit_bucket(flows, index, self.tick_ns, visit, &mut self.known);
        }
        let last = read < count || first + count >= self.buckets;
        if !last {
            self.next = first + count;
        }
        Ok(Read {
            last,
            counted_twice,
        })
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
}

/// Reads `count` (at most [`SLICE`]) values of a map from index `first` on into `values`. Gives their number.
fn look_up<Value: aya::Pod + Default>(
    map: &OwnedFd,
    first: u32,
    count: u32,
    keys: &mut Vec<u32>,
    values: &mut Vec<Value>,
) -> io::Result<u32> {
    let count = count.min(SLICE);
    keys.resize(SLICE as usize, 0);
    values.resize(SLICE as usize, Value::default());
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
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count,
        map: map.as_raw_fd().cast_unsigned(),
        element_flags: 0,
        flags: 0,
    };
    const { assert!(offset_of!(Batch, flags) == 48) };
    // SAFETY: the arrays have room for `count` keys and values, as made above; the kernel
    // writes no more, and any bits are a value.
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
