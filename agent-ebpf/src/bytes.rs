//! Reading the bytes of a packet: the two ways the verifier accepts, and nobody else writes them.

use agent_common::{record::PIECE_MAX, scratch::Scratch};
use aya_ebpf::check_bounds_signed;
use core::ffi::c_void;

use crate::maps::{WINDOW, Window};

/// Offsets beyond this are not read directly: the verifier wants a small bound.
const DIRECT_MAX: u32 = 0x3fff;

/// Reads `N` bytes at `offset` from memory between `data` and `end`, as the context gave them.
#[inline(always)]
pub(crate) fn direct<const N: usize>(data: usize, end: usize, offset: u32) -> Option<[u8; N]> {
    if offset > DIRECT_MAX {
        return None;
    }
    let start = data + masked(offset);
    if start + N > end {
        return None;
    }
    // SAFETY: `start` to `start + N` lies between the packet's data and end, just compared.
    Some(unsafe { (start as *const [u8; N]).read_unaligned() })
}

/// An offset that is no more than [`DIRECT_MAX`], in a form in which the verifier knows it.
///
/// The mask changes nothing. The comparison before it does not count where the compiler keeps a
/// second copy of the offset on the stack: Linux 6.1 does not see that both are one number. A mask
/// that the compiler knows of would be dropped.
#[inline(always)]
fn masked(offset: u32) -> usize {
    let mut bounded = offset as usize;
    // SAFETY: one instruction on one register.
    unsafe {
        core::arch::asm!(
            "{bounded} &= {mask}",
            bounded = inout(reg) bounded,
            mask = const DIRECT_MAX,
            options(pure, nomem, nostack),
        );
    }
    bounded
}

/// A length from 1 to [`PIECE_MAX`], in a form in which the verifier knows that it is one; see [`masked`].
#[inline(always)]
fn bounded(length: u32) -> u32 {
    const { assert!(PIECE_MAX.is_power_of_two()) };
    let mut bounded = u64::from(length);
    // SAFETY: three instructions on one register.
    unsafe {
        core::arch::asm!(
            "{bounded} += -1",
            "{bounded} &= {mask}",
            "{bounded} += 1",
            bounded = inout(reg) bounded,
            mask = const PIECE_MAX - 1,
            options(pure, nomem, nostack),
        );
    }
    bounded as u32
}

/// Reads `N` bytes through a helper that copies to its first argument and gives 0 on success.
///
/// The bytes pass through memory of this CPU, not the stack: that is 512 bytes for everything.
#[inline(always)]
pub(crate) fn copied<const N: usize>(
    load: impl FnOnce(*mut c_void, u32) -> i64,
) -> Option<[u8; N]> {
    const { assert!(N <= size_of::<Window>()) };
    let window = WINDOW.get_ptr_mut(0)?;
    if load(window.cast(), N as u32) != 0 {
        return None;
    }
    // SAFETY: the helper succeeded, so it wrote all `N` bytes; `N` is no more than the window, which
    // belongs to this CPU.
    Some(unsafe { window.cast::<[u8; N]>().read_unaligned() })
}

/// Copies up to `length` bytes to the data of `scratch` through a helper, no more than the packet
/// has (`available`). Gives the number of bytes copied.
#[inline(always)]
pub(crate) fn to_scratch(
    length: u32,
    available: u32,
    scratch: &mut Scratch,
    load: impl FnOnce(*mut c_void, u32) -> i64,
) -> u32 {
    let length = length.min(available);
    // Spelled in assembly by aya: a compiler that knew the bounds would drop masks of indices that are
    // made of the length, which the verifier needs.
    if !check_bounds_signed(i64::from(length), 1, PIECE_MAX as i64) {
        return 0;
    }
    if load((&raw mut scratch.data).cast(), bounded(length)) == 0 {
        length
    } else {
        0
    }
}
