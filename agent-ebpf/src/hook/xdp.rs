//! Packets at XDP: frames of the driver, perhaps in several buffers.

use agent_common::{
    packet::{Link, Origin, Packet},
    scratch::Scratch,
};
use aya_ebpf::{
    bindings::xdp_md,
    helpers::generated::{bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    programs::XdpContext,
};

use crate::bytes::{copied, direct, to_scratch};

/// A frame at XDP: always with an Ethernet header, always incoming.
pub(crate) struct XdpPacket {
    context: *mut xdp_md,
    length: u32,
}

impl XdpPacket {
    #[inline(always)]
    pub(crate) fn new(context: &XdpContext) -> Self {
        Self {
            context: context.ctx,
            // SAFETY: the kernel passed a valid context.
            length: unsafe { bpf_xdp_get_buff_len(context.ctx) } as u32,
        }
    }
}

impl Packet for XdpPacket {
    #[inline(always)]
    fn wire_length(&self) -> u32 {
        self.length
    }

    #[inline(always)]
    fn origin(&self) -> Origin {
        Origin {
            link: Link::Ethernet,
            vlan: 0,
            segments: 1,
            // SAFETY: the kernel passed a valid context.
            ifindex: unsafe { (*self.context).ingress_ifindex },
            outgoing: false,
        }
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // SAFETY: as above; the verifier replaces both loads by pointers.
        let (data, end) = unsafe {
            (
                (*self.context).data as usize,
                (*self.context).data_end as usize,
            )
        };
        direct(data, end, offset).or_else(|| {
            // SAFETY: the helper writes `length` bytes to `to`, which has them.
            copied(|to, length| unsafe { bpf_xdp_load_bytes(self.context, offset, to, length) })
        })
    }

    #[inline(always)]
    fn word(&self, offset: u32) -> Option<u64> {
        // SAFETY: as in `read`.
        let (data, end) = unsafe {
            (
                (*self.context).data as usize,
                (*self.context).data_end as usize,
            )
        };
        direct(data, end, offset).map(u64::from_le_bytes)
    }

    #[inline(always)]
    fn copy(&self, offset: u32, length: u32, scratch: &mut Scratch) -> u32 {
        let available = self.length.saturating_sub(offset);
        // SAFETY: as in `read`.
        to_scratch(length, available, scratch, |to, length| unsafe {
            bpf_xdp_load_bytes(self.context, offset, to, length)
        })
    }
}
