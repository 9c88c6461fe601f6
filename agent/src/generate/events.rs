//! `tapline gen events`: logs of services, with anomalies among them that are known.
//!
//! ```text
//! configuration ─► model ─┐
//! seed ─► plan: where anomalies lie ─► records ─► JSON, text ─► files, stdout; truth
//!                                         └─────► server: streams, WebSocket
//! ```
//!
//! Anomalies come among normal records, not in their place, and the share of anomalous records is what
//! it is asked to be. A record agrees with itself: what its message says is what its fields have, but
//! where an anomaly of data has damaged just that.

mod anomaly;
pub mod clock;
pub mod config;
pub mod family;
mod files;
mod fill;
mod generator;
mod maker;
mod model;
mod normal;
mod plan;
mod record;
pub mod run;
mod sentence;
pub mod server;
mod truth;
mod words;

pub use files::FilesError;
