//! Very many flows at once: what they take in memory, and whether looking after them keeps the reader from
//! the ring.

use std::{
    net::{Ipv4Addr, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::{
    bench::{
        capture::{
            capturer::Capturer,
            site::{SERVER, Site},
        },
        target::{Bound, Target},
    },
    report::{print, say},
};

/// Flows at once.
const FLOWS: u32 = 100_000;

/// Ports that a socket sends to: those of 10,000 and above.
const PORTS: u32 = 50_000;

/// How long the agent waits until it takes a flow for over.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// Behind that: a walk through the table of flows, and the other half of the next.
const WALKS: Duration = Duration::from_secs(7);

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Crowd {
    flows: u64,
    evicted: u64,
    /// Bytes of memory (Pss) while all are there.
    memory: u64,
    /// Microseconds for which the reader did not look at the ring, at the most, while they came and while
    /// all of them were found to be over.
    longest_pause_us: u64,
}

/// What the sender of the datagrams is told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    address: Ipv4Addr,
    /// Datagrams, each a flow of its own
    flows: u32,
}

/// Measures.
///
/// # Errors
/// When a program fails, or the agent saw fewer flows than were sent.
pub(crate) fn measure(site: &Site, tapline: &std::path::Path) -> Result<Crowd> {
    let capturing = Capturer::tapline_in_crowd(tapline).start(site)?;
    let program = std::env::current_exe().context("find this program")?;
    site.in_client(program)
        .args(["bench", "crowd", &SERVER.to_string(), &FLOWS.to_string()])
        .time_limit(Duration::from_secs(60))
        .stdout()?;
    let memory = capturing.memory()?;
    thread::sleep(IDLE + WALKS);
    let memory = memory.max(capturing.memory()?);
    let account = capturing.finish()?;
    let Some(ledger) = account.ledger else {
        bail!("only the agent gives an account of flows");
    };
    let Some(sessions) = ledger.sessions else {
        bail!("the agent counted no flows");
    };
    if sessions.begun < u64::from(FLOWS) {
        bail!("the agent saw {} flows of {FLOWS}", sessions.begun);
    }
    let crowd = Crowd {
        flows: sessions.begun,
        evicted: sessions.evicted,
        memory,
        longest_pause_us: ledger.records.longest_pause_us,
    };
    say(format_args!(
        "{} flows, {} evicted: {:.1} MiB of Pss, the longest pause of the reader {} µs",
        crowd.flows,
        crowd.evicted,
        crowd.mebibytes(),
        crowd.longest_pause_us
    ));
    Ok(crowd)
}

impl Crowd {
    fn mebibytes(self) -> f64 {
        self.memory as f64 / f64::from(1 << 20)
    }

    /// The figures against the targets.
    pub(crate) fn targets(self) -> [Target; 2] {
        [
            Target::new(
                "memory (Pss) with 100,000 flows",
                self.mebibytes(),
                Bound::AtMost,
                200.0,
                "MiB",
            ),
            Target::new(
                "longest pause of the reader",
                self.longest_pause_us as f64 / 1e3,
                Bound::AtMost,
                5.0,
                "ms",
            ),
        ]
    }
}

/// Sends so many datagrams, each from or to another port.
///
/// # Errors
/// A datagram cannot be sent.
pub(crate) fn send(options: &Options) -> Result<()> {
    let mut left = options.flows;
    while left > 0 {
        let socket = UdpSocket::bind("0.0.0.0:0").context("make a socket")?;
        for port in 0..left.min(PORTS) {
            let to = (options.address, 10_000 + port as u16);
            // Not connected: that nobody listens there is no error to it.
            socket.send_to(b"datagram", to).context("send a datagram")?;
        }
        left = left.saturating_sub(PORTS);
    }
    print(options.flows);
    Ok(())
}
