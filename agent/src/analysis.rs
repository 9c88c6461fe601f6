//! Reading logs back.

pub mod insight;
