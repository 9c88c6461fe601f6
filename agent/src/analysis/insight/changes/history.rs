//! The steps that tell what is usual at a step: those before it, without what is out of the ordinary.

use crate::analysis::insight::series::{Point, Series};

/// How far back history goes, in seconds.
const HISTORY_S: i64 = 6 * 3600;

/// Steps of history that are enough.
const ENOUGH_STEPS: usize = 30;

/// Steps of history that are looked at, of more every second, third and so on.
const MOST_STEPS: usize = 180;

/// Steps just before one that are not its history: what begins slowly would become its own measure.
const GUARD: usize = 2;

/// Steps just before one that tell how much there was lately: the median is the new one soon after the
/// traffic went over to another level, and a few bursts do not move it.
const RECENT_STEPS: usize = 20;

/// How far back they may lie, in seconds: of longer steps there are too few that are near.
const RECENT_S: i64 = 2 * 3600;

/// The history of a series, as far as it was gone through.
#[derive(Debug)]
pub(super) struct History {
    /// Whether a step may tell what is usual.
    is_usual: Vec<bool>,
    /// Steps of six hours.
    reach: usize,
    /// Steps of two hours.
    near: usize,
    found: Vec<usize>,
}

impl History {
    /// Of the steps that count.
    pub(super) fn new(series: &Series, counts: impl Fn(&Point) -> bool) -> Self {
        let steps =
            |seconds: i64| usize::try_from(seconds / series.step_s.max(1)).unwrap_or(usize::MAX);
        Self {
            is_usual: series.points.iter().map(counts).collect(),
            reach: steps(HISTORY_S).max(ENOUGH_STEPS * 2),
            near: steps(RECENT_S),
            found: Vec::new(),
        }
    }

    /// A step is out of the ordinary.
    pub(super) fn leave_out(&mut self, index: usize) {
        if let Some(is_usual) = self.is_usual.get_mut(index) {
            *is_usual = false;
        }
    }

    /// The steps that tell what is usual at `index`.
    pub(super) fn of(&mut self, index: usize) -> &[usize] {
        self.found.clear();
        let begin = index.saturating_sub(self.reach);
        let end = index.saturating_sub(GUARD);
        let before = self.is_usual.get(begin..end).unwrap_or_default();
        let many = before.iter().filter(|is_usual| **is_usual).count();
        let usual = |(at, is_usual): (usize, &bool)| is_usual.then_some(at);
        if many >= ENOUGH_STEPS {
            let each = many.div_ceil(MOST_STEPS);
            let steps = (begin..).zip(before).filter_map(usual);
            self.found.extend(steps.step_by(each));
        } else {
            // From the beginning on, also what comes behind it.
            let length = self.is_usual.len();
            let near = |at: &usize| at.abs_diff(index) > GUARD || length <= 2 * GUARD + 1;
            let from = self.is_usual.get(begin..).unwrap_or_default();
            let steps = (begin..).zip(from).filter_map(usual).filter(near);
            self.found.extend(steps.take(MOST_STEPS));
        }
        &self.found
    }

    /// The usual steps shortly before `index`, the newest first; none where they are too few.
    pub(super) fn recent(&self, index: usize) -> impl Iterator<Item = usize> {
        let begin = index.saturating_sub(self.near);
        let end = index.saturating_sub(GUARD);
        let before = self.is_usual.get(begin..end).unwrap_or_default();
        let usual = (begin..end).zip(before).rev();
        let usual = usual.filter_map(|(at, is_usual)| is_usual.then_some(at));
        let are_enough = usual.clone().nth(RECENT_STEPS - 1).is_some();
        usual.take(if are_enough { RECENT_STEPS } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_before_and_usual() {
        let series = Series {
            step_s: 60,
            points: vec![Point::default(); 1000],
        };
        let mut history = History::new(&series, |_| true);
        // There is no history yet: what comes behind stands for it.
        assert_eq!(history.of(0), (3..183).collect::<Vec<_>>());
        assert_eq!(history.of(32), (0..30).collect::<Vec<_>>());
        // Of six hours every second one.
        assert_eq!(history.of(500), (140..498).step_by(2).collect::<Vec<_>>());
        history.leave_out(140);
        history.leave_out(1000);
        assert_eq!(history.of(500), (141..498).step_by(2).collect::<Vec<_>>());
        let mut none = History::new(&series, |point| point.records > 0);
        assert_eq!(none.of(999), [0_usize; 0]);
    }

    #[test]
    fn what_was_shortly_before() {
        let series = |step_s| Series {
            step_s,
            points: vec![Point::default(); 1000],
        };
        let mut history = History::new(&series(60), |_| true);
        let recent = |history: &History, index| history.recent(index).collect::<Vec<_>>();
        assert_eq!(recent(&history, 500), (478..498).rev().collect::<Vec<_>>());
        // Too few at the beginning, and behind what was out of the ordinary for long.
        assert_eq!(recent(&history, 21), [0_usize; 0]);
        assert_eq!(recent(&history, 22).len(), 20);
        (380..498).for_each(|index| history.leave_out(index));
        assert_eq!(recent(&history, 500), [0_usize; 0]);
        assert_eq!(recent(&history, 480)[0], 379);
        // A quarter of an hour is not short.
        assert_eq!(recent(&History::new(&series(300), |_| true), 500).len(), 20);
        assert_eq!(recent(&History::new(&series(900), |_| true), 500).len(), 0);
    }
}
