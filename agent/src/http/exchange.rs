//! Exchanges: a request and the response that answers it.

pub mod record;
