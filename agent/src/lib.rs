//! Tapline: writes down every cleartext HTTP/1 exchange that a Linux host takes part in.

pub mod alerts;
pub mod analysis;
pub mod capture;
pub mod cli;
pub mod config;
pub mod diagnostics;
pub mod exit;
pub mod generate;
pub mod host;
pub mod http;
pub mod ledger;
mod pipe;
pub mod selftest;
pub mod server;
pub mod session;
pub mod sink;
pub mod store;
pub mod watch;
