//! HTTP heads: what they are, and how they are found in the records of the kernel.

mod chunked;
mod connection;
pub mod engine;
pub mod exchange;
mod framing;
pub mod head;
pub mod message;
mod pool;
mod side;
