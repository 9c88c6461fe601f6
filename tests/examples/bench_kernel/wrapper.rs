//! Programs put together by hand: the empty one that others are compared with, and one that sets a
//! few words of the connection table before it jumps to another.
//!
//! `BPF_PROG_TEST_RUN` shows a program the same frame again and again, which a program that follows
//! sequence numbers takes for a retransmission from the second time on. So the *setter* puts the
//! expected sequence number back before each run. It costs a few nanoseconds, and the same in front
//! of the empty program: the difference is the program's alone.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use crate::system_call::{self, Instruction, Kind};

/// What a setter returns that did not get to the program behind it.
pub(crate) const NOT_REACHED: u32 = 99;

/// A word to be set: where in the value of the connection table, and to what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    /// Offset in the bucket, in bytes.
    pub(crate) offset: usize,
    /// The value.
    pub(crate) value: u32,
}

/// Words of one bucket of one table.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    /// The table.
    pub(crate) table: BorrowedFd<'a>,
    /// Number of the bucket.
    pub(crate) bucket: u32,
    /// What is set in it.
    pub(crate) words: Vec<Word>,
}

/// A program that returns `value` and does nothing.
///
/// # Errors
/// What the kernel says.
pub(crate) fn empty(kind: Kind, value: u32) -> io::Result<OwnedFd> {
    system_call::load(kind, &[put(R0, value), exit()])
}

/// A setter with the program behind it.
#[derive(Debug)]
pub(crate) struct Setter {
    program: OwnedFd,
    /// The kernel empties the table when its last descriptor is closed.
    _jump_table: OwnedFd,
}

impl Setter {
    /// Makes a program that sets `words` in their maps and goes on with `next`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn new(kind: Kind, words: &[Words<'_>], next: BorrowedFd<'_>) -> io::Result<Self> {
        const MAP_LOOKUP: i32 = 1;
        /// Instructions of a look-up with the jump behind it.
        const LOOK_UP: usize = 7;
        let mut code = vec![copy(R6, R1)];
        for (number, bucket) in words.iter().enumerate() {
            code.push(store(R10, -4, bucket.bucket));
            code.extend(map(R1, bucket.table));
            code.extend([copy(R2, R10), add(R2, -4), call(MAP_LOOKUP)]);
            // To the last two instructions, behind the stores, what comes for the other tables, and the
            // five of the tail call.
            let others = words[number + 1..]
                .iter()
                .map(|other| other.words.len() + LOOK_UP);
            let behind = bucket.words.len() + others.sum::<usize>() + 5;
            code.push(if_zero(R0, behind));
            for word in &bucket.words {
                let offset = i16::try_from(word.offset)
                    .map_err(|_far| io::Error::other("an offset that no store reaches"))?;
                code.push(store(R0, offset, word.value));
            }
        }
        Self::go_on(kind, code, next)
    }

    /// Makes a program for tc that puts one of `addresses` addresses, at random, in the place of the IPv4
    /// source of a frame, and goes on with `next`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn scattered(addresses: u32, next: BorrowedFd<'_>) -> io::Result<Self> {
        const RANDOM: i32 = 7;
        /// Where `struct __sk_buff` has `data` and `data_end`.
        const DATA: [i16; 2] = [76, 80];
        const FRAME: i32 = 54;
        const SOURCE: i16 = 26;
        let code = vec![
            copy(R6, R1),
            call(RANDOM),
            // `r0 %= addresses; r0 |= 10.0.0.0`, as it lies in memory with the bytes turned.
            instruction(0x94, R0, 0, addresses.cast_signed()),
            instruction(0x44, R0, 0, 0x0a00_0000),
            instruction(0x61, R2 | R6 << 4, DATA[0], 0),
            instruction(0x61, R3 | R6 << 4, DATA[1], 0),
            copy(R4, R2),
            add(R4, FRAME),
            // Beyond the frame: to the last two instructions.
            instruction(0x2d, R4 | R3 << 4, 6, 0),
            instruction(0x63, R2 | R0 << 4, SOURCE, 0),
        ];
        Self::go_on(Kind::SchedClassifier, code, next)
    }

    /// Has `code`, which keeps its context in R6, go on with `next`.
    fn go_on(kind: Kind, mut code: Vec<Instruction>, next: BorrowedFd<'_>) -> io::Result<Self> {
        const TAIL_CALL: i32 = 12;
        let jump_table = system_call::jump_table(next)?;
        code.push(copy(R1, R6));
        code.extend(map(R2, jump_table.as_fd()));
        code.extend([put(R3, 0), call(TAIL_CALL), put(R0, NOT_REACHED), exit()]);
        Ok(Self {
            program: system_call::load(kind, &code)?,
            _jump_table: jump_table,
        })
    }

    /// The program.
    pub(crate) fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }
}

const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R3: u8 = 3;
const R4: u8 = 4;
const R6: u8 = 6;
const R10: u8 = 10;

fn instruction(code: u8, registers: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers,
        offset,
        immediate,
    }
}

/// `to = value`.
fn put(to: u8, value: u32) -> Instruction {
    instruction(0xb4, to, 0, value.cast_signed())
}

/// `to = from`.
fn copy(to: u8, from: u8) -> Instruction {
    instruction(0xbf, to | from << 4, 0, 0)
}

/// `to += number`.
fn add(to: u8, number: i32) -> Instruction {
    instruction(0x07, to, 0, number)
}

/// `*(u32 *)(to + offset) = value`.
fn store(to: u8, offset: i16, value: u32) -> Instruction {
    instruction(0x62, to, offset, value.cast_signed())
}

/// `to = map`.
fn map(to: u8, map: BorrowedFd<'_>) -> [Instruction; 2] {
    const MAP_BY_DESCRIPTOR: u8 = 1;
    [
        instruction(0x18, to | MAP_BY_DESCRIPTOR << 4, 0, map.as_raw_fd()),
        instruction(0, 0, 0, 0),
    ]
}

/// Skips `count` instructions when `register` is 0.
fn if_zero(register: u8, count: usize) -> Instruction {
    instruction(0x15, register, count as i16, 0)
}

fn call(helper: i32) -> Instruction {
    instruction(0x85, 0, 0, helper)
}

fn exit() -> Instruction {
    instruction(0x95, 0, 0, 0)
}
