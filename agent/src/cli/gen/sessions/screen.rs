//! What a person reads on stdout while sessions go to an API: the lines that `log-gen` writes.

use std::io::{self, Write as _};
use std::ops::Range;

use anyhow::Context as _;
use jiff::Zoned;

use super::{COUNT, SessionsArguments, SessionsTo};
use crate::generate::sessions::SessionBlock;
use crate::generate::sessions::api::{ApiSender, Failed};
use crate::generate::sessions::words::Language;
use crate::generate::sessions::write::line;

/// Lines on their way to stdout.
pub(super) struct Screen {
    language: Language,
    /// A line for each record, too.
    has_records: bool,
    /// Lines for each batch, too.
    has_batches: bool,
    /// What goes to it next.
    text: Vec<u8>,
}

impl Screen {
    /// `None`: nothing is shown. Where records go elsewhere, nothing is; nor where the account goes to
    /// stdout.
    pub(super) fn new(arguments: &SessionsArguments) -> Option<Self> {
        let is_api = matches!(arguments.destination, SessionsTo::Api(_));
        let is_daemon = arguments.daemon.is_some();
        let quiet = arguments.bounds.quiet;
        (is_api && !arguments.json).then_some(Self {
            language: arguments.language,
            has_records: !quiet && !is_daemon,
            has_batches: !quiet && is_daemon,
            text: Vec::new(),
        })
    }

    /// The title, and what is going to be made.
    pub(super) fn begin(
        &mut self,
        arguments: &SessionsArguments,
        count: Option<u64>,
    ) -> anyhow::Result<()> {
        self.say(&self.language.title());
        let text = match (arguments.daemon, &arguments.destination) {
            (Some(interval), SessionsTo::Api(api)) => {
                let size = arguments.bounds.count.unwrap_or(COUNT);
                self.language.daemon_begins(size, interval, &api.url)
            }
            _ => self.language.begins(count),
        };
        self.say(&text);
        self.show()
    }

    /// A line for each of these records; the first is record `first` of the run, from 0.
    pub(super) fn records(
        &mut self,
        block: &SessionBlock,
        records: Range<usize>,
        first: u64,
    ) -> anyhow::Result<()> {
        if self.has_records {
            let sessions = block.sessions.get(records).unwrap_or_default();
            for (number, session) in (first + 1..).zip(sessions) {
                line(number, session, &mut self.text);
            }
        }
        self.show()
    }

    /// A batch begins now.
    pub(super) fn batch_begins(&mut self) -> anyhow::Result<()> {
        if self.has_batches {
            let time = Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
            self.say(&self.language.batch_begins(&time));
        }
        self.show()
    }

    /// A batch is over: what was sent of it, its size, its time; what was sent of all that was made.
    pub(super) fn batch_done(
        &mut self,
        (sent, size): (u64, u64),
        seconds: f64,
        (all_sent, made): (u64, u64),
    ) -> anyhow::Result<()> {
        if self.has_batches {
            let text = self
                .language
                .batch_done(sent, size, seconds, all_sent, made);
            self.say(&text);
        }
        self.show()
    }

    /// What failed since this was asked last, with the numbers of the records.
    pub(super) fn failures(&mut self, sender: &ApiSender) {
        let (failed, more) = sender.take_failures();
        for Failed { records, why } in failed {
            self.say(&self.language.failed(&records, &why));
        }
        if more > 0 {
            self.say(&self.language.failed_more(more));
        }
    }

    /// The end: so many were made and sent. `asked`: as many were to be made.
    pub(super) fn end(
        &mut self,
        arguments: &SessionsArguments,
        made: u64,
        sent: u64,
        asked: Option<u64>,
    ) -> anyhow::Result<()> {
        let text = match arguments.daemon {
            Some(_) => self.language.daemon_ends(made, sent),
            None if arguments.bounds.dry_run => self.language.done_dry(made),
            None => self.language.done(sent, asked.unwrap_or(made)),
        };
        self.say(&text);
        self.show()
    }

    /// Brings what was said to stdout.
    pub(super) fn show(&mut self) -> anyhow::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let shown = stdout.write_all(&self.text).and_then(|()| stdout.flush());
        self.text.clear();
        shown.context("cannot write to stdout")
    }

    fn say(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }
}
