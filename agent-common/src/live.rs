//! What is told to the kernel program that sends known traffic: the frames of one conversation. The program
//! sends them for one client after the other, writes the client's address and port into each and mends the
//! checksums.
//!
//! Frames are IPv4 and TCP without options or VLAN tags; in those that are given the client's port is 0 and
//! the lower half of its address 0.

/// Words of the map `LIVE`, which the agent and the program share.
pub type Live = [u32; 8];

/// The number of the next frame; the program counts on.
pub const NEXT: usize = 0;
/// The interface to which frames go.
pub const INTERFACE: usize = 1;
/// The first client.
pub const FIRST_CLIENT: usize = 2;
/// Clients at the same time: a frame for each of them, then the next frame.
pub const AT_ONCE: usize = 3;
/// Frames of the conversation.
pub const FRAMES: usize = 4;

/// Words of a frame in the map `LIVE_FRAMES`: how long it is and who receives it, the sums of its headers, its
/// bytes.
pub type LiveFrame = [u64; 2 + WORDS];

/// Words of its bytes. They are a multiple of eight, which zeros behind the packet make up for.
pub const WORDS: usize = 40;

/// Bytes of a frame at most.
pub const BYTES: usize = 8 * WORDS;

/// Frames of a conversation at most.
pub const FRAMES_MOST: usize = 16;

/// Where its length and its receiver stand: the length in the lower half, in the upper one 0 where the client
/// sends it and 1 where it is sent to the client.
pub const LENGTH: usize = 0;
/// Where the sums stand: in the lower half that of the network header, in the upper one that of the transport
/// header; each its checksum turned over, in the byte order of the host.
pub const SUMS: usize = 1;
/// Where the bytes begin.
pub const BEGIN: usize = 2;

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

/// Which frame the frame of this number is, and for which client, counted from the first.
#[inline(always)]
#[must_use]
pub const fn place(number: u32, at_once: u32, frames: u32) -> (u32, u32) {
    let turn = number / at_once;
    (turn % frames, turn / frames * at_once + number % at_once)
}

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

    #[test]
    fn every_client_has_every_frame_in_order() {
        let mut next = [0; 12];
        for number in 0..12 * 5 {
            let (frame, client) = place(number, 4, 5);
            assert_eq!(next[client as usize], frame, "{number}");
            next[client as usize] += 1;
        }
        assert_eq!(next, [5; 12]);
    }
}
