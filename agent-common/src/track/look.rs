//! What a segment's payload begins with, where it is not known beforehand.

use crate::classify::Segment;
use crate::connection::{Direction, state};
use crate::counters::{Counters, Ignored, Lost};
use crate::host::Host;
use crate::packet::Packet;
use crate::scratch::{Scratch, Work, mark};
use crate::start::{Start, is_token_byte};

/// Content type of a TLS handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Looks at the payload: where in it something may begin, and what. False: nothing to copy.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "parts of one workplace, borrowed apart"
)]
pub(super) fn look<P: Packet, H: Host>(
    packet: &P,
    host: &H,
    segment: &Segment,
    direction: &Direction,
    peer: &Direction,
    work: &Work,
    scratch: &mut Scratch,
    counters: &mut Counters,
) -> bool {
    let length = segment.payload_length;
    if work.from.get() >= length {
        return false;
    }
    let seen = direction.state.get();
    direction
        .state
        .set((seen | state::PAYLOAD) & !state::BODY_AWAITED);
    let body_end = direction.body_end.get();
    if body_end != 0 {
        let start = work.start.get();
        if start + u64::from(length) <= body_end {
            return false;
        }
        direction.body_end.set(0);
        let skip = body_end.saturating_sub(start) as u32;
        if skip > work.from.get() && skip < length {
            work.from.set(skip);
        }
        if start <= body_end {
            // Right behind a body of known length a message begins, whatever it looks like.
            work.kind.set(Start::RequestWithBody as u32);
        }
    }
    if seen & state::HEAD != 0 && !work.is(mark::ESCALATED) {
        work.mark(mark::CONTINUES);
        return true;
    }
    let either = seen | peer.state.get();
    if either & (state::FOREIGN | state::OPAQUE) != 0 {
        return work.is(mark::ESCALATED);
    }
    let from = work.from.get();
    let offset = segment.payload_offset + from;
    let whole = if length - from >= 8 {
        packet.word(offset)
    } else {
        None
    };
    let word = if let Some(word) = whole {
        word
    } else {
        // The segment is short, or the capture cut it.
        let copied = packet.copy(offset, (length - from).min(8), scratch);
        if copied == 0 {
            counters.lost[Lost::Cut as usize] += 1;
            counters.lost_bytes[Lost::Cut as usize] += u64::from(length - from);
            return false;
        }
        let unused = 64u32.saturating_sub(8 * copied) & 63;
        scratch.window_word(4) << unused >> unused
    };
    let first = word as u8;
    // Most bodies begin with neither: they are spared the test.
    let start = if first.is_ascii_uppercase() || first == TLS_HANDSHAKE {
        host.start_of(word, length - from)
    } else {
        None
    };
    match start {
        Some(Start::Tls) => foreign(direction, peer, counters, Ignored::Tls),
        Some(Start::Http2) => foreign(direction, peer, counters, Ignored::Http2),
        Some(start) => work.kind.set(start as u32),
        None if request_may_be_due(first, seen, either) => work.mark(mark::MAYBE),
        None => {}
    }
    work.kind.get() != 0 || work.marks.get() & (mark::MAYBE | mark::ESCALATED) != 0
}

/// Whether a line with a method that nobody registered, or an empty line before the request line,
/// is to be expected: anywhere else a line of text looks the same. Behind a request nothing else can
/// be: bodies of known length are skipped, and others escalate. Requests that nothing was told of are
/// known by their answers. `seen`: the state of the direction; `either`: of both together.
#[inline(always)]
fn request_may_be_due(first: u8, seen: u32, either: u32) -> bool {
    seen & state::RESPONSES == 0
        && (seen & state::PAYLOAD == 0
            || (seen & state::REQUESTS) | (either & state::RESPONSES) != 0)
        && (is_token_byte(first) || matches!(first, b'\r' | b'\n'))
}

/// Marks a direction that speaks another protocol, unless HTTP was seen on the connection.
#[inline(always)]
fn foreign(direction: &Direction, peer: &Direction, counters: &mut Counters, why: Ignored) {
    let seen = direction.state.get();
    if (seen | peer.state.get()) & (state::REQUESTS | state::RESPONSES) == 0 {
        direction.state.set(seen | state::FOREIGN);
        counters.ignored[why as usize] += 1;
    }
}
