//! Sends known traffic: a frame that the agent gives, again and again, each time for another client.

use agent_common::live::{
    CHECKSUMS, HEADERS, INTERFACE, Live, NETWORK_SUM, NEXT, PLACES, TO_CLIENT, TRANSPORT_SUM,
    checksum, client,
};
use aya_ebpf::{bindings::xdp_action, helpers::generated::bpf_redirect, programs::XdpContext};

use crate::maps::LIVE;

/// Writes the next client into the frame and sends it.
#[inline(always)]
pub(crate) fn send(context: &XdpContext) -> u32 {
    let Some(live) = LIVE.get_ptr_mut(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: a value of an array map lives as long as the program; one CPU at a time runs this program,
    // and the agent writes only while it does not run.
    let live: &mut Live = unsafe { &mut *live };
    let number = live[NEXT];
    live[NEXT] = number.wrapping_add(1);
    let (begin, end) = (context.data(), context.data_end());
    if begin + HEADERS > end {
        return xdp_action::XDP_ABORTED;
    }
    let (address, port) = client(number);
    let (address, port) = (address.to_be(), port.to_be());
    let network = checksum(live[NETWORK_SUM], address, 0);
    let transport = checksum(live[TRANSPORT_SUM], address, port);
    let put = |at: usize, word: u16| {
        // SAFETY: the headers are within the frame, and the places within the headers.
        unsafe { ((begin + at) as *mut u16).write_unaligned(word) };
    };
    if live[TO_CLIENT] == 0 {
        put(PLACES[0][0], address);
        put(PLACES[0][1], port);
    } else {
        put(PLACES[1][0], address);
        put(PLACES[1][1], port);
    }
    put(CHECKSUMS[0], network);
    put(CHECKSUMS[1], transport);
    // SAFETY: takes numbers only.
    unsafe { bpf_redirect(live[INTERFACE], 0) as u32 }
}
