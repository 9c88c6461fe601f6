//! What is told to the kernel program that sends known traffic: frames of the agent's own, each for a client
//! of its own. The frame is given; the program writes the client's address and port into it and mends the
//! checksums.
//!
//! The frame is IPv4 and TCP without options or VLAN tags, its client's port 0 and the lower half of the
//! client's address 0.

/// Words of the map `LIVE`, which the agent and the program share.
pub type Live = [u32; 8];

/// The number of the next client; the program counts on.
pub const NEXT: usize = 0;
/// The interface to which frames go.
pub const INTERFACE: usize = 1;
/// 0: the client sends; 1: the client receives.
pub const TO_CLIENT: usize = 2;
/// The sum of the network header as it is given, in the byte order of the host: its checksum turned over.
pub const NETWORK_SUM: usize = 3;
/// The sum of the transport header likewise.
pub const TRANSPORT_SUM: usize = 4;

/// Clients with one address.
pub const PORTS: u32 = 1 << 15;
/// Their first port.
pub const FIRST_PORT: u16 = 20_000;

/// Clients there are: all have another address or port.
pub const CLIENTS: u32 = 1 << 31;

/// Where the lower half of the client's address and its port stand, as sender and as receiver.
pub const PLACES: [[usize; 2]; 2] = [[28, 34], [32, 36]];

/// Where the checksums of the network header and of the transport header stand.
pub const CHECKSUMS: [usize; 2] = [24, 50];

/// Bytes of all headers.
pub const HEADERS: usize = 54;

/// The lower half of the address of a client, and its port.
#[inline(always)]
#[must_use]
pub const fn client(number: u32) -> (u16, u16) {
    (
        (number / PORTS) as u16,
        FIRST_PORT + (number % PORTS) as u16,
    )
}

/// The checksum, as it lies in memory, of what has the sum `sum` without these two words, which are given as
/// they lie in memory.
#[inline(always)]
#[must_use]
pub const fn checksum(sum: u32, first: u16, second: u16) -> u16 {
    let sum = sum + first as u32 + second as u32;
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_differ_and_checksums_are_folded() {
        assert_eq!(client(0), (0, 20_000));
        assert_eq!(client(PORTS - 1), (0, 52_767));
        assert_eq!(client(PORTS), (1, 20_000));
        assert_eq!(client(CLIENTS - 1), (0xffff, 52_767));
        assert_eq!(checksum(0xffff, 0xffff, 0xffff), 0);
        assert_eq!(checksum(0xffff, 0, 1), !1);
        assert_eq!(checksum(0x1234, 1, 2), !0x1237);
    }
}
