//! One direction of a connection: how far it was read, what the next byte is, and what waits.

use std::collections::VecDeque;

use agent_common::record::{FIRST_POSITION, RecordHeader, flag};

use super::chunked::Chunks;
use super::connection::{DormantMode, DormantSide};
use super::pool::Piece;

/// What the byte at [`Side::position`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// Anything: capture began in the middle, or bytes were lost. The next start line at the
    /// beginning of a segment begins a message.
    Lost,
    /// The first byte of the next message.
    Boundary,
    /// The first byte of a body that ends at `end`; or of the next message, if the request that was
    /// answered, which is not known, was HEAD, or if nobody wanted the body of a request that asked first.
    MaybeBody {
        /// Position behind the body.
        end: u64,
    },
    /// A byte of the head in [`Side::head`].
    Head,
    /// A byte of a chunked body, outside chunk data.
    Chunked(Chunks),
    /// A byte of a body whose end is not known.
    Unframed,
    /// No HTTP any more.
    Opaque,
}

/// Where a head was found: how far it is to be believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Where a message must begin.
    Boundary,
    /// At the beginning of a segment; what stands there is not known.
    Lost,
    /// At the beginning of a segment, in or behind a body whose end is not known.
    Unframed,
    /// Where a body begins that ends at `end`, if there is one.
    MaybeBody {
        /// Position behind the body.
        end: u64,
    },
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) mode: Mode,
    /// All bytes before this position are dealt with: read, or known to be body.
    pub(super) position: u64,
    /// Where the last head ended. From here to `position` all is body.
    pub(super) body_start: u64,
    /// Highest position up to which bytes have come.
    pub(super) reached: u64,
    /// A head whose end is still to come, and where it was found.
    pub(super) head: Option<Box<Piece>>,
    pub(super) place: Place,
    /// Heads that may be body as well; decided by what comes next.
    #[expect(
        clippy::vec_box,
        reason = "the boxes come from the pool, and go back to it"
    )]
    pub(super) doubtful: Vec<Box<Piece>>,
    /// What waits behind a hole; made when there is one for the first time.
    waiting: Option<Box<Waiting>>,
    /// Number of the last record; 0 before the first.
    pub(super) last_record: u32,
    seen: bool,
    /// The last record was not the last of its packet.
    more: bool,
    /// No head was found yet.
    pub(super) untouched: bool,
    /// The stream turned out to go on in a hole that was given up; what lies behind it is in doubt.
    pub(super) went_back: bool,
}

/// The records behind a hole.
#[derive(Debug, Default)]
struct Waiting {
    /// By position.
    held: VecDeque<Box<Piece>>,
    held_bytes: usize,
    /// Time of the oldest of them; `None`: to be found out.
    oldest_ns: Option<u64>,
    /// Where the hole begins, as last told.
    hole: u64,
    /// Where the bytes begin that closed a part of it last.
    filled: u64,
    /// A hole that is waited for no longer.
    abandoned: u64,
    /// From here on what fills a hole was waited for in vain.
    late: u64,
}

/// What the numbers of a record say about those before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Numbering {
    /// Records lost just before this one.
    pub(super) lost: u32,
    /// The record is the first of its packet, or may be.
    pub(super) first: bool,
    /// The record was numbered before one that has come already.
    pub(super) late: bool,
}

