//! Clients: curl, and a connection that is written byte by byte.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::command::{Done, Program};
use super::namespace::Namespace;

/// Runs curl in a namespace, silently, without a configuration file; it must succeed.
///
/// # Panics
/// curl fails or takes longer than a minute.
pub fn curl(namespace: &Namespace, arguments: &[&str]) -> Done {
    let mut command = namespace.command("curl");
    command.args(["--disable", "--silent", "--show-error", "--max-time", "30"]);
    command.args(arguments);
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(0), "curl {arguments:?}: {}", done.stderr);
    done
}

/// A connection from inside a namespace.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A response as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Start line and fields, without the empty line.
    pub head: String,
    /// The bytes that Content-Length announced; none if it announced nothing.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects; what is written leaves at once (TCP_NODELAY).
    ///
    /// # Panics
    /// Nobody listens there.
    #[must_use]
    pub fn open(namespace: &Namespace, address: SocketAddr) -> Self {
        let stream = namespace.enter(|| TcpStream::connect(address).unwrap());
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(15)))
            .unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// The client's own address.
    ///
    /// # Panics
    /// The socket is gone.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Writes all of it with one call.
    ///
    /// # Panics
    /// The other side closed.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Writes it in pieces, one segment each.
    ///
    /// # Panics
    /// The other side closed.
    pub fn write_pieces(&mut self, bytes: impl AsRef<[u8]>, length: usize) {
        for piece in bytes.as_ref().chunks(length) {
            self.write(piece);
        }
    }

    /// Says that nothing more comes.
    ///
    /// # Panics
    /// The socket is gone.
    pub fn finish(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Reads one response: its head, and the body if Content-Length announces one.
    ///
    /// # Panics
    /// The connection ends before, or 15 s pass.
    pub fn answer(&mut self) -> Answer {
        let end = self.fill_until(|bytes| find(bytes, b"\r\n\r\n"));
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        self.unread.drain(..end + 4);
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.trim().parse().unwrap());
        Answer {
            head,
            body: self.read(length),
        }
    }

    /// Reads exactly so many bytes.
    ///
    /// # Panics
    /// The connection ends before, or 15 s pass.
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        self.fill_until(|bytes| (bytes.len() >= length).then_some(()));
        self.unread.drain(..length).collect()
    }

    /// Reads to the end of the connection.
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.unread);
        // A reset is an end too.
        drop(self.stream.read_to_end(&mut rest));
        rest
    }

    fn fill_until<T>(&mut self, mut found: impl FnMut(&[u8]) -> Option<T>) -> T {
        let mut buffer = [0; 65_536];
        loop {
            if let Some(found) = found(&self.unread) {
                return found;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!(
                    "the connection ended early: {:?}",
                    String::from_utf8_lossy(&self.unread)
                ),
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("cannot read: {error}"),
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
