//! HTTP/1.1 load over TCP, and the target that goes with it.
//!
//! ```text
//! one URL, a list, users ─► requests ─┐
//!                                     ├─► worker (one a thread): sockets, epoll ─► answer ─► tally
//!        arrivals (when starts are due)┘                                                       │
//!                                                               report, thresholds ◄───────────┘
//! ```
//!
//! - Each thread has sockets, a schedule and an account of its own: threads meet at the end. Request `n`
//!   belongs to thread `n mod threads`, so that a seed gives the same requests however many there are.
//! - Starts are paced by the thread itself, with absolute deadlines: it sleeps until shortly before, and
//!   looks at its sockets without pause for the rest.
//! - A request allocates nothing: it is put together in memory that is used again.

pub mod answer;
pub mod arrivals;
pub mod chunks;
pub mod gate;
pub mod list;
pub mod load;
pub mod place;
pub mod report;
pub mod requests;
pub mod shown;
mod socket;
mod spins;
pub mod tally;
pub mod target;
pub mod threshold;
mod worker;
