//! What the agent knows of the host it runs on, and what it asks of it.
//!
//! | module | question |
//! |---|---|
//! | [`interfaces`] | which interfaces are there, and which one leads to the rest of the world? |
//! | [`watch`] | what changes while we run? |
//! | [`addresses`] | is this address one of ours? |
//! | [`clock`] | what did the clock on the wall say at this kernel time? |
//! | [`privileges`] | what may we do, and how do we give up the rest? |
//! | [`doctor`] | what does this host allow, and what is to be done about what it does not? |
//! | [`shared`] | how does the hot thread see the newest answer without a lock? |
//!
//! Nothing here knows the kernel programs. Everything speaks to the network namespace of the thread
//! that calls: netlink and ioctl, not `/sys/class/net`, which shows the namespace it was mounted in.

pub mod addresses;
pub mod clock;
pub mod doctor;
mod ethtool;
pub mod interfaces;
pub mod namespace;
pub mod netlink;
pub mod privileges;
pub mod shared;
#[cfg(test)]
pub(crate) mod testing;
pub mod watch;
