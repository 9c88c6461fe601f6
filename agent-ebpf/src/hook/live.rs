//! Sends known traffic: the frames of a conversation that the agent gives, for one client after the other.

use agent_common::live::{
    AT_ONCE, BEGIN, BYTES, CHECKSUMS, FIRST_CLIENT, FRAMES, HEADERS, INTERFACE, LENGTH, Live,
    LiveFrame, NEXT, PLACES, SUMS, WORDS, checksum, client, place,
};
use aya_ebpf::{
    bindings::xdp_action,
    helpers::generated::{bpf_redirect, bpf_xdp_adjust_tail},
    programs::XdpContext,
};

use crate::maps::{LIVE, LIVE_FRAMES};

/// Makes the next frame and sends it.
#[inline(always)]
pub(crate) fn send(context: &XdpContext) -> u32 {
    const NOTHING: u32 = xdp_action::XDP_ABORTED;
    let Some(live) = LIVE.get_ptr_mut(0) else {
        return NOTHING;
    };
    // SAFETY: a value of an array map lives as long as the program; one CPU at a time runs this program,
    // and the agent writes only while it does not run.
    let live: &mut Live = unsafe { &mut *live };
    let (at_once, frames) = (live[AT_ONCE], live[FRAMES]);
    if at_once == 0 || frames == 0 {
        return NOTHING;
    }
    let number = live[NEXT];
    live[NEXT] = number.wrapping_add(1);
    let (frame, number) = place(number, at_once, frames);
    let Some(frame) = LIVE_FRAMES.get(frame) else {
        return NOTHING;
    };
    let frame: &LiveFrame = frame;
    let length = frame[LENGTH] as u32;
    // SAFETY: the kernel passed a valid context.
    if unsafe { bpf_xdp_adjust_tail(context.ctx, length as i32 - BYTES as i32) } != 0 {
        return NOTHING;
    }
    let (begin, end) = (context.data(), context.data_end());
    if begin + HEADERS > end {
        return NOTHING;
    }
    for word in 0..WORDS {
        let at = begin + 8 * word;
        if at + 8 > end {
            break;
        }
        // SAFETY: within the frame.
        unsafe { (at as *mut u64).write_unaligned(frame[BEGIN + word]) };
    }
    let (address, port) = client(live[FIRST_CLIENT].wrapping_add(number));
    let (address, port) = (address.to_be(), port.to_be());
    let sums = frame[SUMS];
    let put = |at: usize, word: u16| {
        // SAFETY: the headers are within the frame, and the places within the headers.
        unsafe { ((begin + at) as *mut u16).write_unaligned(word) };
    };
    if frame[LENGTH] >> 32 == 0 {
        put(PLACES[0][0], address);
        put(PLACES[0][1], port);
    } else {
        put(PLACES[1][0], address);
        put(PLACES[1][1], port);
    }
    put(CHECKSUMS[0], checksum(sums as u32, address, 0));
    put(CHECKSUMS[1], checksum((sums >> 32) as u32, address, port));
    // SAFETY: takes numbers only.
    unsafe { bpf_redirect(live[INTERFACE], 0) as u32 }
}
