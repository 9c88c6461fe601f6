//! Each helper in its own file; [`Pair`] puts the usual ones together.

mod agent;
mod attached;
mod client;
mod command;
mod frame;
mod head;
mod kernel;
mod left_out;
mod namespace;
mod neighbour;
mod nginx;
mod pair;
mod raw;
mod same_records;
mod server;
mod traffic;
mod verified;
mod wait;

pub use agent::{Ended, Tapline, program};
pub use attached::{classifiers, has_tcx};
pub use client::{Answer, Connection, curl};
pub use command::{Done, Process, Program, run};
pub use frame::{Conversation, Tunnel, ethernet, internet};
pub use head::{Head, counted, heads_of, summaries};
pub use kernel::{Caps, Kernel, PROGRAMS, Program as KernelProgram, RING, Record};
pub use left_out::leave_out;
pub use namespace::Namespace;
pub use neighbour::Neighbour;
pub use nginx::Nginx;
pub use pair::{Family, Pair};
pub use raw::RawSender;
pub use same_records::{ROOMY, same_records};
pub use server::{Server, read_head};
pub use traffic::Traffic;
pub use verified::check_verified;
pub use wait::{within, within_seconds};
