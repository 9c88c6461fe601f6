//! Traffic of a small network: clients in subnets ask servers inside and outside, by services on their
//! known ports; sizes have a long tail; the fields of a record agree.

use std::net::Ipv4Addr;

use rand_chacha::ChaCha8Rng;

use super::Session;
use crate::generate::draw::{NoWeights, Weights, below, between, happens, unit};
use crate::generate::pools;
use crate::generate::seed::Seed;
use crate::session::record::Protocol;

/// Subnets of clients.
const SUBNETS: u32 = 4;
/// Clients in each.
const CLIENTS: u32 = 120;
/// Servers inside.
const SERVERS: u32 = 24;
/// Servers outside.
const OUTSIDE: usize = 2000;

/// A service and what a session with it looks like.
#[derive(Debug)]
struct Service {
    protocol: Protocol,
    port: u16,
    /// Its part of all sessions.
    weight: f64,
    /// How often the server is outside.
    outside: f64,
    packets: Sizes,
    /// Bytes of a packet on average.
    bytes: (u32, u32),
}

/// How many packets sessions have.
#[derive(Clone, Copy, Debug)]
enum Sizes {
    /// A question and its answer.
    Few,
    /// Most are short, some are very long.
    Tail,
}

use Protocol::{Icmp, Tcp, Udp};
use Sizes::{Few, Tail};

const SERVICES: [Service; 15] = [
    service(Tcp, 443, 46.0, 0.9, Tail, (250, 1200)),
    service(Tcp, 80, 12.0, 0.7, Tail, (200, 1100)),
    service(Tcp, 8080, 3.0, 0.0, Tail, (200, 900)),
    service(Tcp, 22, 2.0, 0.2, Tail, (90, 400)),
    service(Tcp, 25, 1.0, 0.5, Tail, (120, 1000)),
    service(Tcp, 993, 1.0, 1.0, Tail, (120, 800)),
    service(Tcp, 445, 2.0, 0.0, Tail, (200, 1300)),
    service(Tcp, 3306, 4.0, 0.0, Tail, (100, 700)),
    service(Tcp, 5432, 4.0, 0.0, Tail, (100, 700)),
    service(Tcp, 6379, 3.0, 0.0, Tail, (70, 300)),
    service(Udp, 53, 14.0, 0.3, Few, (70, 220)),
    service(Udp, 443, 5.0, 1.0, Tail, (300, 1200)),
    service(Udp, 123, 0.7, 0.8, Few, (76, 76)),
    service(Udp, 161, 0.3, 0.0, Few, (80, 300)),
    service(Icmp, 0, 2.0, 0.5, Few, (84, 84)),
];

const fn service(
    protocol: Protocol,
    port: u16,
    weight: f64,
    outside: f64,
    packets: Sizes,
    bytes: (u32, u32),
) -> Service {
    Service {
        protocol,
        port,
        weight,
        outside,
        packets,
        bytes,
    }
}

/// Packets of a session by part of all sessions: straight lines between these. Half have at most 20, one
/// in ten thousand has more than a million. Nothing but sums and products, so that every host makes
/// the same of it.
const TAIL: [(f64, f64); 9] = [
    (0.0, 4.0),
    (0.25, 10.0),
    (0.5, 20.0),
    (0.75, 55.0),
    (0.9, 250.0),
    (0.99, 4_000.0),
    (0.999, 60_000.0),
    (0.9999, 1_000_000.0),
    (1.0, 8_000_000.0),
];

/// The hosts of a network, and what they do.
#[derive(Clone, Debug)]
pub struct Network {
    clients: Vec<Ipv4Addr>,
    servers: Vec<Ipv4Addr>,
    outside: Vec<Ipv4Addr>,
    services: Weights,
}

impl Network {
    /// The network of this seed.
    ///
    /// # Errors
    /// Never with the services as they are: their weights are checked.
    pub fn new(seed: Seed) -> Result<Self, NoWeights> {
        let mut stream = seed.stream("network", 0);
        let site = below(&mut stream, 256) as u8;
        let first = below(&mut stream, 200) as u8;
        let clients = (0..SUBNETS)
            .flat_map(|subnet| {
                let third = first + subnet as u8;
                (0..CLIENTS).map(move |host| Ipv4Addr::new(10, site, third, 20 + host as u8))
            })
            .collect();
        let servers = (0..SERVERS)
            .map(|host| Ipv4Addr::new(10, site, 250, 10 + host as u8))
            .collect();
        Ok(Self {
            clients,
            servers,
            outside: pools::addresses(seed, OUTSIDE),
            services: Weights::new(SERVICES.iter().map(|service| service.weight))?,
        })
    }

    /// A session.
    #[inline]
    pub fn session(&self, stream: &mut ChaCha8Rng, time: i64) -> Session {
        let service = &SERVICES[self.services.draw(stream)];
        let src_ip = popular(stream, &self.clients);
        let dst_ip = match happens(stream, service.outside) {
            true => popular(stream, &self.outside),
            false => popular(stream, &self.servers),
        };
        let (src_port, dst_port) = match service.protocol {
            // There are no ports in it.
            Icmp => (0, 0),
            // Those that Linux gives to clients.
            Tcp | Udp => (between(stream, 32_768, 60_999) as u16, service.port),
        };
        let packets = match service.packets {
            Few => 2 * between(stream, 1, 3),
            Tail => tail(unit(stream)),
        };
        let (least, most) = service.bytes;
        let bytes = u64::from(packets) * u64::from(between(stream, least, most));
        Session {
            protocol: service.protocol,
            src_ip,
            src_port,
            dst_ip,
            dst_port,
            packets,
            bytes,
            cpu_id: cpu(src_ip, dst_ip, src_port, dst_port),
            time,
        }
    }
}

/// One of the hosts: the first are asked far more often than the last.
fn popular(stream: &mut ChaCha8Rng, hosts: &[Ipv4Addr]) -> Ipv4Addr {
    let part = unit(stream);
    let index = (hosts.len() as f64 * part * part * part) as usize;
    hosts.get(index).copied().unwrap_or(Ipv4Addr::LOCALHOST)
}

fn tail(part: f64) -> u32 {
    for pair in TAIL.windows(2) {
        let ((low, few), (high, many)) = (pair[0], pair[1]);
        if part < high {
            return (few + (part - low) / (high - low) * (many - few)) as u32;
        }
    }
    TAIL[0].1 as u32
}

/// A network card spreads flows over CPUs by a hash: all packets of one come to the same.
fn cpu(src_ip: Ipv4Addr, dst_ip: Ipv4Addr, src_port: u16, dst_port: u16) -> u8 {
    let addresses = u64::from(u32::from(src_ip)) << 32 | u64::from(u32::from(dst_ip));
    let ports = u64::from(src_port) << 16 | u64::from(dst_port);
    let hash = (addresses ^ ports.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 61) as u8
}
