//! Brings records to every sink: one batch is filled, and shared by all.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{RecordSink, batch::Batch, counts::Counts};
use crate::http::exchange::record::ExchangeRecord;
use crate::session::record::SessionRecord;

/// A batch is handed over when it holds this many records,
const RECORDS: usize = 4096;
/// this many bytes of text,
const TEXT_BYTES: usize = 1 << 20;
/// or is this old (see [`FanOut::flush_if_due`]).
const AGE: Duration = Duration::from_millis(50);

/// Fills batches and offers them to its sinks. Belongs to one thread.
///
/// The batches go round: one that no sink holds any more is filled again, so that nothing is
/// allocated once as many were made as the queues of the sinks hold.
pub struct FanOut {
    sinks: Vec<Box<dyn RecordSink>>,
    filling: Arc<Batch>,
    /// When the first record of the batch was taken.
    since: Option<Instant>,
    /// Batches that sinks hold, or held.
    others: Vec<Arc<Batch>>,
}

impl fmt::Debug for FanOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.sinks.iter().map(|sink| sink.name()).collect();
        formatter
            .debug_struct("FanOut")
            .field("sinks", &names)
            .finish_non_exhaustive()
    }
}

impl FanOut {
    /// A fan-out to these sinks, in this order. Without sinks it drops everything.
    #[must_use]
    pub fn new(sinks: Vec<Box<dyn RecordSink>>) -> Self {
        Self {
            sinks,
            filling: Arc::default(),
            since: None,
            others: Vec::new(),
        }
    }

    /// Takes a copy of the exchange for every sink.
    pub fn push_exchange(&mut self, record: &ExchangeRecord<'_>) {
        self.push(|batch| batch.push_exchange(record).is_ok());
    }

    /// Takes a copy of the session for every sink.
    pub fn push_session(&mut self, record: &SessionRecord<'_>) {
        self.push(|batch| batch.push_session(record).is_ok());
    }

    /// Offers what was taken so far when its first record was taken more than 50 ms before `now`.
    /// To be called at the end of a drain, and when there is nothing to drain.
    pub fn flush_if_due(&mut self, now: Instant) {
        if self.filling.is_empty() {
            return;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= AGE {
            self.flush();
        }
    }

    /// Offers what was taken so far to every sink.
    pub fn flush(&mut self) {
        if self.filling.is_empty() {
            return;
        }
        self.since = None;
        for sink in &mut self.sinks {
            sink.offer(&self.filling);
        }
        let empty = self.empty();
        let full = std::mem::replace(&mut self.filling, empty);
        self.others.push(full);
    }

    /// The account of each sink, with its name.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, Counts)> {
        self.sinks.iter().map(|sink| (sink.name(), sink.counts()))
    }

    /// Offers what is left, and closes the sinks. Gives the final account of each.
    #[must_use]
    pub fn close(mut self) -> Vec<(&'static str, Counts)> {
        self.flush();
        let close = |sink: Box<dyn RecordSink>| (sink.name(), sink.close());
        self.sinks.into_iter().map(close).collect()
    }

    fn push(&mut self, push: impl Fn(&mut Batch) -> bool) {
        if self.sinks.is_empty() {
            return;
        }
        // A second time into an empty batch, which has room for any record.
        for _ in 0..2 {
            let taken = Arc::get_mut(&mut self.filling).is_some_and(&push);
            let is_full = self.filling.len() >= RECORDS || self.filling.text_bytes() >= TEXT_BYTES;
            if is_full || !taken {
                self.flush();
            }
            if taken {
                return;
            }
        }
    }

    /// A batch that no sink holds, empty.
    fn empty(&mut self) -> Arc<Batch> {
        for index in 0..self.others.len() {
            if let Some(batch) = Arc::get_mut(&mut self.others[index]) {
                batch.clear();
                return self.others.swap_remove(index);
            }
        }
        Arc::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::sink::batch::samples::{exchange, session};
    use crate::sink::counts::SharedCounts;

    /// Holds the batches that it takes until it is told to let them go.
    #[derive(Clone, Default)]
    struct Holding(Arc<Mutex<Vec<Arc<Batch>>>>);

    impl RecordSink for Holding {
        fn name(&self) -> &'static str {
            "holding"
        }

        fn offer(&mut self, batch: &Arc<Batch>) {
            self.0.lock().unwrap().push(Arc::clone(batch));
        }

        fn counts(&self) -> Counts {
            let batches = self.0.lock().unwrap();
            let shared = SharedCounts::default();
            shared.add_accepted(batches.iter().map(|batch| batch.len() as u64).sum());
            shared.counts()
        }

        fn close(self: Box<Self>) -> Counts {
            self.counts()
        }
    }

    #[test]
    fn every_sink_has_every_record_and_batches_go_round() {
        let sinks = [Holding::default(), Holding::default()];
        let mut fan_out = FanOut::new(
            sinks
                .iter()
                .map(|sink| Box::new(sink.clone()) as Box<dyn RecordSink>)
                .collect(),
        );
        for _ in 0..RECORDS + 1 {
            fan_out.push_session(&session());
        }
        fan_out.push_exchange(&exchange());
        for sink in &sinks {
            assert_eq!(sink.0.lock().unwrap().len(), 1);
        }
        let first = Arc::as_ptr(&sinks[0].0.lock().unwrap()[0]);
        fan_out.flush();
        sinks[0].0.lock().unwrap().clear();
        assert_eq!(
            fan_out
                .counts()
                .map(|(_, counts)| counts.accepted)
                .sum::<u64>(),
            RECORDS as u64 + 2
        );
        // Held by the second sink still, so it is not filled again.
        assert_ne!(Arc::as_ptr(&fan_out.filling), first);
        sinks[1].0.lock().unwrap().clear();
        fan_out.push_session(&session());
        fan_out.flush();
        fan_out.push_session(&session());
        let made = fan_out.others.len() + 1;
        for _ in 0..10 {
            fan_out.flush();
            for sink in &sinks {
                sink.0.lock().unwrap().clear();
            }
            fan_out.push_session(&session());
        }
        assert_eq!(fan_out.others.len() + 1, made);
        let counts = fan_out.close();
        assert_eq!(counts.len(), 2);
        assert_eq!(counts[1].1.accepted, 1);
    }

    #[test]
    fn a_batch_is_handed_over_when_it_is_old() {
        let sink = Holding::default();
        let mut fan_out = FanOut::new(vec![Box::new(sink.clone())]);
        let start = Instant::now();
        fan_out.flush_if_due(start);
        fan_out.push_exchange(&exchange());
        fan_out.flush_if_due(start);
        fan_out.flush_if_due(start + AGE / 2);
        assert!(sink.0.lock().unwrap().is_empty());
        fan_out.flush_if_due(start + AGE);
        assert_eq!(sink.0.lock().unwrap().len(), 1);
    }
}
