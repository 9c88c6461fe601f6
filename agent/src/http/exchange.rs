//! Exchanges: a request and the response that answers it.

mod open;
pub mod pairing;
pub mod record;
pub mod tally;
