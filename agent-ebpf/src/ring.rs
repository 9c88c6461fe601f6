//! Writing into the ring of this CPU; see `agent_common::ring`.

use agent_common::{
    ring::{SEGMENT, footprint, has_room, place, segments},
    shared::Shared,
};
use aya_ebpf::{
    bindings::BPF_RB_FORCE_WAKEUP,
    check_bounds_signed,
    helpers::generated::{bpf_get_smp_processor_id, bpf_ringbuf_output},
};

use crate::host::{exchange, setting};
use crate::maps::{BELL, CURSORS, RINGS, SETTINGS, SLEEPING};

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Bytes that are copied in one round.
const ROUND: usize = 4 * WORD;

/// Puts a record of `bytes`, which stands at `record`, into the ring, and wakes the reader if it sleeps.
/// False: no room.
///
/// # Safety
/// At `record`, `MOST` bytes can be read, which are whole words.
#[inline(always)]
pub(crate) unsafe fn put<const MOST: usize>(record: *const u64, bytes: u32) -> bool {
    // In assembly: the compiler may not rewrite it into a form that older verifiers do not follow.
    let length = i64::from(bytes);
    if !check_bounds_signed(length, 8, MOST as i64) {
        return false;
    }
    let length = length as usize;
    // SAFETY: a helper without arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let mask = setting!(ring_mask);
    let Some(cursors) = CURSORS.get(cpu) else {
        return false;
    };
    let produced = cursors.produced.get();
    let taken = footprint(bytes);
    if !has_room(produced, cursors.consumed.get(), taken, mask) {
        return false;
    }
    let (segment, offset) = place(produced, mask);
    let Some(segment) = RINGS.get_ptr_mut(cpu * segments(mask) + segment) else {
        return false;
    };
    // Once more, for the verifier: rounds begin inside the segment, and end inside its margin.
    let offset = offset as usize & (SEGMENT - 1);
    // SAFETY: inside the value; positions are multiples of 32.
    let target = unsafe { segment.cast::<u8>().add(offset).cast::<u64>() };
    // SAFETY: the segment with its margin has room for `MOST` bytes behind any of its own, and `record` has
    // them; the reader does not look behind `produced`. Volatile: else it becomes a call of `memcpy`, which
    // does not exist here.
    unsafe {
        target.write_volatile(u64::from(bytes));
        let (mut from, mut to) = (record, target.add(1));
        // Counted down: Linux 6.1's verifier learns nothing from a constant that is compared with a number.
        let mut left = length.next_multiple_of(WORD);
        while left >= ROUND {
            let words = [
                from.read_volatile(),
                from.add(1).read_volatile(),
                from.add(2).read_volatile(),
                from.add(3).read_volatile(),
            ];
            to.write_volatile(words[0]);
            to.add(1).write_volatile(words[1]);
            to.add(2).write_volatile(words[2]);
            to.add(3).write_volatile(words[3]);
            (from, to) = (from.byte_add(ROUND), to.byte_add(ROUND));
            left = less::<ROUND>(left);
        }
        while left >= WORD {
            to.write_volatile(from.read_volatile());
            (from, to) = (from.byte_add(WORD), to.byte_add(WORD));
            left = less::<WORD>(left);
        }
    }
    publish(&cursors.produced, produced + u64::from(taken));
    wake();
    true
}

/// Bytes of this CPU's ring that wait for the reader, and of how many.
#[inline(always)]
pub(crate) fn used() -> (u64, u64) {
    // SAFETY: a helper without arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let size = u64::from(setting!(ring_mask)) + 1;
    CURSORS.get(cpu).map_or((size, size), |cursors| {
        let used = cursors.produced.get().wrapping_sub(cursors.consumed.get());
        (used, size)
    })
}

/// `number - BY`, in assembly: the compiler may not count another way instead.
#[inline(always)]
fn less<const BY: usize>(mut number: usize) -> usize {
    // SAFETY: one subtraction.
    unsafe {
        core::arch::asm!("{0} -= {1}", inout(reg) number, const BY, options(pure, nomem, nostack));
    }
    number
}

/// Tells the reader of a record: whoever sees the new position sees the record too. A full barrier, so that
/// the word that is read next is no older.
#[inline(always)]
fn publish(place: &Shared<u64>, position: u64) {
    exchange(place, position);
}

/// Wakes the reader if it sleeps: one program does, which takes the word away.
#[inline(always)]
fn wake() {
    // A wake-up costs many times the record: only a sleeping reader gets one.
    let sleeping = SLEEPING.get(0).filter(|word| word.get() != 0);
    if sleeping.is_some_and(|word| exchange(word, 0) != 0) {
        ring_the_bell();
    }
}

#[inline(always)]
fn ring_the_bell() {
    let mut one = 1_u64;
    // SAFETY: a map of the right type, and eight bytes of the stack.
    unsafe {
        bpf_ringbuf_output(
            (&raw const BELL).cast_mut().cast(),
            (&raw mut one).cast(),
            size_of::<u64>() as u64,
            u64::from(BPF_RB_FORCE_WAKEUP),
        )
    };
}
