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

/// The history of a series, as far as it was gone through.
#[derive(Debug)]
pub(super) struct History {
    /// Whether a step may tell what is usual.
    is_usual: Vec<bool>,
    /// Steps of six hours.
    reach: usize,
    found: Vec<usize>,
}

impl History {
    /// Of the steps that count.
    pub(super) fn new(series: &Series, counts: impl Fn(&Point) -> bool) -> Self {
        let reach = usize::try_from(HISTORY_S / series.step_s.max(1)).unwrap_or(usize::MAX);
        Self {
            is_usual: series.points.iter().map(counts).collect(),
            reach: reach.max(ENOUGH_STEPS * 2),
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
}
