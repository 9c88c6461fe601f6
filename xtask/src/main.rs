//! Builds, tests and measures Tapline.
fn main() {}
