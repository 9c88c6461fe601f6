//! Every field drawn evenly and by itself, with the bounds of `log-gen`.

use std::net::Ipv4Addr;

use rand_chacha::ChaCha8Rng;

use super::Session;
use crate::generate::draw::{below, between};
use crate::session::record::Protocol;

/// A session: one of three protocols, addresses from 1.0.0.1 to 255.255.255.255, ports from 1024 on, up
/// to 1000 packets of 64 to 1500 bytes on average, one of eight CPUs.
#[inline]
pub fn session(stream: &mut ChaCha8Rng, time: i64) -> Session {
    let protocol = Protocol::ALL[below(stream, 3) as usize];
    let packets = between(stream, 1, 1000);
    let bytes_a_packet = between(stream, 64, 1500);
    Session {
        protocol,
        src_ip: address(stream),
        src_port: port(stream),
        dst_ip: address(stream),
        dst_port: port(stream),
        packets,
        bytes: u64::from(packets) * u64::from(bytes_a_packet),
        cpu_id: below(stream, 8) as u8,
        time,
    }
}

fn address(stream: &mut ChaCha8Rng) -> Ipv4Addr {
    let first = between(stream, 1, 255) as u8;
    let (second, third) = (below(stream, 256) as u8, below(stream, 256) as u8);
    Ipv4Addr::new(first, second, third, between(stream, 1, 255) as u8)
}

fn port(stream: &mut ChaCha8Rng) -> u16 {
    between(stream, 1024, u32::from(u16::MAX)) as u16
}
