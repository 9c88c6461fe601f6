//! What those who look on cost: the CPU time of the server with a hundred that look at the overview, less that
//! without any, while as many records arrive. Each does what the page does: it reads a stream of /api/live, and
//! asks the questions of its panels every four seconds, about the last quarter of an hour.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{
    arrivals::{now_seconds, rfc_3339},
    connection::Connection,
};
use crate::bench::sinks::cpu_seconds;

/// Those who look on.
const STREAMS: usize = 100;

/// From one refresh of the page to the next, in seconds.
const EVERY: u64 = 4;

/// What the overview asks each time.
const PANELS: [&str; 9] = [
    "/api/stats?",
    "/api/timeseries?",
    "/api/top?by=method&sort=requests&limit=12&",
    "/api/top?by=endpoint&sort=requests&limit=15&",
    "/api/top?by=host&sort=requests&limit=10&",
    "/api/top?by=client&sort=requests&limit=10&",
    "/api/top?by=user_agent&sort=requests&limit=10&",
    "/api/top?by=hour&sort=requests&limit=24&",
    "/api/slow?limit=10&",
];

/// For so long each is measured.
const TAKES: Duration = Duration::from_secs(10);

/// The result.
#[derive(Debug, Serialize)]
pub(super) struct Viewers {
    pub(super) streams: usize,
    /// Of the server, in percent of a core.
    pub(super) alone: f64,
    /// The same while they look on.
    pub(super) watched: f64,
    /// Events of the stream that had the fewest.
    pub(super) ticks_at_least: usize,
    /// Refreshes of the page that had the fewest.
    pub(super) refreshes_at_least: usize,
}

impl Viewers {
    /// Percent of a core that all of them cost.
    pub(super) fn cost(&self) -> f64 {
        (self.watched - self.alone).max(0.0)
    }
}

/// Measures the server of this process.
///
/// # Errors
/// It cannot be asked, or does not say its CPU time.
pub(super) fn measure(address: SocketAddr, process: u32) -> Result<Viewers> {
    let alone = percent(process, || thread::sleep(TAKES))?;
    let streams: Vec<_> = (0..STREAMS)
        .map(|_| thread::spawn(move || watch(address)))
        .collect();
    let pages: Vec<_> = (0..STREAMS)
        .map(|number| thread::spawn(move || refresh(address, number)))
        .collect();
    // They have come, and have had the first tick.
    thread::sleep(Duration::from_secs(2));
    let watched = percent(process, || thread::sleep(TAKES))?;
    let mut ticks_at_least = usize::MAX;
    for stream in streams {
        let Ok(ticks) = stream.join() else {
            bail!("a thread that looks on panicked");
        };
        ticks_at_least = ticks_at_least.min(ticks?);
    }
    let mut refreshes_at_least = usize::MAX;
    for page in pages {
        let Ok(refreshes) = page.join() else {
            bail!("a thread that asks panicked");
        };
        refreshes_at_least = refreshes_at_least.min(refreshes?);
    }
    Ok(Viewers {
        streams: STREAMS,
        alone,
        watched,
        ticks_at_least,
        refreshes_at_least,
    })
}

fn percent(process: u32, wait: impl FnOnce()) -> Result<f64> {
    let (begun, before) = (Instant::now(), cpu_seconds(process)?);
    wait();
    Ok(100.0 * (cpu_seconds(process)? - before) / begun.elapsed().as_secs_f64())
}

/// Asks what the page asks until the measurement is over, and gives how often. Pages were opened at any time.
fn refresh(address: SocketAddr, number: usize) -> Result<usize> {
    let mut connection = Connection::open(address)?;
    let begun = Instant::now();
    let until = begun + TAKES + Duration::from_secs(3);
    let phase = Duration::from_secs(EVERY) * number as u32 / STREAMS as u32;
    let mut refreshes = 0;
    loop {
        let due = begun + phase + Duration::from_secs(EVERY) * refreshes as u32;
        if due > until {
            return Ok(refreshes);
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // As the page does, so that others ask the same.
        let from = (now_seconds() as u64 - 900) / EVERY * EVERY;
        let from = rfc_3339(from as f64);
        for panel in PANELS {
            let (status, ..) = connection.get(&format!("{panel}start_time={from}"))?;
            if status != 200 {
                bail!("{panel} was answered {status}");
            }
        }
        refreshes += 1;
    }
}

/// Reads a stream until the measurement is over, and gives how many ticks came.
fn watch(address: SocketAddr) -> Result<usize> {
    let mut stream = TcpStream::connect(address).context("connect to the server")?;
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .context("limit the wait")?;
    write!(stream, "GET /api/live HTTP/1.1\r\nHost: {address}\r\n\r\n")
        .context("ask for the stream")?;
    let until = Instant::now() + TAKES + Duration::from_secs(3);
    let mut text = String::new();
    let mut block = [0; 16 << 10];
    while Instant::now() < until {
        match stream.read(&mut block) {
            Ok(0) => bail!("the server ended a stream"),
            Ok(length) => text += &String::from_utf8_lossy(&block[..length]),
            // Nothing came for a moment.
            Err(_) => {}
        }
    }
    Ok(text.matches("event: tick").count())
}
