//! Packets at tc: socket buffers, read directly where they lie in one piece.

use agent_common::{
    packet::{Link, Origin, Packet},
    scratch::Scratch,
};
use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, programs::TcContext};

use super::sk_buff::origin;
use crate::bytes::{copied, direct, to_scratch};

/// A packet at tc. `ETHERNET`: the interface has Ethernet headers. `OUTGOING`: at egress.
pub(crate) struct TcPacket<const ETHERNET: bool, const OUTGOING: bool> {
    skb: *mut __sk_buff,
}

impl<const ETHERNET: bool, const OUTGOING: bool> TcPacket<ETHERNET, OUTGOING> {
    #[inline(always)]
    pub(crate) fn new(context: &TcContext) -> Self {
        Self {
            skb: context.skb.skb,
        }
    }
}

impl<const ETHERNET: bool, const OUTGOING: bool> Packet for TcPacket<ETHERNET, OUTGOING> {
    #[inline(always)]
    fn wire_length(&self) -> u32 {
        // SAFETY: the kernel passed a valid context.
        unsafe { (*self.skb).len }
    }

    #[inline(always)]
    fn origin(&self) -> Origin {
        let link = if ETHERNET {
            Link::Ethernet
        } else {
            // SAFETY: as above.
            Link::Network(u16::from_be(unsafe { (*self.skb).protocol } as u16))
        };
        origin(self.skb, link, OUTGOING)
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // SAFETY: as above; the verifier replaces both loads by pointers.
        let (data, end) = unsafe { ((*self.skb).data as usize, (*self.skb).data_end as usize) };
        direct(data, end, offset).or_else(|| {
            // SAFETY: the helper writes `length` bytes to `to`, which has them.
            copied(|to, length| unsafe { bpf_skb_load_bytes(self.skb.cast(), offset, to, length) })
        })
    }

    #[inline(always)]
    fn word(&self, offset: u32) -> Option<u64> {
        // SAFETY: as in `read`.
        let (data, end) = unsafe { ((*self.skb).data as usize, (*self.skb).data_end as usize) };
        direct(data, end, offset).map(u64::from_le_bytes)
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
