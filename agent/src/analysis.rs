//! Reading logs back: what they say, and what matters in it.

pub mod template;
