//! The figures of a run against what is asked for.

use crate::bench::{
    capture::measure::{Known, Measured, Pair},
    statistics::Summary,
    target::{Bound, Target},
};

/// What is asked for: a name, the value measured, the bound, and its unit.
type Asked = (&'static str, f64, Bound, f64, &'static str);

/// What is measured in rounds.
const CPU_TIME: &str = "CPU time of the agent";
const THROUGHPUT: &str = "throughput of the server";
const BULK: &str = "bulk transfer";

impl Measured {
    /// Its figures against the targets of an agent that captures.
    pub(crate) fn targets(&self) -> Vec<Target> {
        if !self.judged {
            return self.beside();
        }
        let bulk = [
            (
                BULK,
                median(self.bulk_ratio),
                Bound::AtLeast,
                0.93,
                "of that without",
            ),
            (
                "memory (Pss)",
                self.memory as f64 / f64::from(1 << 20),
                Bound::AtMost,
                40.0,
                "MiB",
            ),
            (
                "wake-ups when idle",
                self.wake_ups_per_second.unwrap_or(f64::NAN),
                Bound::AtMost,
                10.0,
                "a second",
            ),
        ];
        let known =
            |count: fn(Known) -> u64| self.known.map_or(f64::NAN, |known| count(known) as f64);
        let missed = known(|known| known.missed());
        let lost = known(|known| known.lost);
        self.named(self.under_load(missed, lost, 1.0, 0.95).chain(bulk))
    }

    /// Its figures where nothing is asked of it: another program, or a hook that is not taken by itself.
    fn beside(&self) -> Vec<Target> {
        let named =
            |what: &str, value, unit| Target::beside(format!("{}: {what}", self.name), value, unit);
        let (ratio, cpu) = (self.throughput_ratio, self.cpu_microseconds_per_head);
        let recall = self
            .recall
            .map(|recall| named("heads written", recall, "of those on the wire"));
        [
            named("throughput of the server", median(ratio), "of that without").over(ratio),
            named("CPU time", median(cpu), "µs a head").over(cpu),
        ]
        .into_iter()
        .chain(recall)
        .collect()
    }

    /// Its figures against the targets of an agent with all that it does.
    pub(crate) fn targets_with_store(&self) -> Vec<Target> {
        self.named(self.under_load(0.0, 0.0, 1.6, 0.93))
    }

    /// What the pairs are asked for. `missed` and `lost` come on top of theirs; `cpu`: microseconds a
    /// head at most; `throughput`: the least ratio.
    fn under_load(
        &self,
        missed: f64,
        lost: f64,
        cpu: f64,
        throughput: f64,
    ) -> impl Iterator<Item = Asked> {
        let sum = |count: fn(&Pair) -> u64| self.pairs.iter().map(count).sum::<u64>() as f64;
        [
            (
                "heads missed or too many",
                sum(|pair| pair.missed) + missed,
                Bound::AtMost,
                0.0,
                "heads",
            ),
            (
                "records and lines lost",
                sum(|pair| pair.lost) + lost,
                Bound::AtMost,
                0.0,
                "records",
            ),
            (
                CPU_TIME,
                median(self.cpu_microseconds_per_head),
                Bound::AtMost,
                cpu,
                "µs a head",
            ),
            (
                THROUGHPUT,
                median(self.throughput_ratio),
                Bound::AtLeast,
                throughput,
                "of that without",
            ),
        ]
        .into_iter()
    }

    fn named(&self, asked: impl Iterator<Item = Asked>) -> Vec<Target> {
        asked
            .map(|(name, value, bound, limit, unit)| {
                let rounds = match name {
                    CPU_TIME => self.cpu_microseconds_per_head,
                    THROUGHPUT => self.throughput_ratio,
                    BULK => self.bulk_ratio,
                    _ => None,
                };
                let name = format!("{}: {name}", self.name);
                Target::new(name, value, bound, limit, unit).over(rounds)
            })
            .collect()
    }
}

fn median(summary: Option<Summary>) -> f64 {
    summary.map_or(f64::NAN, |summary| summary.median)
}
