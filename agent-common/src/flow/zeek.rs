//! What happened to a flow, in the words of Zeek's conn.log: `history` and `conn_state`.

use super::{FlowRecord, HISTORY_IN_WORD, HISTORY_MAX, seen};
use crate::counters::Protocol;

/// An event of the history. In capitals the source did it, else the destination.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Letter {
    /// `s`: a SYN without ACK; again if its sequence number is another.
    Syn = 1,
    /// `h`: a SYN with ACK; again if its sequence number is another.
    Answer = 2,
    /// `a`: a bare ACK; once.
    Ack = 3,
    /// `d`: payload; once.
    Data = 4,
    /// `f`: a FIN; again if its sequence number is another.
    Fin = 5,
    /// `r`: a RST; again if its sequence number is another.
    Reset = 6,
    /// `t`: a segment that came before; the 1st, 10th, 100th …
    Retransmitted = 7,
    /// `g`: something is missing; the 1st, 10th, 100th … time. Also where it comes later.
    Gap = 8,
    /// `w`: the receive window is closed; the 1st, 10th, 100th … time.
    ZeroWindow = 9,
    /// `i`: FIN and RST in one packet; once.
    FinAndReset = 10,
    /// `q`: SYN and FIN, or SYN and RST, in one packet; once.
    SynAndEnd = 11,
    /// `^`: the first packet was an answer; source and destination are the other way round.
    Flipped = 12,
}

/// Added to the number of a letter that the destination did.
pub(super) const BY_DESTINATION: u64 = 16;

/// Bits of one letter.
pub(super) const LETTER_BITS: u32 = 5;

/// The history as text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct History {
    text: [u8; HISTORY_MAX],
    length: usize,
}

impl History {
    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..self.length).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

/// What one side of a TCP connection did, in the terms in which Zeek thinks of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Endpoint {
    /// Nothing was seen of it, or only packets from the middle of the connection.
    Inactive,
    /// A SYN, and no answer to it.
    SynSent,
    /// A SYN and its answer.
    Established,
    /// An answer to a SYN that was not seen.
    AnswerSent,
    /// A FIN.
    Closed,
    /// A RST.
    Reset,
}

impl FlowRecord {
    /// The history: what happened in order. Of UDP only `d` and `D`, of ICMP nothing.
    #[must_use]
    pub fn history(&self) -> History {
        let mut text = [0; HISTORY_MAX];
        let mut length = 0;
        let letters = (self.history_length as usize).min(HISTORY_MAX);
        for (place, character) in text.iter_mut().enumerate().take(letters) {
            let word = self.letters[place / HISTORY_IN_WORD];
            let code = word >> ((place % HISTORY_IN_WORD) as u32 * LETTER_BITS) & 0x1f;
            let small = match code & 0xf {
                1 => b's',
                2 => b'h',
                3 => b'a',
                4 => b'd',
                5 => b'f',
                6 => b'r',
                7 => b't',
                8 => b'g',
                9 => b'w',
                10 => b'i',
                11 => b'q',
                12 => b'^',
                // Counted and not written yet: another CPU is about to.
                _ => break,
            };
            *character = if code & BY_DESTINATION == 0 {
                small.to_ascii_uppercase()
            } else {
                small
            };
            length += 1;
        }
        History { text, length }
    }

    /// How it began and ended: S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR or OTH. Of UDP
    /// SF (both sides sent) or S0, of ICMP OTH.
    #[must_use]
    pub fn conn_state(&self) -> &'static str {
        if u32::from(self.protocol) == Protocol::Udp as u32 {
            return match self.packets {
                [_, 0] => "S0",
                [0, _] => "SHR",
                _ => "SF",
            };
        }
        if u32::from(self.protocol) != Protocol::Tcp as u32 {
            return "OTH";
        }
        let source = self.state & seen::SIDE;
        let destination = self.state >> seen::SIDE_SHIFT & seen::SIDE;
        let nothing_said = self.payload == [0, 0];
        match (endpoint(source, destination), endpoint(destination, source)) {
            (Endpoint::SynSent | Endpoint::AnswerSent, Endpoint::Reset) => "REJ",
            (Endpoint::Reset, Endpoint::Reset) if nothing_said => "REJ",
            (Endpoint::Inactive, Endpoint::Reset) => "RSTRH",
            (_, Endpoint::Reset) => "RSTR",
            (Endpoint::Reset, Endpoint::Inactive) => "RSTOS0",
            (Endpoint::Reset, _) => "RSTO",
            (Endpoint::Closed, Endpoint::Closed) => "SF",
            (Endpoint::Closed, Endpoint::Inactive) => "SH",
            (Endpoint::Closed, _) => "S2",
            (Endpoint::Inactive, Endpoint::Closed) => "SHR",
            (_, Endpoint::Closed) => "S3",
            (Endpoint::SynSent, Endpoint::Inactive) => "S0",
            (Endpoint::Established, Endpoint::Established) => "S1",
            _ => "OTH",
        }
    }
}

fn endpoint(own: u64, other: u64) -> Endpoint {
    let did = |bit| own & bit != 0;
    if did(seen::RESET) {
        Endpoint::Reset
    } else if did(seen::FIN) {
        Endpoint::Closed
    } else if did(seen::SYN) {
        // Both at once is an opening too (RFC 9293, section 3.5).
        if other & (seen::ANSWER | seen::SYN) != 0 {
            Endpoint::Established
        } else {
            Endpoint::SynSent
        }
    } else if did(seen::ANSWER) {
        if other & seen::SYN != 0 {
            Endpoint::Established
        } else {
            Endpoint::AnswerSent
        }
    } else {
        Endpoint::Inactive
    }
}
