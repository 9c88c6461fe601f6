//! Tapline: writes down every cleartext HTTP/1 exchange that a Linux host takes part in.

pub mod capture;
pub mod http;
pub mod sink;
