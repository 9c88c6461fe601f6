//! Where connections, counters and records live: maps in the kernel, vectors in the agent.

use crate::connection::Direction;
use crate::flow::count::{count, count_new, end};
use crate::flow::{FlowBucket, FlowLines, FlowRecord, left_out};
use crate::scratch::{Scratch, Workplace};
use crate::search::{Body, head_end, request_body};
use crate::shared::Shared;
use crate::start::{Start, is_request_line, preface, start_of};
use crate::table::Bucket;

/// What the classifier needs of its surroundings.
///
/// # Safety
/// `workplace` hands out an exclusive reference from a shared one. [`crate::observe::observe`] takes
/// it once a packet and does not keep it; an implementor must give every thread of execution (every
/// CPU) its own, and nobody else may use it meanwhile.
pub unsafe trait Host {
    /// The secret keys of the connection hash.
    fn hash_key(&self, index: usize) -> u64;
    /// Number of buckets minus one.
    fn bucket_mask(&self) -> u32;
    /// The longest head that is collected, in bytes.
    fn head_max(&self) -> u32;
    /// The [`crate::settings::filter`] bits.
    fn filters(&self) -> u32;
    /// Bytes a connection may have copied beyond ordinary heads in a window of time.
    fn connection_budget(&self) -> u32;
    /// Bytes a CPU may copy beyond ordinary heads in a window of time.
    fn cpu_budget(&self) -> u64;
    /// Whether packets of this port (network byte order, as loaded) are wanted.
    fn port_wanted(&self, port_be: u16) -> bool;
    /// Whether packets with this address are wanted.
    fn net_wanted(&self, address: [u64; 2]) -> bool;

    /// The workplace of this CPU.
    #[expect(
        clippy::mut_from_ref,
        reason = "the trait's safety contract makes it exclusive"
    )]
    fn workplace(&self) -> Option<&mut Workplace>;
    /// A bucket of the connection table.
    fn bucket(&self, index: u32) -> Option<&Bucket>;
    /// The release word of a slot, which the reader alone writes: see [`crate::connection::Release`]; 0
    /// when there is none.
    fn release(&self, slot: u32) -> u64;
    /// Makes `tag` the owner of a place whose tag was `old`; false when somebody was faster.
    fn claim(&self, place: &Shared<u64>, old: u64, tag: u64) -> bool;

    /// Whether flows are counted.
    fn counts_flows(&self) -> bool;
    /// Number of buckets of the table of flows minus one.
    fn flow_mask(&self) -> u32;
    /// Coarse ticks without a packet after which a flow of this protocol is over; see
    /// [`crate::settings::Settings::flow_idle`].
    fn flow_idle(&self, protocol: u32) -> u32;
    /// Nanoseconds of a coarse tick.
    fn tick_ns(&self) -> u32;
    /// A bucket of the table of flows.
    fn flow_bucket(&self, index: u32) -> Option<&FlowBucket>;
    /// The lines of one side of the flows of a bucket.
    fn flow_lines(&self, side: u32, bucket: u32) -> Option<&FlowLines>;
    /// The word about the flow in a slot: see [`crate::flow::known_word`]; 0 when nothing was said.
    fn flow_known(&self, slot: u32) -> Option<&Shared<u64>>;
    /// Adds to a word, atomically. Gives what it was.
    fn add(&self, word: &Shared<u64>, by: u64) -> u64;
    /// Sets bits of a word, atomically. Gives what it was.
    fn set_bits(&self, word: &Shared<u64>, bits: u64) -> u64;
    /// Puts 0 in the place of a word, atomically. Gives what it was.
    fn take(&self, word: &Shared<u64>) -> u64;
    /// Whether the ring has room to spare for records of flows: heads come first.
    fn has_room_for_flows(&self) -> bool;
    /// Hands the record of a flow to the reader. False: no room.
    fn send_flow(&self, record: &FlowRecord) -> bool;

    /// [`crate::flow::count::count`]; the kernel has it verified once.
    fn count_flow(&self, workplace: &mut Workplace)
    where
        Self: Sized,
    {
        count(self, workplace);
    }

    /// [`crate::flow::count::count_new`].
    fn count_new(&self, workplace: &mut Workplace)
    where
        Self: Sized,
    {
        count_new(self, workplace);
    }

    /// [`crate::flow::left_out`].
    fn left_out(&self, slot: u32, generation: u32, packets: u64, unsent: u64) -> u64
    where
        Self: Sized,
    {
        left_out(self, slot, generation, packets, unsent)
    }

    /// [`crate::flow::count::end`].
    fn end_flow(&self, workplace: &mut Workplace)
    where
        Self: Sized,
    {
        end(self, workplace);
    }

    /// Nanoseconds of the monotonic clock.
    fn now_ns(&self) -> u64;
    /// A clock that is cheap and coarse: ticks of 1 to 10 milliseconds.
    fn ticks(&self) -> u64;
    /// The CPU this runs on.
    fn cpu(&self) -> u32;

    /// Hands the record in `scratch` (header and `captured` bytes) to the reader. False: no room.
    fn send(&self, scratch: &Scratch, captured: u32) -> bool;

    /// [`crate::start::start_of`]; the kernel has it verified once, not once for every way to it.
    fn start_of(&self, word: u64, length: u32) -> Option<Start> {
        start_of(word, length)
    }

    /// [`crate::start::is_request_line`].
    fn is_request_line(&self, scratch: &Scratch, length: u32) -> bool {
        is_request_line(scratch, length)
    }

    /// [`crate::start::preface::follow`].
    fn follow_preface(
        &self,
        direction: &Direction,
        peer: u32,
        position: u64,
        word: u64,
        copied: u32,
    ) -> u32 {
        preface::follow(direction, peer, position, word, copied)
    }

    /// [`crate::search::head_end`].
    fn head_end(&self, scratch: &Scratch, length: u32) -> Option<u32> {
        head_end(scratch, length)
    }

    /// [`crate::search::request_body`].
    fn request_body(&self, scratch: &Scratch, length: u32) -> Body {
        request_body(scratch, length)
    }

    /// Calls `step` with 0, 1, … until it says false, at most `count` times. In the kernel this is
    /// `bpf_loop`, which the verifier checks once instead of once a round.
    fn repeat<F: FnMut(u32) -> bool>(&self, count: u32, step: F);
}
