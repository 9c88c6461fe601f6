//! What a packet is: everything that decides, shared by the kernel programs and the agent.
//!
//! Nothing here does I/O, asks a clock or allocates. The code is written against two small traits,
//! [`packet::Packet`] (the bytes of a packet) and [`host::Host`] (where connections, counters and
//! records live), so the very same code runs inside the kernel and over capture files, tests and
//! fuzzers.
#![no_std]

pub mod classify;
pub mod connection;
mod copy;
pub mod counters;
pub mod flow;
#[cfg(any(test, feature = "frames"))]
pub mod frame;
pub mod host;
pub mod live;
pub mod observe;
pub mod packet;
pub mod record;
pub mod ring;
pub mod scratch;
pub mod search;
pub mod settings;
pub mod shared;
pub mod start;
pub mod table;
#[cfg(test)]
mod testing;
pub mod track;
