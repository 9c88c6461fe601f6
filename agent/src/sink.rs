//! Where records go. So far: log files and standard output ([`log`]).

pub mod log;
