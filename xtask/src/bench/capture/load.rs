//! The load: wrk, which asks as fast as it gets answers, a client that asks a known number of times,
//! and iperf3, which sends as fast as it can.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::bench::capture::site::{SERVER, Site, program};

/// What a run of wrk gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Asked {
    /// Requests that were answered while it counted.
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    /// Connections that failed and answers that were none.
    pub(crate) errors: u64,
}

/// Asks for the file over so many connections.
///
/// # Errors
/// When wrk fails, or got an answer that is none.
pub(crate) fn wrk(site: &Site, connections: u32, time: Duration) -> Result<Asked> {
    asking(site, connections, time, &[])
}

/// As [`wrk`], each request on a connection of its own.
///
/// # Errors
/// As there.
pub(crate) fn wrk_without_keeping(site: &Site, connections: u32, time: Duration) -> Result<Asked> {
    asking(site, connections, time, &["--header", "Connection: close"])
}

fn asking(site: &Site, connections: u32, time: Duration, more: &[&str]) -> Result<Asked> {
    let text = site
        .in_client(program("wrk")?)
        .args(more)
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{}s", time.as_secs())])
        .arg(format!("http://{SERVER}/index.html"))
        .time_limit(time + Duration::from_secs(30))
        .stdout()?;
    let asked = parse_wrk(&text).with_context(|| format!("wrk printed {text:?}"))?;
    if asked.errors > 0 {
        bail!("wrk met errors:\n{text}");
    }
    Ok(asked)
}

/// Asks so many requests on each of so many connections, and reads every answer. Gives the number of
/// requests, each of which is on the wire exactly once, as is its answer.
///
/// # Errors
/// When an answer did not come.
pub(crate) fn known(site: &Site, connections: u32, requests: u32) -> Result<u64> {
    let program = std::env::current_exe().context("find this program")?;
    let text = site
        .in_client(program)
        .args(["bench", "client", &SERVER.to_string()])
        .args([connections.to_string(), requests.to_string()])
        .time_limit(Duration::from_secs(120))
        .stdout()?;
    text.trim().parse().context("read the number of requests")
}

/// Sends to the server as fast as it goes. Gives gigabits a second, as received.
///
/// # Errors
/// When iperf3 fails.
pub(crate) fn iperf(site: &Site, time: Duration) -> Result<f64> {
    #[derive(Deserialize)]
    struct Printed {
        end: End,
    }
    #[derive(Deserialize)]
    struct End {
        sum_received: Sum,
    }
    #[derive(Deserialize)]
    struct Sum {
        bits_per_second: f64,
    }
    let text = site
        .in_client(program("iperf3")?)
        .args(["--client", &SERVER.to_string(), "--json"])
        .args(["--time", &time.as_secs().to_string()])
        .time_limit(time + Duration::from_secs(30))
        .stdout()?;
    let printed: Printed = serde_json::from_str(&text).context("read what iperf3 printed")?;
    Ok(printed.end.sum_received.bits_per_second / 1e9)
}

fn parse_wrk(text: &str) -> Option<Asked> {
    let mut requests = None;
    let mut rate = None;
    let mut errors = 0;
    for line in text.lines().map(str::trim) {
        if let Some((count, _)) = line.split_once(" requests in ") {
            requests = Some(count.parse().ok()?);
        } else if let Some(value) = line.strip_prefix("Requests/sec:") {
            rate = Some(value.trim().parse().ok()?);
        } else if let Some(counts) = line.strip_prefix("Socket errors:") {
            for count in counts.split(',') {
                errors += count.split_whitespace().nth(1)?.parse::<u64>().ok()?;
            }
        } else if let Some(count) = line.strip_prefix("Non-2xx or 3xx responses:") {
            errors += count.trim().parse::<u64>().ok()?;
        }
    }
    Some(Asked {
        requests: requests?,
        requests_per_second: rate?,
        errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let check = |text: &str, expected: Option<(u64, f64, u64)>| {
            let found = parse_wrk(text).map(|it| (it.requests, it.requests_per_second, it.errors));
            assert_eq!(found, expected, "{text}");
        };
        let whole = "Running 2s test @ http://198.51.100.1/\n  1 threads and 64 connections\n  \
                     Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.10ms    \
                     1ms  12.00ms   90.00%\n    Req/Sec    50.00k     1.00k   52.00k    70.00%\n  \
                     101234 requests in 2.00s, 125.00MB read\n";
        check(
            &format!("{whole}Requests/sec:  50617.12\nTransfer/sec:     62.50MB\n"),
            Some((101_234, 50_617.12, 0)),
        );
        check(
            &format!(
                "{whole}  Socket errors: connect 1, read 2, write 0, timeout 4\n  \
                 Non-2xx or 3xx responses: 10\nRequests/sec:  50617.12\n"
            ),
            Some((101_234, 50_617.12, 17)),
        );
        check(whole, None);
        check("Requests/sec:  1\n", None);
        check(
            "unable to connect to 198.51.100.1:80 Connection refused\n",
            None,
        );
    }
}
