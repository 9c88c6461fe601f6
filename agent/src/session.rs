//! Sessions: one record for each TCP connection, UDP flow or ICMP flow.

pub mod describe;
pub mod identifier;
pub mod record;
pub mod table;
