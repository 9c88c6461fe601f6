//! A connection that stays open, with one request under way.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// A connection to the server.
pub(super) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connect to the server")?;
        stream.set_nodelay(true).context("send at once")?;
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .context("limit the wait")?;
        Ok(Self { stream, address })
    }

    /// The status and the body of the answer, and how long it took to come whole.
    pub(super) fn get(&mut self, target: &str) -> Result<(u16, Vec<u8>, Duration)> {
        let begun = Instant::now();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.stream
            .write_all(request.as_bytes())
            .with_context(|| format!("ask for {target}"))?;
        let (status, body) = self.answer().with_context(|| format!("read {target}"))?;
        Ok((status, body, begun.elapsed()))
    }

    pub(super) fn post(&mut self, target: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.stream
            .write_all(&[head.as_bytes(), body].concat())
            .with_context(|| format!("send to {target}"))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut bytes = Vec::new();
        let mut block = vec![0; 64 << 10];
        loop {
            if let Some((status, begin, length)) = head_of(&bytes)?
                && bytes.len() >= begin + length
            {
                return Ok((status, bytes.split_off(begin)));
            }
            let length = self.stream.read(&mut block).context("read an answer")?;
            if length == 0 {
                bail!("the server closed the connection");
            }
            bytes.extend_from_slice(&block[..length]);
        }
    }
}

/// The status, where the body begins, and its length; `None` while the head is not whole.
fn head_of(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.get(9..12).context("an answer without a status")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .context("an answer without a length")?;
    Ok(Some((
        status.parse().context("the status of an answer")?,
        end + 4,
        length.trim().parse().context("the length of an answer")?,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(
            head_of(whole).ok().flatten(),
            Some((200, whole.len() - 2, 2))
        );
        assert!(matches!(head_of(&whole[..20]), Ok(None)));
        assert!(head_of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
