//! Insights: what a person should know of the traffic in a log, each with the numbers that led to it.

pub mod changes;
pub mod robust;
pub mod series;
