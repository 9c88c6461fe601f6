//! Those who look on while a capture is measured: streams of /api/live, read by one thread once a second. Who looks
//! on sits on another host, so what is measured here should be the agent's part, and as little of theirs as can be.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{bench::capture::site::Site, process::Running, report::print};

/// Where the agent serves in its namespace.
const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8000);

/// What those who look on are told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many they are
    streams: usize,
    /// How long they look, in seconds
    seconds: u64,
}

/// Looks on, and prints how many ticks the stream had that had the fewest.
///
/// # Errors
/// A stream failed, or the server ended it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let address = SocketAddr::from(ADDRESS);
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut streams = Vec::new();
    for _ in 0..options.streams {
        let mut stream = TcpStream::connect(address).context("connect to the agent")?;
        write!(stream, "GET /api/live HTTP/1.1\r\nHost: {address}\r\n\r\n")
            .context("ask for the stream")?;
        stream
            .set_nonblocking(true)
            .context("read without waiting")?;
        streams.push(Looker { stream, ticks: 0 });
    }
    while Instant::now() < until {
        thread::sleep(Duration::from_secs(1));
        for looker in &mut streams {
            looker.read()?;
        }
    }
    print(streams.iter().map(|looker| looker.ticks).min().unwrap_or(0));
    Ok(())
}

/// Starts so many in the namespace of the server, who look for so long.
///
/// # Errors
/// When this program cannot be started there.
pub(super) fn start(site: &Site, streams: u32, time: Duration) -> Result<Running> {
    let program = std::env::current_exe().context("find this program")?;
    site.in_server(program)
        .args(["bench", "lookers", &streams.to_string()])
        .arg(time.as_secs().to_string())
        .start(Stdio::piped(), Stdio::inherit())
        .context("look on")
}

/// Waits until they have looked, and gives the ticks of the stream that had the fewest.
///
/// # Errors
/// When they failed.
pub(super) fn ticks(mut running: Running) -> Result<u64> {
    let mut stdout = running.take_stdout().context("there is no stdout")?;
    let mut printed = String::new();
    stdout
        .read_to_string(&mut printed)
        .context("read how many ticks there were")?;
    printed
        .trim()
        .parse()
        .context("those who look on have failed")
}

struct Looker {
    stream: TcpStream,
    ticks: u64,
}

impl Looker {
    /// Takes what has come. A tick is counted by the line that begins it, which comes in one piece: a tick is written
    /// at once.
    fn read(&mut self) -> Result<()> {
        let mut block = [0; 64 << 10];
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => bail!("the agent ended a stream"),
                Ok(length) => self.ticks += ticks_in(&block[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("read a stream"),
            }
        }
    }
}

fn ticks_in(bytes: &[u8]) -> u64 {
    const TICK: &[u8] = b"event: tick\n";
    bytes
        .windows(TICK.len())
        .filter(|window| *window == TICK)
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_counted() {
        let check = |text: &str, ticks| assert_eq!(ticks_in(text.as_bytes()), ticks, "{text}");
        check("", 0);
        check("retry: 2000\n\nevent: tick\ndata: {}\n\n", 1);
        check(
            "event: tick\ndata: {}\n\nevent: tick\ndata: {}\n\nevent: bye\n\n",
            2,
        );
        check("data: event: tickle\n", 0);
    }
}
