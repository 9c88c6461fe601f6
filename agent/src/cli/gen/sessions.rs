//! `tapline gen sessions`: session records at random, in the place of `log-gen`.

use std::io::{self, IsTerminal as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::{Timestamp, Zoned};

use crate::config::{Refusal, parse_duration};
use crate::exit::{Exit, UsageError};
use crate::generate::bounds::{BoundDefaults, BoundFlags, Bounds};
use crate::generate::drive::{Driven, Plan, Take, drive};
use crate::generate::output::{Destination, Output};
use crate::generate::progress::Progress;
use crate::generate::schedule::Schedule;
use crate::generate::sessions::api::{ApiSender, SendSettings, Sent};
use crate::generate::sessions::realistic::Network;
use crate::generate::sessions::store::{SessionStore, losses};
use crate::generate::sessions::words::Language;
use crate::generate::sessions::write::{Form, line};
use crate::generate::sessions::{Clock, Model, SessionBlock, Sessions};
use crate::generate::stop::Stop;
use crate::generate::summary::Summary;
use crate::sink::api::Target;

/// Where `log-gen` sends.
const API_URL: &str = "http://localhost:8000/api";
/// Records that `log-gen` makes.
const COUNT: u64 = 10;
/// Lines of records that go to arrays are written so many at once.
const SHOWN_AT_ONCE: usize = 128;
/// How long a failed request is tried again.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) const HELP: &str = "\
Examples:
  tapline gen sessions                                      ten records to http://localhost:8000/api/logs
  tapline gen sessions -d -n 50 -i 2.0                      fifty every two seconds, until Ctrl-C
  tapline gen sessions -n 1000000 --batch 500 -q            in arrays
  tapline gen sessions --rate 1000 --duration 10s --sqlite ./data
  tapline gen sessions -n 1000 --seed 7 --realistic --output -

A record has protocol, src_ip, src_port, dst_ip, dst_port, packets, bytes and cpu_id, and with --start
its timestamp too. To an API a line for each record and a summary go to stdout (-q: no lines); the
account of the run goes to stderr. SIGINT and SIGTERM end it with the requests that are under way and
say the account, with what was not sent any more; a second one stops at once.

Exit codes: 0 done, 1 failed, 2 wrong usage, 4 the API cannot be reached, 5 part of the records was
refused, 6 the rate was not met.";

/// Flags of `tapline gen sessions`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SessionsFlags {
    #[command(flatten)]
    bounds: BoundFlags,
    /// Make a batch of --count records every --interval, without end
    #[arg(short, long, help_heading = "Batches", conflicts_with = "duration")]
    daemon: bool,
    /// Seconds from the start of a batch to that of the next [default: 1.0]
    #[arg(short, long, value_name = "SECONDS", help_heading = "Batches", value_parser = interval, allow_negative_numbers = true)]
    interval: Option<f64>,
    #[command(flatten)]
    target: TargetFlags,
    /// Make traffic of a network: services on their ports, subnets, sizes with a long tail
    #[arg(long, help_heading = "Records")]
    realistic: bool,
    /// Language of what is said: en, ko [default: as LANG says]
    #[arg(long, value_name = "LANGUAGE", help_heading = "Records")]
    lang: Option<Language>,
}

/// Where records go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where records go")]
struct TargetFlags {
    /// Address of the API; records go to URL/logs
    #[arg(long, value_name = "URL", default_value = API_URL)]
    api_url: String,
    /// Send arrays of up to so many records, in place of one record a request
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), allow_negative_numbers = true)]
    batch: Option<u32>,
    /// Requests under way at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true)]
    connections: u16,
    /// Compress arrays
    #[arg(long, requires = "batch")]
    gzip: bool,
    /// How long a request that fails is tried again [default: 5s]; 0: not at all
    #[arg(long, value_name = "TIME", value_parser = patience, allow_hyphen_values = true)]
    retry: Option<Duration>,
    /// File with the token for the API (Authorization: Bearer TOKEN)
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) that an API over https is checked against; default: the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Store them in the databases of this folder, in place of an API
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "api_url"])]
    sqlite: Option<PathBuf>,
    /// Write them to this file (- for stdout), in place of an API
    #[arg(long, value_name = "FILE", conflicts_with = "api_url")]
    output: Option<PathBuf>,
    /// How they are written
    #[arg(long, value_name = "FORMAT", requires = "output")]
    format: Option<Format>,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// A JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values, with a header.
    Csv,
}

/// What `tapline gen sessions` is told.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionsArguments {
    /// How many, how fast, from when. In batches: `count` records each.
    pub bounds: Bounds,
    /// Batches without end, this many seconds apart.
    pub daemon: Option<f64>,
    /// Where records go.
    pub destination: SessionsTo,
    /// Traffic of a network.
    pub realistic: bool,
    /// The language of what is said.
    pub language: Language,
    /// Write the account as one JSON document to stdout.
    pub json: bool,
    /// Print the configuration and stop.
    pub print_config: bool,
}

/// Where records go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SessionsTo {
    /// To an HTTP API.
    Api(ApiArguments),
    /// To the store in this folder.
    Store(PathBuf),
    /// To a file or stdout.
    Output(Destination, Format),
}

