//! Following log files: every line once, through rotation, truncation and compression; counted,
//! analysed, stored and shown. And a sample log to try it with.
//!
//! ```text
//! file ─► follow ─► engine ─┬─► Statistics ─► Report, every few seconds ─► analysis_report.txt, /api/report
//! demo ──────┘              └─► records ─► the store ─► the API and the dashboard
//! ```

pub mod demo;
pub mod engine;
pub mod follow;
pub mod kept;
pub mod patterns;
mod records;
pub mod work;
