//! Packets at a packet socket: socket buffers, read through the helper alone.

use agent_common::{
    packet::{Link, Origin, Packet},
    scratch::Scratch,
};
use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext,
};

use crate::bytes::{copied, to_scratch};

/// `PACKET_OUTGOING` of linux/if_packet.h.
const PACKET_OUTGOING: u32 = 4;

/// A packet at a packet socket. `ETHERNET`: the interface has Ethernet headers.
pub(crate) struct SocketPacket<const ETHERNET: bool> {
    skb: *mut __sk_buff,
}

impl<const ETHERNET: bool> SocketPacket<ETHERNET> {
    #[inline(always)]
    pub(crate) fn new(context: &SkBuffContext) -> Self {
        Self {
            skb: context.skb.skb,
        }
    }
}

impl<const ETHERNET: bool> Packet for SocketPacket<ETHERNET> {
    #[inline(always)]
    fn wire_length(&self) -> u32 {
        // SAFETY: the kernel passed a valid context.
        unsafe { (*self.skb).len }
    }

    #[inline(always)]
    fn origin(&self) -> Origin {
        // SAFETY: as above.
        let (protocol, kind) = unsafe { ((*self.skb).protocol, (*self.skb).pkt_type) };
        let link = if ETHERNET {
            Link::Ethernet
        } else {
            Link::Network(u16::from_be(protocol as u16))
        };
        origin(self.skb, link, kind == PACKET_OUTGOING)
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // SAFETY: the helper writes `length` bytes to `to`, which has them.
        copied(|to, length| unsafe { bpf_skb_load_bytes(self.skb.cast(), offset, to, length) })
    }

    #[inline(always)]
    fn word(&self, _offset: u32) -> Option<u64> {
        // A copy is all there is.
        None
    }

    #[inline(always)]
    fn copy(&self, offset: u32, length: u32, scratch: &mut Scratch) -> u32 {
        let available = self.wire_length().saturating_sub(offset);
        // SAFETY: as in `read`.
        to_scratch(length, available, scratch, |to, length| unsafe {
            bpf_skb_load_bytes(self.skb.cast(), offset, to, length)
        })
    }
}

/// What a socket buffer says beside its bytes.
#[inline(always)]
pub(super) fn origin(skb: *mut __sk_buff, link: Link, outgoing: bool) -> Origin {
    // SAFETY: callers pass the context that the kernel passed to them.
    let (vlan_present, vlan, segments, ifindex) = unsafe {
        (
            (*skb).vlan_present,
            (*skb).vlan_tci,
            (*skb).gso_segs,
            (*skb).ifindex,
        )
    };
    Origin {
        link,
        vlan: if vlan_present != 0 { vlan as u16 } else { 0 },
        segments: segments.max(1),
        ifindex,
        outgoing,
    }
}
