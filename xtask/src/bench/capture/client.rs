//! A client that asks a known number of requests and reads every answer to its end: what it did is
//! on the wire exactly, which no client that is stopped by the clock can say.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::report::print;

/// What the client is told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    address: Ipv4Addr,
    /// Connections, each by a thread
    connections: u32,
    /// Requests on each connection
    requests: u32,
}

/// Asks, and prints the number of answers.
///
/// # Errors
/// A connection failed, or an answer was not a whole one.
pub(crate) fn run(options: &Options) -> Result<()> {
    let threads: Vec<_> = (0..options.connections)
        .map(|_| {
            let (address, requests) = (options.address, options.requests);
            thread::spawn(move || ask(address, requests))
        })
        .collect();
    for thread in threads {
        match thread.join() {
            Ok(result) => result?,
            Err(_panic) => bail!("a connection's thread panicked"),
        }
    }
    print(u64::from(options.connections) * u64::from(options.requests));
    Ok(())
}

fn ask(address: Ipv4Addr, requests: u32) -> Result<()> {
    let mut stream = TcpStream::connect((address, 80)).context("connect to the server")?;
    stream.set_nodelay(true).context("send at once")?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .context("limit the wait")?;
    let mut reader = BufReader::new(stream.try_clone().context("read from the server")?);
    let request = format!("GET /index.html HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut line = String::new();
    let mut body = Vec::new();
    for _ in 0..requests {
        stream
            .write_all(request.as_bytes())
            .context("send a request")?;
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).context("read an answer")? == 0 {
                bail!("the server closed the connection");
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length:") {
                length = value.trim().parse().context("the length of an answer")?;
            }
        }
        if length == 0 {
            bail!("an answer without a length");
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).context("read a body")?;
    }
    Ok(())
}
