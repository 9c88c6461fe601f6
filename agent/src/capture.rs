//! Where packets come from: the interfaces of this host, or capture files.

pub mod pcap;
