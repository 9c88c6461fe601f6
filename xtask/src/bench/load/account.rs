//! What the clients say at their end.

use serde::Deserialize;

/// The parts of the account of `tapline gen http` that are looked at.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    pub(super) failed: u64,
    pub(super) unfinished: u64,
    pub(super) dropped: u64,
    pub(super) offered_rate: Option<f64>,
    pub(super) started_rate: f64,
    pub(super) answered_rate: f64,
    pub(super) from_intended_start: Option<Latency>,
    pub(super) start_lateness: Option<Latency>,
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// Requests a second of a run of wrk; `None`: it had errors, or says none.
pub(super) fn requests_of_wrk(text: &str) -> Option<f64> {
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return None;
    }
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.trim().strip_prefix("Requests/sec:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrk_is_understood() {
        let check = |text: &str, expected: Option<f64>| {
            assert_eq!(requests_of_wrk(text), expected, "{text}");
        };
        check(
            "Running\n  5 requests\nRequests/sec: 104317.91\nTransfer/sec: 1MB\n",
            Some(104_317.91),
        );
        check("  Socket errors: connect 1\nRequests/sec: 5.0\n", None);
        check("  Non-2xx or 3xx responses: 7\nRequests/sec: 5.0\n", None);
        check("", None);
    }
}
