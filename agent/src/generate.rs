//! Generators of logs: what all of them share, and each of them.
//!
//! ```text
//! seed ─► streams ─► makers (threads, a block of records each) ─► blocks in order
//!                                                                     │
//!            schedule ─► pacer (this thread, absolute deadlines) ─────┤
//!                                                                     ▼
//!                                            output, API, store ─► progress, summary
//! ```
//!
//! - The same version, seed, configuration and start give the same bytes: records are made in blocks of
//!   fixed size, each from a stream of its own, and taken in order, whatever the number of threads.
//! - A record allocates nothing: it is written behind the others of its block, into memory that is used
//!   again.
//! - A rate is kept by a plain thread with absolute deadlines. What is late is made up, in bounded bursts.

pub mod access;
pub mod blocks;
pub mod bounds;
pub mod draw;
pub mod drive;
pub mod events;
pub mod http;
pub mod output;
pub mod pace;
pub mod packets;
pub mod pools;
pub mod progress;
pub mod schedule;
pub mod seed;
pub mod sessions;
pub mod stamp;
pub mod stop;
pub mod summary;
