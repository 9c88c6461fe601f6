//! HTTP heads: what they are, and how they are found in the records of the kernel.

pub(crate) mod address;
mod chunked;
mod connection;
pub mod engine;
pub mod exchange;
mod framing;
pub mod head;
pub mod message;
mod pool;
pub mod redact;
mod side;
