//! Global functions: the verifier checks each once, by its types alone, instead of once for every
//! state in which it is called. All loops over bytes live here.

use agent_common::{
    connection::Direction,
    flow::{
        FlowRecord,
        count::{count, count_new, end},
        left_out,
    },
    record::RecordHeader,
    ring::RECORD_MAX,
    scratch::{Scratch, Workplace},
    search, start,
};

use crate::host::Kernel;
use crate::ring;

/// [`start::start_of`]: the number of the start, 0 for none.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn start_of(word: u64, length: u32) -> u32 {
    start::start_of(word, length).map_or(0, |start| start as u32)
}

/// [`start::is_request_line`]: 1 or 0.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn is_request_line(scratch: *const Scratch, length: u32) -> u32 {
    // SAFETY: the verifier admits only null or a whole scratch of this CPU.
    let Some(scratch) = (unsafe { scratch.as_ref() }) else {
        return 0;
    };
    u32::from(start::is_request_line(scratch, length))
}

/// [`start::preface::follow`].
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn follow_preface(
    direction: *const Direction,
    peer: u32,
    position: u64,
    word: u64,
    copied: u32,
) -> u32 {
    // SAFETY: the verifier admits only null or a whole direction, of which every word is shared.
    let Some(direction) = (unsafe { direction.as_ref() }) else {
        return 0;
    };
    start::preface::follow(direction, peer, position, word, copied)
}

/// [`search::head_end`]: 0 when there is none.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn head_end(scratch: *const Scratch, length: u32) -> u32 {
    // SAFETY: as above.
    let Some(scratch) = (unsafe { scratch.as_ref() }) else {
        return 0;
    };
    search::head_end_by(scratch, length, |index| {
        head_end_near(scratch, index, length)
    })
}

/// [`search::head_end_near`].
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn head_end_near(scratch: *const Scratch, index: u32, length: u32) -> u32 {
    // SAFETY: as above.
    let Some(scratch) = (unsafe { scratch.as_ref() }) else {
        return 0;
    };
    search::head_end_near(scratch, index, length)
}

/// [`search::framing_field`], as a number.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn framing_field(scratch: *const Scratch, length: u32) -> u32 {
    // SAFETY: as above.
    let Some(scratch) = (unsafe { scratch.as_ref() }) else {
        return search::Framing::Other as u32;
    };
    search::framing_field_by(scratch, length, |index| {
        framing_field_near(scratch, index, length)
    }) as u32
}

/// [`search::framing_field_near`], as a number.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn framing_field_near(scratch: *const Scratch, index: u32, length: u32) -> u32 {
    // SAFETY: as above.
    let Some(scratch) = (unsafe { scratch.as_ref() }) else {
        return search::Framing::Other as u32;
    };
    search::framing_field_near(scratch, index, length) as u32
}

/// [`search::content_length`], as [`search::Body::to_word`].
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn content_length(scratch: *const Scratch) -> u64 {
    // SAFETY: as above.
    let Some(scratch) = (unsafe { scratch.as_ref() }) else {
        return search::Body::Unknown.to_word();
    };
    search::content_length(scratch).to_word()
}

/// [`count`]: always 0, because a global function gives something.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn count_flow(workplace: *mut Workplace) -> u32 {
    // SAFETY: the verifier admits only null or a whole workplace of this CPU, which the caller lends.
    if let Some(workplace) = unsafe { workplace.as_mut() } {
        count(&Kernel, workplace);
    }
    0
}

/// [`count_new`]: as above.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn count_new_flow(workplace: *mut Workplace) -> u32 {
    // SAFETY: as above.
    if let Some(workplace) = unsafe { workplace.as_mut() } {
        count_new(&Kernel, workplace);
    }
    0
}

/// [`left_out`].
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn left_out_flow(slot: u32, generation: u32, packets: u64, unsent: u64) -> u64 {
    left_out(&Kernel, slot, generation, packets, unsent)
}

/// [`end`]: as above.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn end_flow(workplace: *mut Workplace) -> u32 {
    // SAFETY: as above.
    if let Some(workplace) = unsafe { workplace.as_mut() } {
        end(&Kernel, workplace);
    }
    0
}

/// [`ring::put`] of a piece, the header and `captured` bytes: 1, or 0 where there is no room.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn put_piece(scratch: *const Scratch, captured: u32) -> u32 {
    // SAFETY: as above.
    let Some(scratch) = (unsafe { scratch.as_ref() }) else {
        return 0;
    };
    let bytes = (size_of::<RecordHeader>() as u32).wrapping_add(captured);
    // SAFETY: a scratch begins with the header, and its data, right behind, is longer than a piece.
    u32::from(unsafe { ring::put::<RECORD_MAX>(core::ptr::from_ref(scratch).cast(), bytes) })
}

/// [`ring::put`] of a flow: 1, or 0 where there is no room.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn put_flow(record: *const FlowRecord) -> u32 {
    const BYTES: usize = size_of::<FlowRecord>();
    const { assert!(BYTES.is_multiple_of(size_of::<u64>())) };
    // SAFETY: the verifier admits only null or a whole record of this CPU.
    let Some(record) = (unsafe { record.as_ref() }) else {
        return 0;
    };
    // SAFETY: a record has so many bytes.
    u32::from(unsafe { ring::put::<BYTES>(core::ptr::from_ref(record).cast(), BYTES as u32) })
}
