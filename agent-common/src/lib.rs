//! What a packet is: everything that decides, shared by the kernel programs and the agent.
//!
//! Nothing here does I/O, asks a clock or allocates. The code is written against two small traits,
//! [`packet::Packet`] (the bytes of a packet) and `observe::Host` (where flows, counters and records
//! live), so the very same code runs inside the kernel and over capture files, tests and fuzzers.
#![no_std]

pub mod record;
