//! Why frames cannot be sent by XDP.

use crate::host::interfaces::InterfaceError;

/// Frames cannot be sent by XDP.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The build embedded no kernel programs.
    #[error("this build has no kernel programs: build it with `cargo xtask build`")]
    NotBuilt,
    /// The program cannot be loaded.
    #[error(
        "cannot load the program that sends frames by XDP (it needs root, and Linux 5.18 or later): {0}"
    )]
    Load(String),
    /// It cannot be run.
    #[error("cannot send frames by XDP: {0}")]
    Run(String),
    /// Nothing arrives.
    #[error(
        "{0} takes no frames by XDP: the other end of the cable must take them too; attach an XDP program \
         there (tapline run --attach xdp), or switch on `ethtool -K PEER gro on`"
    )]
    NotTaken(String),
    /// Nothing arrives any more.
    #[error(
        "{0} takes no frames by XDP any more: the other end of the cable stopped to take them (an XDP \
         program that went, or `ethtool -K PEER gro off`)"
    )]
    Stalled(String),
    /// The interface is not there any more.
    #[error("{0} is gone: nothing can be sent to it any more")]
    Gone(String),
    /// It, or what it leads to, was switched off.
    #[error("{0} went down, or the other end of the cable did: nothing can be sent to it any more")]
    Down(String),
    /// Nobody can say what leaves.
    #[error(
        "the packets that {0} sends cannot be counted: /proc/thread-self/net/dev does not tell them"
    )]
    NotCounted(String),
    /// The kernel does not say what became of the interface.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
}
