//! TCP connections as packets: a handshake, what both sides say, an end.

use std::net::SocketAddr;

use agent_common::frame::{TcpSegment, tcp_flags};

/// A network packet of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) ethertype: u16,
    pub(crate) bytes: Vec<u8>,
    /// The server sent it.
    pub(crate) from_server: bool,
    /// Time since the packet before it.
    pub(crate) after_ns: u64,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Talk {
    ends: [SocketAddr; 2],
    next: [u32; 2],
    /// What was sent so far, to be mistreated at will.
    pub(crate) packets: Vec<Packet>,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

impl Talk {
    /// A connection from its handshake on.
    pub(crate) fn new(client: &str, server: &str) -> Self {
        let end = |text: &str| text.parse().expect("an address and a port");
        let mut talk = Self {
            ends: [end(client), end(server)],
            next: [0x0a00_0000, 0xffff_ff00],
            packets: Vec::new(),
        };
        talk.send(CLIENT, tcp_flags::SYN, b"");
        talk.send(SERVER, tcp_flags::SYN | tcp_flags::ACK, b"");
        talk.send(CLIENT, tcp_flags::ACK, b"");
        talk
    }

    /// Ends of which nothing was heard yet.
    pub(crate) fn unheard(client: &str, server: &str) -> Self {
        let mut talk = Self::new(client, server);
        talk.packets.clear();
        talk
    }

    /// The connection of most cases.
    pub(crate) fn usual() -> Self {
        Self::new("192.0.2.7:50312", "198.51.100.80:80")
    }

    /// The client says `bytes` in one segment.
    pub(crate) fn client(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(CLIENT, tcp_flags::ACK, bytes.as_ref())
    }

    /// The server says `bytes` in one segment.
    pub(crate) fn server(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(SERVER, tcp_flags::ACK, bytes.as_ref())
    }

    /// The client says `bytes` in segments of `size`.
    pub(crate) fn client_by(&mut self, size: usize, bytes: impl AsRef<[u8]>) -> &mut Self {
        for segment in bytes.as_ref().chunks(size) {
            self.client(segment);
        }
        self
    }

    /// The server says `bytes` in segments of `size`.
    pub(crate) fn server_by(&mut self, size: usize, bytes: impl AsRef<[u8]>) -> &mut Self {
        for segment in bytes.as_ref().chunks(size) {
            self.server(segment);
        }
        self
    }

    /// Both sides end the connection, the server first.
    pub(crate) fn end(&mut self) -> Vec<Packet> {
        for side in [SERVER, CLIENT] {
            self.send(side, tcp_flags::FIN | tcp_flags::ACK, b"");
        }
        self.packets.clone()
    }

    /// One side (0: the client) sends a segment with these flags.
    pub(crate) fn send(&mut self, side: usize, flags: u8, payload: &[u8]) -> &mut Self {
        let segment = TcpSegment {
            source: self.ends[side],
            destination: self.ends[1 - side],
            sequence: self.next[side],
            flags,
            payload,
        };
        let (ethertype, bytes) = segment.packet();
        let numbers = payload.len() as u32 + u32::from(flags & 3 != 0);
        self.next[side] = self.next[side].wrapping_add(numbers);
        self.packets.push(Packet {
            ethertype,
            bytes,
            from_server: side == SERVER,
            after_ns: 1_234_567,
        });
        self
    }
}
