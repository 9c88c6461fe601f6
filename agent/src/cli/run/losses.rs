//! Says on stderr that the ring was full: at once when it begins, then once a minute what came since.

use std::time::{Duration, Instant};

/// The pause between two such lines.
const PAUSE: Duration = Duration::from_secs(60);

/// What was said so far of records that found no room in the ring.
#[derive(Debug, Default)]
pub(super) struct RingLosses {
    said: u64,
    said_at: Option<Instant>,
}

impl RingLosses {
    /// How many records are to be spoken of now, which [`say`] then does; `lost`: all so far.
    pub(super) fn due(&mut self, lost: u64, now: Instant) -> Option<u64> {
        let news = lost.saturating_sub(self.said);
        let rests = |at| now.saturating_duration_since(at) < PAUSE;
        if news == 0 || self.said_at.is_some_and(rests) {
            return None;
        }
        (self.said, self.said_at) = (lost, Some(now));
        Some(news)
    }

    /// As [`Self::due`], when nothing comes after it: it does not wait.
    pub(super) fn rest(&mut self, lost: u64, now: Instant) -> Option<u64> {
        self.said_at = None;
        self.due(lost, now)
    }
}

/// Warns of so many records.
pub(super) fn say(records: u64) {
    tracing::warn!(
        records,
        "records were lost: the ring was full before the agent could read it; a larger `--ring` takes longer bursts"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_is_said_at_once_and_the_rest_once_a_minute() {
        let begin = Instant::now();
        let mut losses = RingLosses::default();
        let mut check = |seconds: u64, lost: u64, expected: Option<u64>| {
            let now = begin + Duration::from_secs(seconds);
            assert_eq!(losses.due(lost, now), expected, "{seconds}");
        };
        check(0, 0, None);
        check(1, 7, Some(7));
        check(2, 9, None);
        check(60, 20, None);
        check(61, 20, Some(13));
        check(200, 20, None);
        check(201, 21, Some(1));
        // The end does not wait.
        let now = begin + Duration::from_secs(202);
        assert_eq!(losses.due(30, now), None);
        assert_eq!(losses.rest(30, now), Some(9));
        assert_eq!(losses.rest(30, now), None);
    }
}
