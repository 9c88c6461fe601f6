//! The frames that are shown to the programs: one connection between a client and a server, as on an
//! Ethernet, with the time stamp option that every segment of Linux carries.

/// Who sends a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// TCP flags (RFC 9293, section 3.1).
pub(crate) mod flag {
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const PUSH: u8 = 0x08;
    pub(crate) const ACK: u8 = 0x10;
}

/// The address and the port of the client (the lower endpoint) and of the server.
const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 40_000);
const SERVER: ([u8; 4], u16) = ([192, 0, 2, 2], 80);

/// Length of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;

/// A frame with an Ethernet, an IPv4 and a TCP header, and `payload`.
pub(crate) fn frame(sender: Sender, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    const TCP_HEADER: usize = 32;
    let (source, destination) = match sender {
        Sender::Client => (CLIENT, SERVER),
        Sender::Server => (SERVER, CLIENT),
    };
    let total = 20 + TCP_HEADER + payload.len();
    let mut frame = Vec::with_capacity(ETHERNET + total);
    frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00]);
    frame.extend([0x45, 0]);
    frame.extend((total as u16).to_be_bytes());
    // Identification, don't fragment, time to live, TCP, no checksum.
    frame.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(source.0);
    frame.extend(destination.0);
    frame.extend(source.1.to_be_bytes());
    frame.extend(destination.1.to_be_bytes());
    frame.extend(sequence.to_be_bytes());
    frame.extend(1_u32.to_be_bytes());
    frame.extend([(TCP_HEADER as u8 / 4) << 4, flags]);
    // Window, checksum, urgent pointer; two fillers and a time stamp.
    frame.extend([0xff, 0xff, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
    frame.extend(payload);
    frame
}

/// A request head of exactly `length` bytes, as a browser writes one.
pub(crate) fn request_head(length: usize) -> Vec<u8> {
    filled(
        "GET /articles/index.html?page=2 HTTP/1.1\r\nHost: www.example.com\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nConnection: keep-alive\r\n",
        length,
    )
}

/// A response head of exactly `length` bytes.
pub(crate) fn response_head(length: usize) -> Vec<u8> {
    filled(
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 1448000\r\n\
         Connection: keep-alive\r\n",
        length,
    )
}

/// Body bytes: text, the first byte as given.
pub(crate) fn body(first: u8, length: usize) -> Vec<u8> {
    let text = b"the quick brown fox jumps over the lazy dog. ";
    let mut bytes: Vec<u8> = text.iter().copied().cycle().take(length).collect();
    if let Some(byte) = bytes.first_mut() {
        *byte = first;
    }
    bytes
}

/// `fields` and one more that fills up to `length`, and the empty line. `length` must have room.
fn filled(fields: &str, length: usize) -> Vec<u8> {
    const NAME: &str = "Cookie: ";
    const END: &str = "\r\n\r\n";
    let filler = length.saturating_sub(fields.len() + NAME.len() + END.len());
    format!("{fields}{NAME}{}{END}", "c".repeat(filler)).into_bytes()
}
