//! Where packets come from: the interfaces of this host, or capture files; and what becomes of them.

pub mod offline;
pub mod pcap;
pub mod writer;
