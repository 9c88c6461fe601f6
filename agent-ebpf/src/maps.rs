//! The maps: what the programs share with each other and with the agent.

use agent_common::{
    flow::{FlowBucket, FlowLines},
    live::{FRAMES_MOST, Live, LiveFrame},
    ring::{RingCursors, RingSegment},
    scratch::Workplace,
    settings::Settings,
    shared::Shared,
    table::Bucket,
};
use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, LpmTrie, PerCpuArray, ProgramArray, RingBuf},
};

/// Records on their way to the agent: the segments of the ring of CPU 0, then those of CPU 1, and so on. The
/// agent sets their number, and maps and reads them.
#[map]
pub(crate) static RINGS: Array<RingSegment> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// How far each CPU's ring was written and read. The agent sets their number, and maps them.
#[map]
pub(crate) static CURSORS: Array<RingCursors> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Wakes the agent: it waits for this ring, in which there is never anything of meaning.
#[map]
pub(crate) static BELL: RingBuf = RingBuf::with_byte_size(4096, 0);

/// The connection table. The agent sets its size. Nobody maps it: the flag alone has the kernel lay it out
/// from the beginning of a page, so that a line of ours is a cache line.
#[map]
pub(crate) static CONNECTIONS: Array<Bucket> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The release words, by slot of the table. The agent sets the size, and maps and writes them.
#[map]
pub(crate) static RELEASES: Array<Shared<u64>> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The table of flows, without their directions. The agent sets its size. It is not mapped; that it could be
/// has it begin at the beginning of a page, so that a cache line of a flow is a cache line.
#[map]
pub(crate) static FLOWS: Array<FlowBucket> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The directions of the flows, twice as many as buckets; see `agent_common::flow::line_index`. As above.
#[map]
pub(crate) static FLOW_LINES: Array<FlowLines> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What the agent has of flows, by slot of their table. The agent sets the size, and maps and writes it.
#[map]
pub(crate) static FLOWS_KNOWN: Array<Shared<u64>> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// One word: not 0 while the agent sleeps and wants to be woken by the next record. Whoever wakes it makes it 0.
#[map]
pub(crate) static SLEEPING: Array<Shared<u64>> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What each CPU works with: its counters, the packet and the record at hand.
#[map]
pub(crate) static WORKPLACE: PerCpuArray<Workplace> = PerCpuArray::with_max_entries(1, 0);

/// Room for the largest header that is read in one go.
pub(crate) type Window = [u64; 8];

/// Where header bytes are copied to that cannot be read in place, per CPU.
#[map]
pub(crate) static WINDOW: PerCpuArray<Window> = PerCpuArray::with_max_entries(1, 0);

/// What the sender of known traffic is told; see `agent_common::live`.
#[map]
pub(crate) static LIVE: Array<Live> = Array::with_max_entries(1, 0);

/// The frames that it sends.
#[map]
pub(crate) static LIVE_FRAMES: Array<LiveFrame> = Array::with_max_entries(FRAMES_MOST as u32, 0);

/// Wanted ports, one bit each: port p is bit p % 64 of word p / 64, p as it lies in memory.
#[map]
pub(crate) static PORTS: Array<u64> = Array::with_max_entries(1024, 0);

/// Wanted networks, IPv4 ones mapped into IPv6.
#[map]
pub(crate) static NETS: LpmTrie<[u64; 2], u32> = LpmTrie::with_max_entries(1024, 0);

/// What the filters of packet sockets go on with, by index. The agent fills it in.
#[map]
pub(crate) static SOCKET_PROGRAMS: ProgramArray = ProgramArray::with_max_entries(2, 0);

/// The place of the program for frames with Ethernet headers.
pub(crate) const SOCKET_ETHERNET: u32 = 0;

/// The place of the program for packets without link headers.
pub(crate) const SOCKET_IP: u32 = 1;

/// Set by the agent before loading.
#[unsafe(no_mangle)]
pub(crate) static SETTINGS: Settings = Settings::DEFAULT;
