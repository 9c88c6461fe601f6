//! A run of `tapline gen sessions`: records are made, and brought to where they go.

use std::io::{self, IsTerminal as _};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;

use super::screen::Screen;
use super::{ApiArguments, COUNT, Format, SessionsArguments, SessionsTo, print};
use crate::exit::Exit;
use crate::generate::drive::{Driven, Plan, Take, drive};
use crate::generate::output::{Destination, Output};
use crate::generate::progress::Progress;
use crate::generate::schedule::Schedule;
use crate::generate::sessions::api::{ApiSender, Sent};
use crate::generate::sessions::realistic::Network;
use crate::generate::sessions::store::{SessionStore, losses};
use crate::generate::sessions::write::Form;
use crate::generate::sessions::{Clock, Model, SessionBlock, Sessions};
use crate::generate::stop::Stop;
use crate::generate::summary::Summary;

/// Lines of records that go to arrays are written so many at once.
const SHOWN_AT_ONCE: usize = 128;

/// Generates until there is enough, or until told to stop.
///
/// # Errors
/// The target is none, the store or the output cannot be opened or written to.
pub fn generate(arguments: &SessionsArguments) -> anyhow::Result<Exit> {
    if arguments.print_config {
        return print::print_config(arguments);
    }
    let bounds = &arguments.bounds;
    let stop = Stop::on_signals();
    let schedule = arguments.schedule();
    let count = arguments.count();
    let maker = arguments.maker(schedule)?;
    let mut taker = Taker::open(arguments, &stop)?;
    let begun = Instant::now();
    taker.until = bounds.until().and_then(|until| begun.checked_add(until));
    // A bar would be among the lines that are shown, or the records.
    let is_among_others = match arguments.destination {
        SessionsTo::Output(Destination::Stdout, _) => io::stdout().is_terminal(),
        _ => taker.screen.is_some(),
    };
    let is_shown = !bounds.quiet && !is_among_others;
    let mut progress = Progress::new(count, is_shown);
    let mut driven = Driven::default();
    let plan = Plan {
        schedule,
        count,
        until: bounds.until(),
        jobs: bounds.jobs,
        stop: &stop,
    };
    let result = taker.begin(count);
    let result = result.and_then(|()| drive(&maker, &plan, &mut progress, &mut driven, &mut taker));
    let ended = taker.end();
    progress.finish();
    let time = begun.elapsed().max(driven.time);
    let mut summary = Summary::new(bounds.seed, schedule, taker.records, taker.bytes, time);
    if matches!(arguments.destination, SessionsTo::Store(_)) {
        // What a database makes of records is no matter of theirs.
        summary.bytes = None;
    }
    summary.refused = taker.sent.refused;
    summary.undelivered = taker.sent.undelivered;
    summary.unsent = taker.sent.unsent;
    summary.dry_run = bounds.dry_run;
    summary.say_unless(bounds.quiet);
    result.and(ended)?;
    if arguments.json {
        crate::cli::write_result(&summary)?;
    }
    Ok(summary.exit())
}

impl SessionsArguments {
    fn schedule(&self) -> Schedule {
        match (self.bounds.schedule(), self.daemon) {
            (Schedule::Free, Some(interval)) => Schedule::Batches {
                size: self.bounds.count.unwrap_or(COUNT),
                every: Duration::from_secs_f64(interval),
            },
            (schedule, _) => schedule,
        }
    }

    /// Records in all.
    fn count(&self) -> Option<u64> {
        match self.daemon {
            Some(_) => None,
            None => self.bounds.records(),
        }
    }

    fn form(&self) -> Option<Form> {
        // Otherwise the target gives the time.
        let timestamp = self.bounds.start.is_some();
        match &self.destination {
            SessionsTo::Store(_) => None,
            SessionsTo::Output(_, Format::Csv) => Some(Form::Csv { timestamp }),
            SessionsTo::Api(_) | SessionsTo::Output(_, Format::Ndjson) => {
                Some(Form::Json { timestamp })
            }
        }
    }

    fn maker(&self, schedule: Schedule) -> anyhow::Result<Sessions> {
        let seed = self.bounds.seed;
        Ok(Sessions {
            seed,
            model: match self.realistic {
                true => Model::Realistic(Box::new(Network::new(seed)?)),
                false => Model::Uniform,
            },
            times: self.bounds.times(schedule, Timestamp::now()),
            form: self.form(),
            clock: Clock::default(),
        })
    }
}