/// How records go to an HTTP API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiArguments {
    url: String,
    batch: Option<u32>,
    connections: u16,
    gzip: bool,
    patience: Duration,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

impl SessionsFlags {
    /// The flags with those of every command.
    pub(super) fn arguments(self, json: bool, quiet: bool) -> anyhow::Result<SessionsArguments> {
        let defaults = BoundDefaults {
            count: Some(COUNT),
            ..BoundDefaults::default()
        };
        let bounds = self.bounds.over(defaults, quiet)?;
        let destination = self.target.destination();
        if json && matches!(destination, SessionsTo::Output(Destination::Stdout, _)) {
            return Err(UsageError(
                "--json writes the account to stdout, where the records go too: name a file with \
                 --output"
                    .to_owned(),
            )
            .into());
        }
        if self.interval.is_some() && !self.daemon {
            let sentence = "--interval is the time between batches: it needs --daemon";
            return Err(UsageError(sentence.to_owned()).into());
        }
        if self.daemon && bounds.count.is_none() {
            let sentence = "--daemon makes batches of --count records: it must not be 0";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let environment = |name: &str| std::env::var_os(name);
        let language = self.lang.unwrap_or_else(|| {
            let kept = ["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| (name, environment(name)));
            Language::of_environment(|name| {
                let found = kept.iter().find(|(one, _)| *one == name);
                found.and_then(|(_, value)| value.as_deref())
            })
        });
        Ok(SessionsArguments {
            daemon: self.daemon.then(|| self.interval.unwrap_or(1.0)),
            bounds,
            destination,
            realistic: self.realistic,
            language,
            json,
            print_config: self.bounds.print_config,
        })
    }
}

impl TargetFlags {
    fn destination(self) -> SessionsTo {
        if let Some(folder) = self.sqlite {
            return SessionsTo::Store(folder);
        }
        if let Some(output) = self.output {
            let destination = Destination::named(&output);
            return SessionsTo::Output(destination, self.format.unwrap_or_default());
        }
        SessionsTo::Api(ApiArguments {
            url: self.api_url,
            batch: self.batch,
            connections: self.connections,
            gzip: self.gzip,
            patience: self.retry.unwrap_or(PATIENCE),
            token_file: self.token_file,
            ca_file: self.ca_file,
        })
    }
}

fn interval(text: &str) -> Result<f64, Refusal> {
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| Refusal::new("must be a number of seconds, from 0 to 86400"))
}

fn patience(text: &str) -> Result<Duration, Refusal> {
    match text {
        "0" => Ok(Duration::ZERO),
        text => parse_duration(text).map_err(|_wrong| {
            Refusal::new(
                "must be a duration like 500ms, 30s, 5m, 1h or 1d, up to 36500d; 0: not at all",
            )
        }),
    }
}

/// Generates until there is enough, or until told to stop.
///
/// # Errors
/// The target is none, the store or the output cannot be opened or written to.
pub fn generate(arguments: &SessionsArguments) -> anyhow::Result<Exit> {
    if arguments.print_config {
        return print_config(arguments);
    }
    let bounds = &arguments.bounds;
    let stop = Stop::on_signals();
    let schedule = arguments.schedule();
    let count = arguments.count();
    let maker = arguments.maker(schedule)?;
    let mut taker = Taker::open(arguments, &stop)?;
    bounds.say_seed();
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
    let mut summary = Summary::new(
        bounds.seed,
        schedule,
        taker.records,
        taker.bytes,
        begun.elapsed().max(driven.time),
    );
    summary.refused = taker.sent.refused;
    summary.undelivered = taker.sent.undelivered;
    summary.unsent = taker.sent.unsent;
    summary.dry_run = bounds.dry_run;
    summary.say();
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
    /// What goes to it next.
    text: Vec<u8>,
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

/// The lines that `log-gen` writes.
#[derive(Clone, Copy)]
struct Screen {
    language: Language,
    /// A line for each record, too.
    records: bool,
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
            SessionsTo::Store(folder) => Place::Store(Some(
                SessionStore::open(folder)
                    .with_context(|| format!("cannot store in {}", folder.display()))?,
            )),
            SessionsTo::Output(destination, _) => Place::Output(Output::open(destination)?),
        };
        let is_api = matches!(arguments.destination, SessionsTo::Api(_));
        let screen = Screen {
            language: arguments.language,
            records: !bounds.quiet && arguments.daemon.is_none(),
        };
        Ok(Self {
            arguments,
            stop,
            place,
            screen: (is_api && !arguments.json).then_some(screen),
            text: Vec::new(),
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
        let Some(Screen { language, .. }) = self.screen else {
            return Ok(());
        };
        self.say(&language.title());
        match (self.arguments.daemon, &self.arguments.destination) {
            (Some(interval), SessionsTo::Api(api)) => {
                let size = self.arguments.bounds.count.unwrap_or(COUNT);
                self.say(&language.daemon_begins(size, interval, &api.url));
            }
            _ => self.say(&language.begins(count)),
        }
        self.show()
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
        if let Some(Screen { language, .. }) = self.screen {
            let (made, sent) = (self.records, self.sent.stored);
            let text = match self.arguments.daemon {
                Some(_) => language.daemon_ends(made, sent),
                None if self.arguments.bounds.dry_run => language.done_dry(made),
                None => {
                    // A target that cannot be reached ends it early.
                    let asked = self.arguments.count().filter(|_| !self.is_over());
                    language.done(sent, asked.unwrap_or(made))
                }
            };
            self.say(&text);
        }
        self.show().and(result)
    }

    /// Whether it is time to stop, or the time of the run is over.
    fn is_over(&self) -> bool {
        self.stop.is_told() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn say(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// Brings what was said to stdout.
    fn show(&mut self) -> anyhow::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let shown = stdout.write_all(&self.text).and_then(|()| stdout.flush());
        self.text.clear();
        shown.context("cannot write to stdout")
    }

    fn say_failures(&mut self) {
        let (Place::Api(sender), Some(Screen { language, .. })) = (&self.place, self.screen) else {
            return;
        };
        let (reasons, more) = sender.take_reasons();
        for why in reasons {
            self.say(&language.failed(&why));
        }
        if more > 0 {
            self.say(&language.failed_more(more));
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
                    sender.push(block.lines.part(index..index + 1));
                    is_over = self.is_over();
                }
            }
            first += (end - start) as u64;
            start = end;
            self.say_failures();
        }
        self.show()?;
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
        if let Some(Screen { records: true, .. }) = self.screen {
            let sessions = block.sessions.get(records).unwrap_or_default();
            for (number, session) in (first + 1..).zip(sessions) {
                line(number, session, &mut self.text);
            }
        }
        self.show()
    }

    fn begin_batch(&mut self) -> anyhow::Result<()> {
        self.batch.begun = Some(Instant::now());
        if let Place::Api(sender) = &self.place {
            sender.try_again();
            self.batch.sent_before = sender.sent().stored;
        }
        if let Some(Screen { language, .. }) = self.screen.filter(|_| !self.arguments.bounds.quiet)
        {
            let time = Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
            self.say(&language.batch_begins(&time));
            self.show()?;
        }
        Ok(())
    }

    fn end_batch(&mut self, size: u64, made: u64) -> anyhow::Result<()> {
        let mut all_sent = 0;
        if let Place::Api(sender) = &mut self.place {
            sender.settle();
            all_sent = sender.sent().stored;
        }
        self.say_failures();
        let begun = self.batch.begun.take();
        if let Some(Screen { language, .. }) = self.screen.filter(|_| !self.arguments.bounds.quiet)
        {
            let seconds = begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
            let sent = all_sent - self.batch.sent_before;
            self.say(&language.batch_done(sent, size, seconds, all_sent, made));
        }
        self.show()
    }
}

impl Take<SessionBlock> for Taker<'_> {
    type Error = anyhow::Error;

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

impl ApiArguments {
    fn settings(&self, stop: &Stop) -> anyhow::Result<SendSettings> {
        let path = |path: &Option<PathBuf>| path.as_deref().map(Path::to_path_buf);
        let (token, certificates) = (path(&self.token_file), path(&self.ca_file));
        let target = Target::new(&self.url, token.as_deref(), certificates.as_deref());
        let target = target
            .map_err(|error| UsageError(format!("--api-url: {:#}", anyhow::Error::new(error))))?;
        Ok(SendSettings {
            target,
            batch: self.batch,
            connections: self.connections.into(),
            gzip: self.gzip,
            timeout: Duration::from_secs(5),
            patience: self.patience,
            stop: stop.clone(),
        })
    }
}

fn print_config(arguments: &SessionsArguments) -> anyhow::Result<Exit> {
    let mut text = arguments.bounds.to_yaml();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        text.push_str(&format!("{key}: {value}\n"));
    };
    match arguments.daemon {
        Some(interval) => {
            line("daemon", &true);
            line("interval", &format_args!("{interval:?}"));
        }
        None => line("daemon", &false),
    }
    line("realistic", &arguments.realistic);
    line(
        "lang",
        &match arguments.language {
            Language::English => "en",
            Language::Korean => "ko",
        },
    );
    // As a text in YAML, which JSON's are.
    let quoted = |path: &Path| serde_json::Value::from(path.display().to_string());
    match &arguments.destination {
        SessionsTo::Api(api) => {
            line("api_url", &serde_json::Value::from(api.url.as_str()));
            line("batch", &api.batch.unwrap_or(0));
            line("connections", &api.connections);
            line("gzip", &api.gzip);
            line("retry", &format_args!("{}ms", api.patience.as_millis()));
        }
        SessionsTo::Store(folder) => line("sqlite", &quoted(folder)),
        SessionsTo::Output(destination, format) => {
            match destination {
                Destination::Stdout => line("output", &"stdout"),
                Destination::File(path) | Destination::Append(path) => {
                    line("output", &quoted(path))
                }
            }
            line(
                "format",
                &match format {
                    Format::Ndjson => "ndjson",
                    Format::Csv => "csv",
                },
            );
        }
    }
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")?;
    Ok(Exit::Done)
}
