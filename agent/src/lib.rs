//! Tapline: writes down every cleartext HTTP/1 exchange that a Linux host takes part in.

pub mod host;
pub mod http;