/// Hands records to where they go, and says what is to be said of each.
struct Taker<'a> {
    arguments: &'a SessionsArguments,
    stop: &'a Stop,
    place: Place,
    /// What a person reads; `None`: nothing is shown.
    screen: Option<Screen>,
    /// Records that it took; at the end, those of them that are there.
    records: u64,
    /// Records that were left out of an array when it was time to stop.
    left: u64,
    /// When the time of the run is over.
    until: Option<Instant>,
    sent: Sent,
    bytes: u64,
    is_paced: bool,
    batch: Batch,
}

enum Place {
    /// Nothing is sent or written.
    Nowhere,
    Api(Box<ApiSender>),
    Store(Option<SessionStore>),
    Output(Output),
}

/// The batch that is being made.
#[derive(Clone, Copy, Default)]
struct Batch {
    begun: Option<Instant>,
    /// Records that were sent before it.
    sent_before: u64,
}

impl<'a> Taker<'a> {
    fn open(arguments: &'a SessionsArguments, stop: &'a Stop) -> anyhow::Result<Self> {
        let bounds = &arguments.bounds;
        let place = match &arguments.destination {
            // What is wrong is said in a dry run too.
            SessionsTo::Api(api) => {
                let settings = api.settings(stop)?;
                match bounds.dry_run {
                    true => Place::Nowhere,
                    false => {
                        let sender = ApiSender::start(settings).context("cannot send")?;
                        Place::Api(Box::new(sender))
                    }
                }
            }
            _ if bounds.dry_run => Place::Nowhere,
            SessionsTo::Store(folder) => Place::Store(Some(SessionStore::open(folder)?)),
            SessionsTo::Output(destination, _) => Place::Output(Output::open(destination)?),
        };
        Ok(Self {
            arguments,
            stop,
            place,
            screen: Screen::new(arguments),
            records: 0,
            left: 0,
            until: None,
            sent: Sent::default(),
            bytes: 0,
            is_paced: arguments.schedule() != Schedule::Free,
            batch: Batch::default(),
        })
    }

    fn begin(&mut self, count: Option<u64>) -> anyhow::Result<()> {
        if let (Place::Output(output), Some(form)) = (&mut self.place, self.arguments.form()) {
            output.write(form.header())?;
        }
        match &mut self.screen {
            Some(screen) => screen.begin(self.arguments, count),
            None => Ok(()),
        }
    }

    /// Settles all, also when something failed before, and says what came of it.
    fn end(&mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        match &mut self.place {
            Place::Nowhere => {}
            Place::Api(sender) => {
                self.sent = sender.close();
                self.sent.unsent += self.left;
                self.bytes = self.sent.bytes;
            }
            Place::Output(output) => {
                result = output.flush().map_err(Into::into);
                self.bytes = output.bytes();
                // The header may be lost too.
                self.records = self.records.saturating_sub(output.lost_lines());
            }
            Place::Store(store) => {
                if let Some(counts) = store.take().map(SessionStore::close) {
                    self.sent.stored = counts.stored;
                    self.records = counts.stored;
                    if let Some(losses) = losses(&counts) {
                        let lost = counts.lost_in_all();
                        result = Err(anyhow::anyhow!(
                            "{lost} records could not be stored: {losses}"
                        ));
                    }
                }
            }
        }
        self.say_failures();
        // A target that cannot be reached ends it early.
        let asked = self.arguments.count().filter(|_| !self.is_over());
        let (made, sent) = (self.records, self.sent.stored);
        let shown = match &mut self.screen {
            Some(screen) => screen.end(self.arguments, made, sent, asked),
            None => Ok(()),
        };
        shown.and(result)
    }

