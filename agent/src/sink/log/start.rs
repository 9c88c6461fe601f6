//! How a sink begins: its queue, the thread that writes and the one that tidies up.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::clock::Clock;
use super::counts::Shared;
use super::error::LogError;
use super::files::LogWriter;
use super::folder::LiveFiles;
use super::lines::{Lines, frame};
use super::names::{Series, Topic};
use super::settings::{Format, LogSettings, OnFull, Output};
use super::stream::Stream;
use super::tidy::Tidy;
use super::writer::{Target, Writer};
use super::{LogSink, Workers, new_batch};
use crate::http::head::Kind;

impl LogSink {
    pub(super) fn start_files(settings: &LogSettings) -> Result<Self, LogError> {
        let Output::Directory(directory) = &settings.output else {
            return Self::start(settings.clone());
        };
        let zone = zone(settings);
        let live = Arc::<LiveFiles>::default();
        let stop = Arc::<AtomicBool>::default();
        let (wake, woken) = sync_channel(1);
        let today = zone.to_datetime(Timestamp::now()).date();
        let files = LogWriter::open(directory, settings.rotate, Arc::clone(&live), wake, today)?;
        if settings.live {
            for topic in topics(settings) {
                files.check(Series { topic, day: today })?;
            }
        }
        let tidy = Tidy {
            directory: directory.clone(),
            compress: settings.rotate.compress,
            retain: settings.retain,
            live,
            stop: Arc::clone(&stop),
        };
        let tidy_zone = zone.clone();
        let tidy = thread::Builder::new()
            .name("tapline-tidy".to_owned())
            .spawn(move || tidy.run(&woken, &tidy_zone))
            .map_err(|source| LogError::Thread { source })?;
        let files = files
            .framed(frame(settings.format, &zone))
            .synced(settings.sync);
        let target = Target::Files(files, directory.clone());
        Self::start_writer(settings, target, zone, Some((tidy, stop)))
    }

    pub(super) fn start_stream(settings: &LogSettings, file: File) -> Result<Self, LogError> {
        let zone = zone(settings);
        let target = Target::Stream(Stream::new(file).framed(frame(settings.format, &zone)));
        Self::start_writer(settings, target, zone, None)
    }

    fn start_writer(
        settings: &LogSettings,
        target: Target,
        zone: TimeZone,
        tidy: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
    ) -> Result<Self, LogError> {
        let has_days = matches!(target, Target::Files(..));
        let topics = match has_days {
            true => topics(settings),
            false => vec![Topic::Http],
        };
        // Those in the queue, and the one that the writer holds.
        let unmade = settings.queue_batches + 1;
        let (queue, full) = sync_channel(settings.queue_batches);
        let (give_back, empty) = sync_channel(unmade + topics.len());
        let shared = Arc::<Shared>::default();
        let target = match target {
            // Where nothing is lost by waiting, a reader that takes its time is nothing to speak of.
            Target::Stream(stream) if settings.on_full == OnFull::Drop => {
                Target::Stream(stream.watched(Arc::clone(&shared)))
            }
            other => other,
        };
        let writer = Writer {
            target,
            zone: zone.clone(),
            shared: Arc::clone(&shared),
            outage: None,
        };
        let writer = thread::Builder::new()
            .name("tapline-log".to_owned())
            .spawn(move || writer.run(&full, &give_back))
            .map_err(|source| LogError::Thread { source })?;
        let filling = topics.iter().map(|&topic| {
            new_batch(
                Series {
                    topic,
                    day: Date::ZERO,
                },
                settings.batch_bytes,
            )
        });
        Ok(Self {
            lines: Lines::new(settings, &zone),
            filling: filling.collect(),
            clock: has_days.then(|| Clock::new(zone, b' ')),
            split: has_days && is_split(settings),
            batch_bytes: settings.batch_bytes,
            on_full: settings.on_full,
            unmade,
            spare: None,
            empty,
            shared,
            workers: Some(Workers {
                queue,
                writer,
                tidy,
            }),
        })
    }
}

/// Whether each kind of head has files of its own.
fn is_split(settings: &LogSettings) -> bool {
    settings.split && matches!(settings.format, Format::Classic | Format::Json)
}

/// What has files of its own.
fn topics(settings: &LogSettings) -> Vec<Topic> {
    match settings.format {
        _ if is_split(settings) => Kind::ALL.map(Topic::kind).to_vec(),
        Format::Zeek => vec![Topic::Http, Topic::Connections],
        _ => vec![Topic::Http],
    }
}

/// The zone of the lines: what the settings name, else the system's. Where that cannot be told, UTC, and a
/// word about it.
fn zone(settings: &LogSettings) -> TimeZone {
    let system = || {
        TimeZone::try_system().unwrap_or_else(|error| {
            tracing::warn!(
                %error,
                "the time zone of this system cannot be told: times are in UTC; set TZ to a zone such as Europe/Berlin"
            );
            TimeZone::UTC
        })
    };
    settings.zone.clone().unwrap_or_else(system)
}
