//! The day before: lines of the 24 hours before the start, as fast as it goes.

use super::*;

impl Engine<'_> {
    /// Writes the lines that are due before `begin`.
    pub(super) fn warm(&mut self, begin: i64, mut day: Day) -> anyhow::Result<()> {
        self.say("Pre-warming: writing the lines of the last 24 hours")?;
        while !self.stop.is_told() {
            let until = self.within(day.peek()).min(begin);
            let Some(stretch) = day.take(until, AT_ONCE) else {
                break;
            };
            self.makers.ask(stretch);
            self.take(self.makers.threads() * AHEAD)?;
        }
        self.take(0)?;
        self.say(&format!("Pre-warming done: {} lines", self.lines))?;
        self.day_before = Some(DayBefore {
            records: self.lines,
            bytes: self.sink.bytes(),
            seconds: self.begun.elapsed().as_secs_f64(),
        });
        Ok(())
    }
}
