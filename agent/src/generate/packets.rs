//! `tapline gen packets`: frames of conversations that carry HTTP/1, of the shapes at which captures go
//! wrong, and the truth about them.
//!
//! ```text
//! shape ─► script (what is said) ─► segments (how it is cut, what happens to it) ─► frames ─► pcap file, interface
//!                 │                                │
//!                 └─────────────► truth ◄──────────┘
//! ```
//!
//! The truth is made beside the frames, by whoever decides what is said and what is left out; no reader of
//! frames has a part in it.

pub mod capture;
pub mod departed;
pub mod frame;
pub mod interface;
mod lane;
pub mod live;
pub mod maker;
pub mod run;
pub mod script;
pub mod segment;
pub mod shape;
pub mod truth;

pub use lane::{EXCHANGES_MAX, LOCAL, is_local};
