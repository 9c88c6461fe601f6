//! The bytes of a packet, wherever they are: behind a kernel context or in a slice.

use crate::scratch::Scratch;

/// What the first byte of a packet belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// A network header of the given EtherType; there is no link header.
    Network(u16),
}

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// What the first byte belongs to.
    pub link: Link,
    /// The VLAN tag that the kernel took out of the frame, 0 when there was none.
    pub vlan: u16,
    /// How many packets on the wire this one stands for (GRO and TSO), at least 1.
    pub segments: u32,
    /// Index of the interface.
    pub ifindex: u32,
    /// Whether the packet is leaving the host.
    pub outgoing: bool,
}

/// Read access to one packet. Reads outside of it give `None`, never foreign bytes.
pub trait Packet {
    /// Length on the wire in bytes, from the first byte of the link (or network) header. May be
    /// more than can be read: captures cut packets.
    fn wire_length(&self) -> u32;

    /// What is known beside the bytes.
    fn origin(&self) -> Origin;

    /// The `N` bytes at `offset`, or `None` when the packet does not hold all of them.
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;

    /// The eight bytes at `offset`, the first one lowest, or `None` when the packet does not hold all of
    /// them or they cannot be had at once: then [`Packet::copy`] tells.
    fn word(&self, offset: u32) -> Option<u64> {
        self.read::<8>(offset).map(u64::from_le_bytes)
    }

    /// Copies `length` bytes (at most [`crate::record::PIECE_MAX`]) at `offset` to the data of
    /// `scratch`. Gives the number of bytes copied: fewer than asked for when the packet ends.
    fn copy(&self, offset: u32, length: u32, scratch: &mut Scratch) -> u32;
}
