//! What the agent tells the kernel programs before they are loaded.

use crate::counters::Protocol;

/// Settings that do not change while the programs run. The verifier treats them as constants.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Secret keys of the connection hash, so that nobody can aim at one bucket.
    pub hash_keys: [u64; 6],
    /// Number of buckets of the connection table minus one; the number is a power of two.
    pub bucket_mask: u32,
    /// The longest head that is collected, in bytes.
    pub head_max: u32,
    /// A set of `filter` bits.
    pub filters: u32,
    /// Bytes that one connection may have copied beyond ordinary heads in a window of time.
    pub connection_budget: u32,
    /// Bytes that one CPU may copy beyond ordinary heads in a window of time.
    pub cpu_budget: u64,
    /// Number of buckets of the table of flows minus one; the number is a power of two.
    pub flow_mask: u32,
    /// 0: flows are not counted.
    pub flows: u32,
    /// Coarse ticks without a packet after which a flow is over, by [`crate::counters::Protocol`] (the
    /// last is of no meaning).
    pub flow_idle: [u32; Protocol::COUNT],
    /// Nanoseconds of a coarse tick.
    pub tick_ns: u32,
    /// Bytes of the ring of a CPU minus one; their number is a power of two, [`crate::ring::UNIT`] at least.
    pub ring_mask: u32,
}

/// Bits of [`Settings::filters`].
pub mod filter {
    /// Only packets with one of the wanted ports.
    pub const PORTS: u32 = 1 << 0;
    /// Only packets with an address in one of the wanted networks.
    pub const NETS: u32 = 1 << 1;
}

impl Settings {
    /// Settings for a table of one bucket; the agent fills in the rest.
    pub const DEFAULT: Self = Self {
        hash_keys: [
            0x9e37_79b9_7f4a_7c15,
            0xbf58_476d_1ce4_e5b9,
            0x94d0_49bb_1331_11eb,
            0xd6e8_feb8_6659_fd93,
            0xa076_1d64_78bd_642f,
            0xe703_7ed1_a0b4_28db,
        ],
        bucket_mask: 0,
        head_max: crate::record::HEAD_MAX as u32,
        filters: 0,
        connection_budget: 1 << 20,
        cpu_budget: 32 << 20,
        flow_mask: 0,
        flows: 1,
        // Five minutes, one minute and one minute.
        flow_idle: [75_000, 15_000, 15_000, 15_000],
        tick_ns: 4_000_000,
        ring_mask: crate::ring::SEGMENT as u32 - 1,
    };
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, 48 + 16 + 8 + 32 bytes without padding, integers only.
unsafe impl aya::Pod for Settings {}

const _: () = assert!(size_of::<Settings>() == 104);
