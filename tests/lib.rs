//! Helpers of the end-to-end tests: network namespaces, real servers and clients, the program under
//! test, and frames written by hand.
//!
//! A helper that cannot do its work panics: a test that cannot go on has failed. What a test makes
//! (namespaces, processes, folders) is gone when the value that stands for it is dropped, also after
//! a panic. Nothing here touches an interface of the host itself.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work ends the test"
)]

pub mod support;
