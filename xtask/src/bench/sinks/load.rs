//! The clients: few threads, each with some connections, on each of which one request is under way.
//!
//! They share the machine with the server, so they cost as little as they can: a request is made
//! once and sent again and again, and of an answer only the head is looked at.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) connections: usize,
    pub(super) threads: usize,
    /// Records of a request; 1: an object, more: an array.
    pub(super) records: usize,
    pub(super) time: Duration,
}

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) records: u64,
    pub(super) seconds: f64,
    /// Nanoseconds of each request.
    pub(super) latencies: Vec<u64>,
}

impl Load {
    /// Sends for the time, and waits for all answers.
    ///
    /// # Errors
    /// A connection failed, or an answer was another than 201.
    pub(super) fn send(self, address: SocketAddr) -> Result<Sent> {
        let begun = Instant::now();
        let until = begun + self.time;
        let threads: Vec<_> = (0..self.threads)
            .map(|number| {
                // Every connection belongs to one thread.
                let own = (number..self.connections).step_by(self.threads).count();
                let records = self.records;
                thread::spawn(move || send(address, number as u64, own, records, until))
            })
            .collect();
        let mut all = Sent::default();
        for thread in threads {
            let Ok(sent) = thread.join() else {
                bail!("a client's thread panicked");
            };
            let mut sent = sent?;
            all.records += sent.records;
            all.latencies.append(&mut sent.latencies);
        }
        all.seconds = begun.elapsed().as_secs_f64();
        Ok(all)
    }
}

fn send(
    address: SocketAddr,
    seed: u64,
    connections: usize,
    records: usize,
    until: Instant,
) -> Result<Sent> {
    let mut connections = (0..connections)
        .map(|number| Connection::open(address, seed * 1000 + number as u64, records))
        .collect::<Result<Vec<_>>>()?;
    let mut sent = Sent::default();
    for connection in &mut connections {
        connection.ask()?;
    }
    let mut polled: Vec<libc::pollfd> = connections
        .iter()
        .map(|connection| libc::pollfd {
            fd: connection.stream.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let mut waiting = connections.len();
    while waiting > 0 {
        let length = polled.len() as libc::nfds_t;
        // SAFETY: the list is valid for its length; negative descriptors are passed over.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), length, 20_000) };
        if ready <= 0 {
            bail!("the server does not answer");
        }
        let goes_on = Instant::now() < until;
        for (connection, place) in connections.iter_mut().zip(&mut polled) {
            if place.revents == 0 {
                continue;
            }
            sent.latencies.push(connection.answer()?);
            sent.records += records as u64;
            if goes_on {
                connection.ask()?;
            } else {
                waiting -= 1;
                place.fd = -1;
            }
        }
    }
    Ok(sent)
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
    asked: Instant,
}

impl Connection {
    fn open(address: SocketAddr, seed: u64, records: usize) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connect to the server")?;
        stream.set_nodelay(true).context("send at once")?;
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .context("limit the wait")?;
        Ok(Self {
            stream,
            request: request(address, seed, records),
            buffer: vec![0; 64 << 10],
            asked: Instant::now(),
        })
    }

    fn ask(&mut self) -> Result<()> {
        self.asked = Instant::now();
        self.stream.write_all(&self.request).context("send records")
    }

    /// Reads an answer to its end. Gives the nanoseconds since it was asked for.
    fn answer(&mut self) -> Result<u64> {
        let mut filled = 0;
        let whole = loop {
            let room = &mut self.buffer[filled..];
            let length = self.stream.read(room).context("read an answer")?;
            if length == 0 {
                bail!("the server closed the connection, or its answer is too long");
            }
            filled += length;
            if let Some(whole) = length_of(&self.buffer[..filled])? {
                break whole;
            }
        };
        while filled < whole {
            let room = &mut self.buffer[..];
            let length = self.stream.read(room).context("read an answer")?;
            if length == 0 {
                bail!("the server closed the connection");
            }
            filled += length;
        }
        if filled > whole {
            bail!("more than an answer came");
        }
        Ok(self.asked.elapsed().as_nanos() as u64)
    }
}

/// Bytes of the answer, head and body; `None` while its head is not whole.
fn length_of(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    if !head.starts_with("HTTP/1.1 201 ") {
        bail!(
            "the records were not stored: {}",
            String::from_utf8_lossy(bytes)
        );
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .context("an answer without a length")?;
    let length: usize = length.parse().context("the length of an answer")?;
    Ok(Some(end + 4 + length))
}

/// A request with records like those that programs for tests make: eight fields, no time.
fn request(address: SocketAddr, seed: u64, records: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |range: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % range
    };
    let objects: Vec<String> = (0..records)
        .map(|_| {
            let protocol = ["TCP", "UDP", "ICMP"][next(3) as usize];
            let packets = 1 + next(1000);
            format!(
                "{{\"protocol\": \"{protocol}\", \"src_ip\": \"{}.{}.{}.{}\", \"src_port\": {}, \
                 \"dst_ip\": \"{}.{}.{}.{}\", \"dst_port\": {}, \"packets\": {packets}, \"bytes\": {}, \
                 \"cpu_id\": {}}}",
                1 + next(255), next(256), next(256), 1 + next(255), 1024 + next(64_512),
                1 + next(255), next(256), next(256), 1 + next(255), 1024 + next(64_512),
                packets * (64 + next(1437)), next(8),
            )
        })
        .collect();
    let body = match records {
        1 => objects.concat(),
        _ => format!("[{}]", objects.join(", ")),
    };
    format!(
        "POST /api/logs HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_measured_and_refusals_are_errors() {
        let whole = b"HTTP/1.1 201 Created\r\ncontent-length: 12\r\n\r\n{}";
        assert_eq!(length_of(whole).ok().flatten(), Some(whole.len() - 2 + 12));
        for cut in 0..whole.len() - 2 {
            assert!(matches!(length_of(&whole[..cut]), Ok(None)), "{cut}");
        }
        assert!(length_of(b"HTTP/1.1 429 Too Many Requests\r\n\r\n").is_err());
        assert!(length_of(b"HTTP/1.1 201 Created\r\n\r\n").is_err());
    }

    #[test]
    fn requests_have_so_many_records() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let check = |records: usize| {
            let request = String::from_utf8(request(address, 3, records)).unwrap_or_default();
            let (_, body) = request.split_once("\r\n\r\n").unwrap_or_default();
            let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            assert_eq!(value.as_array().map_or(1, Vec::len), records);
            assert!(!value.is_null());
        };
        check(1);
        check(2);
        check(500);
    }
}
