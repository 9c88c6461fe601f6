//! How much memory counts take: several threads give theirs away before it is too much.

use super::Statistics;

impl Statistics {
    /// The bytes of what grows with what is counted: tables, series and windows.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tables = self.paths.bytes()
            + self.hosts.bytes()
            + self.referrers.bytes()
            + self.agents.bytes()
            + self.clients.bytes();
        tables + self.series.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::format::Entry;

    #[test]
    fn what_is_counted_takes_memory() {
        let mut statistics = Statistics::new(1_800_000_000);
        let before = statistics.bytes();
        for number in 0..20_000_i64 {
            let client = format!("client {number}");
            statistics.add(&Entry {
                time_us: Some(number * 60_000_000),
                client: client.as_bytes(),
                method: b"GET",
                target: client.as_bytes(),
                status: Some(200),
                latency_us: Some(1000),
                ..Entry::default()
            });
        }
        let counted = statistics.bytes();
        assert!(counted - before > 20_000 * 300, "{before} {counted}");
        assert!(counted < 64 << 20, "{counted}");
    }
}
