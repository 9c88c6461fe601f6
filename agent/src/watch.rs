//! Following log files: every line once, through rotation, truncation and compression; and a sample
//! log to try it with.

pub mod demo;
pub mod follow;
