//! What those who look on cost: the CPU time of the server with a hundred streams of /api/live that are read,
//! less that without any, while as many records arrive.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::bench::sinks::cpu_seconds;

/// Streams that are open.
const STREAMS: usize = 100;

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
    Ok(Viewers {
        streams: STREAMS,
        alone,
        watched,
        ticks_at_least,
    })
}

fn percent(process: u32, wait: impl FnOnce()) -> Result<f64> {
    let (begun, before) = (Instant::now(), cpu_seconds(process)?);
    wait();
    Ok(100.0 * (cpu_seconds(process)? - before) / begun.elapsed().as_secs_f64())
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
