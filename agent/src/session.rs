//! Sessions: one record for each TCP connection, UDP flow or ICMP flow.

pub mod identifier;
pub mod record;