    /// Whether it is time to stop, or the time of the run is over.
    fn is_over(&self) -> bool {
        self.stop.is_told() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn say_failures(&mut self) {
        if let (Place::Api(sender), Some(screen)) = (&self.place, &mut self.screen) {
            screen.failures(sender);
        }
    }

    /// Takes records of one batch.
    fn take_some(
        &mut self,
        block: &SessionBlock,
        records: Range<usize>,
        first: u64,
    ) -> anyhow::Result<bool> {
        if !matches!(self.place, Place::Api(_)) {
            self.records += records.len() as u64;
        }
        match &mut self.place {
            Place::Nowhere => {
                self.bytes += block.lines.part(records.clone()).len() as u64;
                self.show_records(block, records, first)?;
                Ok(true)
            }
            Place::Api(_) => self.send(block, records, first),
            Place::Store(Some(store)) => Ok(store.take(block, records)),
            Place::Store(None) => Ok(false),
            Place::Output(output) => {
                output.write(block.lines.part(records))?;
                if self.is_paced {
                    output.flush()?;
                }
                Ok(true)
            }
        }
    }

    /// Shows records and sends them: one after the other, or in arrays, so many at once. The target may
    /// be slow: what is not handed over when it is time to stop is left.
    fn send(
        &mut self,
        block: &SessionBlock,
        records: Range<usize>,
        mut first: u64,
    ) -> anyhow::Result<bool> {
        let step = match &self.arguments.destination {
            SessionsTo::Api(ApiArguments { batch: Some(_), .. }) => SHOWN_AT_ONCE,
            _ => 1,
        };
        let mut start = records.start;
        let mut is_over = self.is_over();
        while start < records.end && !is_over {
            let end = records.end.min(start + step);
            self.records += (end - start) as u64;
            self.show_records(block, start..end, first)?;
            for index in start..end {
                if is_over {
                    self.left += 1;
                } else if let Place::Api(sender) = &mut self.place {
                    let number = first + (index - start) as u64;
                    sender.push(number, block.lines.part(index..index + 1));
                    is_over = self.is_over();
                }
            }
            first += (end - start) as u64;
            start = end;
            self.say_failures();
        }
        if let Some(screen) = &mut self.screen {
            screen.show()?;
        }
        let Place::Api(sender) = &mut self.place else {
            return Ok(false);
        };
        sender.flush_if_due();
        Ok(!is_over && (self.arguments.daemon.is_some() || !sender.is_down()))
    }

    /// Writes a line for each of the records to stdout, where that is wanted.
    fn show_records(
        &mut self,
        block: &SessionBlock,
        records: Range<usize>,
        first: u64,
    ) -> anyhow::Result<()> {
        match &mut self.screen {
            Some(screen) => screen.records(block, records, first),
            None => Ok(()),
        }
    }

    fn begin_batch(&mut self) -> anyhow::Result<()> {
        self.batch.begun = Some(Instant::now());
        if let Place::Api(sender) = &self.place {
            sender.try_again();
            self.batch.sent_before = sender.sent().stored;
        }
        match &mut self.screen {
            Some(screen) => screen.batch_begins(),
            None => Ok(()),
        }
    }

    fn end_batch(&mut self, size: u64, made: u64) -> anyhow::Result<()> {
        let mut all_sent = 0;
        if let Place::Api(sender) = &mut self.place {
            sender.settle();
            all_sent = sender.sent().stored;
        }
        self.say_failures();
        let begun = self.batch.begun.take();
        let seconds = begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
        let sent = all_sent - self.batch.sent_before;
        match &mut self.screen {
            Some(screen) => screen.batch_done((sent, size), seconds, (all_sent, made)),
            None => Ok(()),
        }
    }
}

impl Take<SessionBlock> for Taker<'_> {
    type Error = anyhow::Error;

    fn settle(&mut self) -> anyhow::Result<()> {
        if let Place::Api(sender) = &mut self.place {
            sender.flush();
        }
        Ok(())
    }

    fn take(
        &mut self,
        block: &SessionBlock,
        records: Range<usize>,
        first: u64,
    ) -> anyhow::Result<bool> {
        if self.arguments.daemon.is_none() {
            return self.take_some(block, records, first);
        }
        let size = self.arguments.bounds.count.unwrap_or(COUNT);
        let (mut start, mut first) = (records.start, first);
        while start < records.end {
            if first.is_multiple_of(size) || self.batch.begun.is_none() {
                self.begin_batch()?;
            }
            let left = usize::try_from(size - first % size).unwrap_or(usize::MAX);
            let end = records.end.min(start.saturating_add(left));
            let goes_on = self.take_some(block, start..end, first)?;
            first += (end - start) as u64;
            start = end;
            if !goes_on {
                return Ok(false);
            }
            if first.is_multiple_of(size) {
                self.end_batch(size, first)?;
            }
        }
        Ok(true)
    }
}
