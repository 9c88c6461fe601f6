//! Packets as each hook presents them.

pub(crate) mod live;
pub(crate) mod sk_buff;
pub(crate) mod tc;
pub(crate) mod xdp;
