//! The thread between the queue and the disk.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Release},
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    counts::{Loss, LossReason, Shared},
    files::LogWriter,
    names::Series,
    stream::Stream,
};

/// How often what is due by time alone is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Lines dropped before the queue are reported at most so often.
const FULL_REPORT: Duration = Duration::from_secs(60);

/// Lines of one series on their way to the writer. The memory goes round.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) series: Series,
    pub(super) lines: Vec<u8>,
    pub(super) records: u64,
}

/// Where the lines of a batch go.
#[derive(Debug)]
pub(super) enum Target {
    Files(LogWriter, PathBuf),
    Stream(Stream),
}

/// Takes batches from the queue until it is closed.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) target: Target,
    pub(super) zone: TimeZone,
    pub(super) shared: Arc<Shared>,
    /// What was lost since writing began to fail.
    pub(super) outage: Option<Loss>,
}

impl Writer {
    /// Gives the error of the last step, bringing all to the disk.
    pub(super) fn run(
        mut self,
        full: &Receiver<Batch>,
        empty: &SyncSender<Batch>,
    ) -> io::Result<()> {
        let mut last_tick = Instant::now();
        let mut dropped = Dropped::default();
        loop {
            match full.recv_timeout(TICK) {
                Ok(mut batch) => {
                    self.reopen_if_asked();
                    self.write(&batch);
                    batch.lines.clear();
                    batch.records = 0;
                    // The channel holds as many as there are.
                    let _given_back = empty.try_send(batch);
                }
                Err(RecvTimeoutError::Timeout) => self.reopen_if_asked(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            if now.duration_since(last_tick) >= TICK {
                last_tick = now;
                if let Target::Files(files, _) = &mut self.target {
                    files.tick(now, self.zone.to_datetime(Timestamp::now()).date());
                }
                dropped.report(&self.shared, now);
            }
        }
        match self.target {
            Target::Files(files, _) => files.close(),
            Target::Stream(mut stream) => {
                stream.end();
                Ok(())
            }
        }
    }

    fn reopen_if_asked(&mut self) {
        if self.shared.reopen.swap(false, Acquire)
            && let Target::Files(files, _) = &mut self.target
        {
            files.reopen();
        }
    }

    fn write(&mut self, batch: &Batch) {
        let lines = &batch.lines[..];
        let (done, error) = match &mut self.target {
            Target::Files(files, _) => files.write(batch.series, lines),
            Target::Stream(stream) => stream.write(lines),
        };
        let stored = if error.is_none() {
            batch.records
        } else {
            // Every line ends with its only line feed.
            memchr::memchr_iter(b'\n', &lines[..done]).count() as u64
        };
        self.shared.add_stored(stored, done as u64);
        match error {
            None => self.report_recovery(),
            Some(error) => {
                let loss = Loss {
                    records: batch.records - stored,
                    bytes: (lines.len() - done) as u64,
                };
                let reason = LossReason::of(&error);
                self.shared.add_lost(reason, loss);
                self.report_outage(&error, reason, loss);
            }
        }
    }

    fn report_outage(&mut self, error: &io::Error, reason: LossReason, loss: Loss) {
        if reason == LossReason::ReaderGone && matches!(self.target, Target::Stream(_)) {
            // Ordinary: `tapline … | head`.
            self.shared.reader_gone.store(true, Release);
            return;
        }
        let place = self.place();
        let total = self.outage.get_or_insert_with(|| {
            tracing::error!(%place, reason = reason.word(), %error, "log lines cannot be written; they are counted as lost until it works again");
            Loss::default()
        });
        total.records += loss.records;
        total.bytes += loss.bytes;
    }

    fn report_recovery(&mut self) {
        if let Some(Loss { records, bytes }) = self.outage.take() {
            let place = self.place();
            tracing::info!(%place, records, bytes, "log lines are written again; the count is of those lost");
        }
    }

    fn place(&self) -> String {
        match &self.target {
            Target::Files(_, path) => path.display().to_string(),
            Target::Stream(_) => "standard output".to_owned(),
        }
    }
}

/// Reports lines that were dropped because the queue was full.
#[derive(Debug, Default)]
struct Dropped {
    reported: u64,
    last: Option<Instant>,
}

impl Dropped {
    fn report(&mut self, shared: &Shared, now: Instant) {
        let total = shared.counts().lost(LossReason::QueueFull).records;
        let is_quiet = self
            .last
            .is_some_and(|last| now.duration_since(last) < FULL_REPORT);
        if total > self.reported && !is_quiet {
            let records = total - self.reported;
            tracing::warn!(
                records,
                "log lines were dropped: whoever takes them is slower than the traffic"
            );
            self.reported = total;
            self.last = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write,
        sync::{Mutex, mpsc::sync_channel},
    };

    use jiff::civil::date;
    use tracing::subscriber::with_default;

    use super::*;
    use crate::sink::log::{names::Topic, settings::Rotate};

    #[derive(Clone, Default)]
    struct Diagnostics(Arc<Mutex<Vec<u8>>>);

    impl Write for Diagnostics {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_outage_is_reported_once_at_its_begin_and_once_at_its_end() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("logs");
        let rotate = Rotate {
            max_bytes: None,
            max_age: None,
            compress: false,
        };
        let day = date(2019, 9, 1);
        let files =
            LogWriter::open(&folder, rotate, Arc::default(), sync_channel(1).0, day).unwrap();
        let mut writer = Writer {
            target: Target::Files(files, folder.clone()),
            zone: TimeZone::UTC,
            shared: Arc::default(),
            outage: None,
        };
        let batch = Batch {
            series: Series {
                topic: Topic::Http,
                day,
            },
            lines: b"a\nb\n".to_vec(),
            records: 2,
        };
        let diagnostics = Diagnostics::default();
        let copy = diagnostics.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || copy.clone())
            .finish();
        with_default(subscriber, || {
            for _ in 0..2 {
                writer.write(&batch);
                fs::remove_dir_all(&folder).unwrap();
                fs::write(&folder, "in the way").unwrap();
                for _ in 0..3 {
                    writer.write(&batch);
                }
                fs::remove_file(&folder).unwrap();
                writer.write(&batch);
            }
        });
        let text = String::from_utf8(diagnostics.0.lock().unwrap().clone()).unwrap();
        let count = |word: &str| text.lines().filter(|line| line.contains(word)).count();
        assert_eq!(count("ERROR"), 2, "{text}");
        assert_eq!(count("reason=\"gone\""), 2, "{text}");
        assert_eq!(count("records=6 bytes=12"), 2, "{text}");
        let counts = writer.shared.counts();
        assert_eq!((counts.stored, counts.lost_in_all().records), (8, 12));
    }
}
