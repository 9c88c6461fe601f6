//! What is counted, per CPU: packets, bytes, what was ignored or lost and why.

/// Why a packet was not looked into. The order is part of the layout: new reasons go to the end.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ignored {
    /// Neither IPv4 nor IPv6 (ARP, LLDP, spanning tree …).
    NotIp = 0,
    /// The packet ends inside a header.
    Truncated = 1,
    /// A header contradicts itself (version, header length, data offset).
    BadHeader = 2,
    /// A header announces more bytes than the packet has.
    BadLength = 3,
    /// More IPv6 extension headers than anyone sends.
    ExtensionHeaders = 4,
    /// A fragment other than the first: it carries no transport header.
    Fragment = 5,
    /// Left out by `--port` or `--net`.
    Filtered = 6,
    /// A transport protocol that is neither TCP, UDP nor ICMP.
    Protocol = 7,
    /// Begins a TLS handshake: encrypted, cannot be read.
    Tls = 8,
    /// Begins an HTTP/2 connection: not HTTP/1.
    Http2 = 9,
    /// Sequence and acknowledgement number are those of no packet of its connection: forged, or of
    /// another one.
    Sequence = 10,
}

impl Ignored {
    /// Number of reasons.
    pub const COUNT: usize = 11;

    /// Places for them: a power of two, so that a mask proves bounds to the verifier.
    pub const PLACES: usize = 16;

    /// Every reason with the name it has in metrics, in the order of the layout.
    pub const NAMES: [&'static str; Self::COUNT] = [
        "not_ip",
        "truncated",
        "bad_header",
        "bad_length",
        "extension_headers",
        "fragment",
        "filtered",
        "protocol",
        "tls",
        "http2",
        "sequence",
    ];
}

/// Why bytes that were to be copied, or a connection that was to be followed, are not there.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// The ring was full.
    Ring = 0,
    /// The connection spent its budget of copied bytes.
    ConnectionBudget = 1,
    /// This CPU spent its budget of copied bytes.
    CpuBudget = 2,
    /// Two CPUs wanted the same place in the connection table; the packet was not followed.
    Slot = 3,
    /// The packet is shorter than it says, or longer than what is copied of one packet.
    Cut = 4,
}

impl Lost {
    /// Number of reasons.
    pub const COUNT: usize = 5;

    /// Every reason with the name it has in metrics, in the order of the layout.
    pub const NAMES: [&'static str; Self::COUNT] =
        ["ring", "connection_budget", "cpu_budget", "slot", "cut"];
}

/// Transport protocols that are told apart; their number is a power of two.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// TCP.
    Tcp = 0,
    /// UDP.
    Udp = 1,
    /// ICMP and ICMPv6.
    Icmp = 2,
    /// All else, also what is not IP.
    Other = 3,
}

impl Protocol {
    /// Number of protocols.
    pub const COUNT: usize = 4;

    /// Every protocol with the name it has in metrics, in the order of the layout.
    pub const NAMES: [&'static str; Self::COUNT] = ["tcp", "udp", "icmp", "other"];
}

/// Why a connection was escalated to having everything copied.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Escalated {
    /// A second request came before the first was answered, or requests in both directions.
    Pipelined = 0,
    /// An interim response (1xx) came.
    Interim = 1,
    /// A request with a body whose end cannot be told in the kernel (chunked, or a long head).
    Body = 2,
    /// A gap in the sequence.
    Gap = 3,
    /// A response to no request that was seen, on a connection whose start was not seen (`tapline read`: on any): its
    /// request came before, and others may have.
    Unasked = 4,
}

impl Escalated {
    /// Number of reasons.
    pub const COUNT: usize = 5;

    /// Every reason with the name it has in metrics, in the order of the layout.
    pub const NAMES: [&'static str; Self::COUNT] =
        ["pipelined", "interim", "body", "gap", "unasked"];

    /// The reason as a connection notes it; never 0.
    #[inline(always)]
    #[must_use]
    pub const fn mark(self) -> u16 {
        self as u16 + 1
    }
}

/// The counters of one CPU. Only that CPU writes them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Packets as on the wire (a super-packet counts its segments): incoming, outgoing; by protocol.
    pub packets: [[u64; Protocol::COUNT]; 2],
    /// Their bytes, from the network header on, with the headers that segments repeat.
    pub bytes: [[u64; Protocol::COUNT]; 2],
    /// Packets not looked into, by [`Ignored`].
    pub ignored: [u64; Ignored::PLACES],
    /// Segments that began like a head.
    pub candidates: u64,
    /// Records numbered; each was received or lost.
    pub records: u64,
    /// Records (for [`Lost::Slot`]: packets) lost, by [`Lost`].
    pub lost: [u64; Lost::COUNT],
    /// Payload bytes of what was lost, by [`Lost`].
    pub lost_bytes: [u64; Lost::COUNT],
    /// Segments seen before: retransmitted, or on a second interface.
    pub retransmitted: u64,
    /// Connections that had to make room for others.
    pub evicted: u64,
    /// Connections put into the table.
    pub connections: u64,
    /// Connections escalated, by [`Escalated`].
    pub escalated: [u64; Escalated::COUNT],
    /// Packets whose first fragment was read (also counted by protocol).
    pub first_fragments: u64,
    /// Packets found inside VXLAN, GRE or IP-in-IP.
    pub tunnelled: u64,
    /// Flows put into the table of flows, and those that began anew in their place.
    pub flows: u64,
    /// Flows that had to make room though they had neither ended nor been idle for too long.
    pub flows_evicted: u64,
    /// Flows that left the table without a record: the ring had no room for it.
    pub flows_left_out: u64,
    /// Packets as on the wire that are in no flow's record: those of such flows, and those for which two
    /// CPUs wanted the same place.
    pub packets_left_out: u64,
    /// The span of time that `budget_used` belongs to.
    pub budget_window: u64,
    /// Bytes copied beyond ordinary heads in that span.
    pub budget_used: u64,
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, only u64 fields: no padding, every bit pattern is valid.
unsafe impl aya::Pod for Counters {}

impl Counters {
    /// Adds the counts of another CPU.
    pub fn add(&mut self, other: &Self) {
        let Self {
            packets,
            bytes,
            ignored,
            candidates,
            records,
            lost,
            lost_bytes,
            retransmitted,
            evicted,
            connections,
            escalated,
            first_fragments,
            tunnelled,
            flows,
            flows_evicted,
            flows_left_out,
            packets_left_out,
            budget_window: _,
            budget_used,
        } = self;
        add_all(packets.as_flattened_mut(), other.packets.as_flattened());
        add_all(bytes.as_flattened_mut(), other.bytes.as_flattened());
        add_all(ignored, &other.ignored);
        add_all(lost, &other.lost);
        add_all(lost_bytes, &other.lost_bytes);
        add_all(escalated, &other.escalated);
        *candidates += other.candidates;
        *records += other.records;
        *retransmitted += other.retransmitted;
        *evicted += other.evicted;
        *connections += other.connections;
        *first_fragments += other.first_fragments;
        *tunnelled += other.tunnelled;
        *flows += other.flows;
        *flows_evicted += other.flows_evicted;
        *flows_left_out += other.flows_left_out;
        *packets_left_out += other.packets_left_out;
        *budget_used += other.budget_used;
    }
}

fn add_all(to: &mut [u64], from: &[u64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
