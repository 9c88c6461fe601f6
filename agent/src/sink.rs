//! Where records go: log files and standard output ([`log`]) take heads; every [`RecordSink`] takes
//! exchanges and sessions, a [`Batch`](batch::Batch) at a time: [`sqlite`] stores them, [`api`] sends
//! them on, with a [`spool`] for what cannot be sent.

use std::sync::Arc;

use batch::Batch;
use counts::Counts;

pub mod api;
pub mod batch;
pub mod counts;
pub mod fan_out;
pub mod log;
pub mod spool;
pub mod sqlite;

/// Takes exchanges and sessions and stores them, or sends them on.
///
/// A batch is shared by all sinks and copied by none: a sink holds it as long as it needs it, and
/// lets it go for the [`FanOut`](fan_out::FanOut) to fill again. All work is done by threads or
/// tasks of the sink's own; [`RecordSink::offer`] only puts the batch into a bounded queue.
pub trait RecordSink: Send {
    /// Its name in the ledger, in metrics and in messages: one lower-case word.
    fn name(&self) -> &'static str;

    /// Takes the batch, or counts all its records as lost because the queue is full. Waits only if
    /// the sink was told so at its start.
    fn offer(&mut self, batch: &Arc<Batch>);

    /// The account so far.
    fn counts(&self) -> Counts;

    /// Stores what is queued, ends the threads and gives the final account.
    fn close(self: Box<Self>) -> Counts;
}
