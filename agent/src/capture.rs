//! Where packets come from: the interfaces of this host, or capture files; and what becomes of them.

pub mod flows;
pub mod hooks;
pub mod kernel_log;
pub mod offline;
pub mod pcap;
pub mod programs;
pub mod reader;
pub mod rings;
pub mod run_time;
pub mod writer;

mod mapped;
