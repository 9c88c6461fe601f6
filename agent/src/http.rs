//! HTTP heads: what they are, and how they are found in the records of the kernel.

pub mod head;
