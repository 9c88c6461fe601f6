//! How many of the frames that an interface was given left it, by its own count of sent packets.
//!
//! Others send there too (neighbour discovery, say): what it counts beyond our frames is theirs. Where frames of
//! ours are missing a packet of theirs takes the place of one: so many are missing at least.

/// Frames given and frames that left.
#[derive(Clone, Copy, Debug)]
pub struct Departed {
    /// What the interface had counted when none of our frames had left, and what others sent since.
    others: u64,
    /// What it counted last.
    count: u64,
    given: u64,
}

impl Departed {
    /// Nothing is given yet; `count`: packets that the interface has sent.
    #[must_use]
    pub const fn begin(count: u64) -> Self {
        Self {
            others: count,
            count,
            given: 0,
        }
    }

    /// So many frames more were given to it.
    pub const fn give(&mut self, frames: u64) {
        self.given += frames;
    }

    /// What the interface counts now. A count that falls is that of another interface and says nothing.
    pub const fn see(&mut self, count: u64) {
        if count <= self.count {
            return;
        }
        self.count = count;
        // More than was given cannot have left.
        let ours = count - self.others;
        if ours > self.given {
            self.others += ours - self.given;
        }
    }

    /// Frames that were given to it.
    #[must_use]
    pub const fn given(&self) -> u64 {
        self.given
    }

    /// Frames that left, at most.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.count - self.others
    }

    /// Whether some of the frames that were given since `before` left: more than the few packets that others
    /// send.
    #[must_use]
    pub const fn moves_since(&self, before: &Self) -> bool {
        let (given, left) = (self.given - before.given, self.left() - before.left());
        self.unsent() == 0 || left > given / 64
    }

    /// Frames that did not leave, at least.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.given - self.left()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waves of frames, each with what the interface counts behind it; then what left and what did not.
    fn check(waves: &[(u64, u64)], left: u64, unsent: u64) {
        let mut departed = Departed::begin(1000);
        for (frames, count) in waves {
            departed.give(*frames);
            departed.see(*count);
        }
        assert_eq!(
            (departed.left(), departed.unsent(), departed.given()),
            (left, unsent, left + unsent),
            "{waves:?}"
        );
    }

    #[test]
    fn what_left_and_what_did_not() {
        check(&[], 0, 0);
        check(&[(100, 1100)], 100, 0);
        check(&[(100, 1000)], 0, 100);
        check(&[(100, 1099)], 99, 1);
        check(&[(100, 1050), (100, 1200)], 200, 0);
        // Others sent three packets; later losses are not hidden by them.
        check(&[(100, 1103)], 100, 0);
        check(&[(100, 1103), (100, 1200)], 197, 3);
        check(&[(100, 1103), (100, 1103)], 100, 100);
        // Another interface with the same name.
        check(&[(100, 1100), (100, 7)], 100, 100);
        check(&[(100, u64::MAX)], 100, 0);
    }

    #[test]
    fn what_others_send_is_no_progress() {
        let check = |count, moves| {
            let mut before = Departed::begin(0);
            before.give(10_000);
            before.see(4_000);
            let mut now = before;
            now.give(10_000);
            now.see(count);
            assert_eq!(now.moves_since(&before), moves, "{count}");
        };
        check(4_000, false);
        check(4_100, false);
        check(5_000, true);
        check(20_000, true);
    }
}
