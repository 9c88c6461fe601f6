//! The one conversation that is sent: what is said, how it is cut, and its frames as the program takes them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use agent_common::live::{self, BEGIN, CHECKSUMS, LENGTH, LiveFrame, SUMS};

use super::super::frame::{Transport, Way};
use super::super::lane;
use super::super::script::{Body, Filling, Request, Response, Script, Side};
use super::super::segment::{self, Cut, Segment};
use crate::generate::seed::Seed;

/// The ends of a client's connection.
pub(super) fn ends(client: u32) -> [SocketAddr; 2] {
    let (low, port) = live::client(client);
    let [high, low] = low.to_be_bytes();
    let address = |[a, b]: [u8; 2], high, low| IpAddr::V4(Ipv4Addr::new(a, b, high, low));
    [
        SocketAddr::new(address([198, 18], high, low), port),
        SocketAddr::new(address([198, 19], 0, 1), 80),
    ]
}

/// What is said, how it is cut, and the frames for the client with the address 198.18.0.0 and the port 0.
pub(super) fn conversation(seed: Seed) -> (Script, Vec<Segment>, Vec<Template>) {
    let mut script = Script::default();
    script.turn(Side::Client);
    let request = Request {
        method: "GET",
        target: "/live?stamp=0",
        body: Body::None,
        fields: "",
    };
    script.request(0, &request, Filling::Words);
    script.turn(Side::Server);
    let response = Response {
        status: 200,
        reason: "OK",
        is_old: false,
        body: Body::Length(64),
        fields: "",
    };
    script.response(0, 0, &response, Filling::Words);
    let mut segments = Vec::new();
    let mut stream = seed.stream("packets, live", 0);
    segment::cut(&script, Cut::Full, &mut stream, &mut segments);
    let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 0)), 0);
    let [_, server] = ends(0);
    let ways = [
        Way::new(Transport::Tcp, client, server, &[], true),
        Way::new(Transport::Tcp, server, client, &[], false),
    ];
    let frames = segments
        .iter()
        .map(|segment| {
            let mut bytes = Vec::new();
            lane::frame_of(segment, &script, &ways, [1_000_000, 2_000_000], &mut bytes);
            // Zeros behind the packet, which its length leaves out.
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let sums = CHECKSUMS.map(|at| {
                let word = bytes.get(at..at + 2).and_then(|word| word.try_into().ok());
                u32::from(!u16::from_ne_bytes(word.unwrap_or_default()))
            });
            Template {
                bytes,
                to_client: segment.side == Side::Server,
                sums,
            }
        })
        .collect();
    (script, segments, frames)
}

/// A frame as it is given to the program.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) bytes: Vec<u8>,
    to_client: bool,
    sums: [u32; 2],
}

impl Template {
    /// The frame in the words of the program's map.
    pub(super) fn words(&self) -> LiveFrame {
        let mut frame: LiveFrame = [0; 2 + live::WORDS];
        frame[LENGTH] = self.bytes.len() as u64 | u64::from(self.to_client) << 32;
        let [network, transport] = self.sums.map(u64::from);
        frame[SUMS] = network | transport << 32;
        for (word, bytes) in frame[BEGIN..].iter_mut().zip(self.bytes.chunks_exact(8)) {
            *word = bytes.try_into().map_or(0, u64::from_ne_bytes);
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use agent_common::live::{BYTES, CLIENTS, FRAMES_MOST};

    use super::*;

    /// What the program writes into a frame is what is made for that client from the start.
    #[test]
    fn a_frame_is_that_of_its_client() {
        let (script, segments, frames) = conversation(Seed(1));
        for client in [0, 1, 77, live::PORTS, CLIENTS - 1] {
            let [own, server] = ends(client);
            let ways = [
                Way::new(Transport::Tcp, own, server, &[], true),
                Way::new(Transport::Tcp, server, own, &[], false),
            ];
            for (segment, template) in segments.iter().zip(&frames) {
                let mut expected = Vec::new();
                lane::frame_of(
                    segment,
                    &script,
                    &ways,
                    [1_000_000, 2_000_000],
                    &mut expected,
                );
                expected.resize(expected.len().next_multiple_of(8), 0);
                assert!(expected.len() <= BYTES && frames.len() <= FRAMES_MOST);
                let mut frame = template.bytes.clone();
                let (address, port) = live::client(client);
                let (address, port) = (address.to_be(), port.to_be());
                let places = live::PLACES[usize::from(template.to_client)];
                let [network, transport] = template.sums;
                for (at, word) in [
                    (places[0], address),
                    (places[1], port),
                    (CHECKSUMS[0], live::checksum(network, address, 0)),
                    (CHECKSUMS[1], live::checksum(transport, address, port)),
                ] {
                    frame[at..at + 2].copy_from_slice(&word.to_ne_bytes());
                }
                assert_eq!(frame, expected, "{client}");
            }
        }
    }
}