impl Side {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Lost,
            position: 0,
            body_start: 0,
            reached: 0,
            head: None,
            place: Place::Lost,
            doubtful: Vec::new(),
            waiting: None,
            last_record: 0,
            seen: false,
            more: false,
            untouched: true,
            went_back: false,
        }
    }

    /// Takes the number of a record. `fresh`: the connection was never seen before, so numbers
    /// begin with 1.
    pub(super) fn number(&mut self, header: &RecordHeader, fresh: bool) -> Numbering {
        let number = header.direction_record;
        let before = match self.seen {
            true => self.last_record,
            false if fresh => 0,
            false => number.wrapping_sub(1),
        };
        if !self.seen {
            self.seen = true;
            self.begin(header, fresh && number == 1);
        }
        let lost = number.wrapping_sub(before).wrapping_sub(1);
        let late = lost > u32::MAX / 2;
        let first = !self.more || lost != 0;
        if !late {
            self.last_record = number;
            self.more = header.flags & flag::MORE != 0;
        }
        Numbering {
            lost: if late { 0 } else { lost },
            first,
            late,
        }
    }

    /// Whether all that was lost just before this record, which came in order, is of a body whose end is known.
    pub(super) fn lost_body_only(&self, header: &RecordHeader) -> bool {
        self.mode == Mode::Boundary
            && header.position <= self.position
            && header.hole_start == 0
            && header.flags & flag::FILL == 0
            && self.held_from().is_none()
    }

    fn begin(&mut self, header: &RecordHeader, complete: bool) {
        let from_start = header.flags & flag::FROM_START != 0;
        self.position = match header.hole_start {
            _ if from_start => FIRST_POSITION,
            0 => header.position,
            hole => hole.min(header.position),
        };
        if from_start && complete {
            self.mode = Mode::Boundary;
        }
        (self.body_start, self.reached) = (self.position, self.position);
    }

    /// Whether no record of this direction has come.
    pub(super) fn is_new(&self) -> bool {
        !self.seen
    }

    /// The position up to which nothing is missing, as far as `header` can tell.
    pub(super) fn complete_to(&mut self, header: &RecordHeader) -> u64 {
        if header.hole_start == 0 {
            self.went_back = false;
            return u64::MAX;
        }
        let waiting = self.waiting.get_or_insert_default();
        waiting.hole = header.hole_start;
        waiting.filled = match header.flags & flag::FILL {
            0 => header.hole_start,
            _ => header.position.min(header.hole_start),
        };
        if waiting.hole == waiting.abandoned {
            u64::MAX
        } else {
            waiting.hole
        }
    }

    /// How many bytes at the front of a record that fills a hole came before the hole. They are known to a packet
    /// in which nothing was worth a copy: what begins here begins behind them. To be asked before
    /// [`Side::complete_to`].
    pub(super) fn known_front(&self, header: &RecordHeader, length: usize) -> usize {
        let hole = self.waiting.as_ref().map_or(0, |waiting| waiting.hole);
        let fills = header.flags & flag::FILL != 0 && header.position > self.position;
        let front = usize::try_from(hole.saturating_sub(header.position)).unwrap_or(length);
        if fills && front < length { front } else { 0 }
    }

    /// Whether a record at `position` has to wait for bytes before it.
    pub(super) fn must_wait(&self, position: u64, complete_to: u64) -> bool {
        position > self.position && position > complete_to
    }

    /// Position of the first record that waits.
    pub(super) fn held_from(&self) -> Option<u64> {
        Some(self.waiting.as_ref()?.held.front()?.header.position)
    }

    /// Time of the oldest record that waits. Asked with each record while there is a hole: thousands may wait.
    pub(super) fn held_since(&mut self) -> Option<u64> {
        let waiting = self.waiting.as_mut()?;
        if waiting.oldest_ns.is_none() {
            let times = waiting.held.iter().map(|piece| piece.header.time_ns);
            waiting.oldest_ns = times.min();
        }
        waiting.oldest_ns
    }

    /// Keeps a record until the hole before it is closed; gives it back when there is no room.
    pub(super) fn hold(&mut self, piece: Box<Piece>, limit: usize) -> Result<(), Box<Piece>> {
        let waiting = self.waiting.get_or_insert_default();
        let weight = held_weight(&piece);
        if waiting.held_bytes + weight > limit {
            return Err(piece);
        }
        waiting.held_bytes += weight;
        let time_ns = piece.header.time_ns;
        waiting.oldest_ns = match waiting.oldest_ns {
            Some(oldest) => Some(oldest.min(time_ns)),
            None if waiting.held.is_empty() => Some(time_ns),
            None => None,
        };
        let position = piece.header.position;
        let behind = waiting
            .held
            .partition_point(|held| held.header.position <= position);
        waiting.held.insert(behind, piece);
        Ok(())
    }

    /// Takes the first held record out, if it need not wait any more.
    pub(super) fn next_held(&mut self, complete_to: u64) -> Option<Box<Piece>> {
        if self.must_wait(self.held_from()?, complete_to) {
            return None;
        }
        let waiting = self.waiting.as_mut()?;
        let piece = waiting.held.pop_front()?;
        if waiting.oldest_ns == Some(piece.header.time_ns) {
            waiting.oldest_ns = None;
        }
        waiting.held_bytes -= held_weight(&piece);
        Some(piece)
    }

    /// Waits no longer for the hole that is open; says whether anything had waited.
    pub(super) fn abandon_hole(&mut self) -> bool {
        let Some(waiting) = self.waiting.as_mut() else {
            return false;
        };
        (waiting.abandoned, waiting.late) = (waiting.hole, waiting.filled);
        let first = waiting.held.front_mut();
        first.map(|piece| piece.lost = true).is_some()
    }

    /// Whether bytes in front of a record are missing that nothing waits for any more: all is copied, and the first
    /// hole was given up.
    pub(super) fn is_behind_given_up(&self, header: &RecordHeader) -> bool {
        let abandoned = self.waiting.as_ref().map_or(0, |waiting| waiting.abandoned);
        header.flags & flag::ALL != 0
            && (1..=abandoned).contains(&header.hole_start)
            && header.position > self.reached
    }

    /// Whether a record at `position` that fills a hole fills one that was given up.
    pub(super) fn is_late(&self, position: u64) -> bool {
        let late = self.waiting.as_ref().map_or(0, |waiting| waiting.late);
        late != 0 && position >= late
    }

    /// Goes on at `position`, in a hole that was given up: what was read behind it may have been forged.
    pub(super) fn go_back(&mut self, position: u64) {
        (self.position, self.body_start) = (position, position);
        self.mode = Mode::Lost;
        self.went_back = true;
    }

    /// There is no head at `place`, and nothing else of use before `position`.
    pub(super) fn no_head(&mut self, place: Place, position: u64) {
        self.position = position;
        self.mode = match place {
            Place::Boundary | Place::Lost => Mode::Lost,
            Place::Unframed => Mode::Unframed,
            Place::MaybeBody { end } => Mode::MaybeBody { end },
        };
        self.skip_body();
    }

    /// What may be a body is one.
    pub(super) fn skip_body(&mut self) {
        if let Mode::MaybeBody { end } = self.mode {
            self.position = self.position.max(end);
            self.mode = Mode::Boundary;
        }
    }

    /// Whether a record that begins at `position` begins within what is known to be body.
    pub(super) fn is_body(&self, position: u64) -> bool {
        self.mode != Mode::Head && (self.body_start..self.position).contains(&position)
    }

    /// What is left of the direction when nothing of it is kept or waits.
    pub(super) fn dormant(&self) -> Option<DormantSide> {
        let at_rest = self.is_idle() && !self.more && !self.went_back;
        Some(DormantSide {
            position: self.position,
            last_record: self.last_record,
            mode: DormantMode::of(self.mode).filter(|_| at_rest)?,
            seen: self.seen,
            untouched: self.untouched,
        })
    }

    /// The inverse of [`Side::dormant`].
    pub(super) fn wake(dormant: &DormantSide) -> Self {
        let DormantSide {
            position,
            last_record,
            mode,
            seen,
            untouched,
        } = *dormant;
        Self {
            mode: mode.mode(),
            position,
            body_start: position,
            reached: position,
            last_record,
            seen,
            untouched,
            ..Self::new()
        }
    }

    /// Whether nothing of this direction is kept or waits.
    pub(super) fn is_idle(&self) -> bool {
        self.head.is_none() && self.doubtful.is_empty() && self.held_from().is_none()
    }
}

/// What a held record counts: its bytes, and what it costs to keep an empty one.
fn held_weight(piece: &Piece) -> usize {
    piece.bytes.len() + size_of::<Piece>()
}
