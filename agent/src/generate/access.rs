//! The access log of a web shop that does not exist: users who log in, look at pages, leave full carts
//! and log out, as a state machine moves them.
//!
//! ```text
//! config ─► world (site, moves, names, agents) ──┐
//!           style (texts of lines, escaped once) ┤
//! day (when lines are due) ─► stretch ─► makers: crowd ─► hit ─► line ─► block
//!                                                                         │
//!                                 files (rotation) ◄──────────────────────┘
//!                                   └► backups (numbers, gzip in the background) ◄─ disk guard
//! ```

pub mod backups;
pub mod clock;
pub mod config;
pub mod crowd;
pub mod day;
pub mod disk;
pub mod files;
pub mod health;
pub mod hit;
pub mod line;
pub mod logs;
pub mod outcome;
pub mod run;
pub mod schema;
pub mod site;
pub mod state;
pub mod version;
pub mod work;
pub mod world;
