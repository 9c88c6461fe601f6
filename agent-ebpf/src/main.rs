//! The kernel programs: each wraps the context of its hook and lets `agent-common` decide.
//!
//! Nothing here looks at a packet by itself, and no program that captures changes or drops one: what each
//! returns is a constant. [`tapline_live`] and [`tapline_drop`] are for measurements: they never see a packet
//! of the host.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![expect(
    internal_features,
    reason = "atomic types do not exist for this target, the intrinsics do"
)]
#![expect(
    missing_docs,
    unreachable_pub,
    reason = "a program is found by its name in the object, and the macros hide its documentation"
)]

mod bytes;
mod functions;
mod hook;
mod host;
mod maps;
mod ring;

use agent_common::observe::observe;
use aya_ebpf::{
    EbpfContext,
    bindings::{TC_ACT_UNSPEC, xdp_action},
    macros::{classifier, socket_filter, xdp},
    programs::{SkBuffContext, TcContext, XdpContext},
};

use aya_log_ebpf::debug;

use crate::maps::{SOCKET_ETHERNET, SOCKET_IP, SOCKET_PROGRAMS};
use crate::{
    hook::{sk_buff::SocketPacket, tc::TcPacket, xdp::XdpPacket},
    host::Kernel,
};

/// tc ingress of an interface with Ethernet headers. The next program decides on the packet.
#[classifier]
pub fn tapline_ingress(context: TcContext) -> i32 {
    say(
        &context,
        observe(&TcPacket::<true, false>::new(&context), &Kernel),
    );
    TC_ACT_UNSPEC
}

/// tc egress of an interface with Ethernet headers.
#[classifier]
pub fn tapline_egress(context: TcContext) -> i32 {
    say(
        &context,
        observe(&TcPacket::<true, true>::new(&context), &Kernel),
    );
    TC_ACT_UNSPEC
}

/// tc ingress of an interface without link headers (tun, WireGuard, PPP).
#[classifier]
pub fn tapline_in_ip(context: TcContext) -> i32 {
    say(
        &context,
        observe(&TcPacket::<false, false>::new(&context), &Kernel),
    );
    TC_ACT_UNSPEC
}

/// tc egress of an interface without link headers.
#[classifier]
pub fn tapline_out_ip(context: TcContext) -> i32 {
    say(
        &context,
        observe(&TcPacket::<false, true>::new(&context), &Kernel),
    );
    TC_ACT_UNSPEC
}

/// XDP, with packets in several buffers.
#[xdp(frags)]
pub fn tapline_xdp(context: XdpContext) -> u32 {
    say(&context, observe(&XdpPacket::new(&context), &Kernel));
    xdp_action::XDP_PASS
}

/// Sends known traffic of the agent's own (`gen packets --xdp`): run by `BPF_PROG_TEST_RUN`, attached to
/// nothing.
#[xdp(frags)]
pub fn tapline_live(context: XdpContext) -> u32 {
    hook::live::send(&context)
}

/// Drops every frame: stands at the far end of a cable of which only the sending is measured.
#[xdp(frags)]
pub fn tapline_drop(_context: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// Filter of a packet socket on an interface with Ethernet headers: goes on with [`tapline_socket`].
///
/// A program counts against the memory that its socket may use besides buffers (net.core.optmem_max,
/// 20 KiB before Linux 6.7); what a tail call goes on with does not.
#[socket_filter]
pub fn tapline_enter(context: SkBuffContext) -> i64 {
    go_on(&context, SOCKET_ETHERNET)
}

/// As [`tapline_enter`], on an interface without link headers: goes on with [`tapline_sock_ip`].
#[socket_filter]
pub fn tapline_enter_ip(context: SkBuffContext) -> i64 {
    go_on(&context, SOCKET_IP)
}

#[inline(always)]
fn go_on(context: &SkBuffContext, program: u32) -> i64 {
    // SAFETY: a tail call leaves nothing behind that would have to be cleaned up. It fails only where
    // the agent has put no program: it does before it attaches this one.
    unsafe { SOCKET_PROGRAMS.tail_call(context, program) };
    0
}

/// What filters of packet sockets go on with, on interfaces with Ethernet headers; it keeps no packet.
#[socket_filter]
pub fn tapline_socket(context: SkBuffContext) -> i64 {
    say(
        &context,
        observe(&SocketPacket::<true>::new(&context), &Kernel),
    );
    0
}

/// What filters of packet sockets go on with, on interfaces without link headers; it keeps no packet.
#[socket_filter]
pub fn tapline_sock_ip(context: SkBuffContext) -> i64 {
    say(
        &context,
        observe(&SocketPacket::<false>::new(&context), &Kernel),
    );
    0
}

/// Tells a reader of the log about a packet that contradicts itself. The verifier leaves it out of the
/// program unless the agent asked for debug messages before loading.
#[inline(always)]
fn say<C: EbpfContext>(context: &C, ignored: Option<u32>) {
    if let Some(reason) = ignored {
        debug!(context, "ignored a packet: reason {}", reason);
    }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: a program with a path to here does not pass the verifier.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
