//! `tapline gen sessions`: session records at random, in the place of `log-gen`.

mod print;
mod run;
mod screen;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::{Refusal, parse_duration};
use crate::exit::UsageError;
use crate::generate::bounds::{BoundDefaults, BoundFlags, Bounds};
use crate::generate::output::Destination;
use crate::generate::sessions::words::Language;

pub use self::run::generate;

/// Where `log-gen` sends.
const API_URL: &str = "http://localhost:8000/api";
/// Records that `log-gen` makes.
const COUNT: u64 = 10;
/// How long a failed request is tried again.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) const HELP: &str = "\
Examples:
  tapline gen sessions                              ten records to http://localhost:8000/api/logs
  tapline gen sessions -d -n 50 -i 2.0              fifty every two seconds, until Ctrl-C
  tapline gen sessions -n 1000000 --batch 500 -q    in arrays
  tapline gen sessions --rate 1000 --duration 10s --sqlite ./data
  tapline gen sessions -n 1000 --seed 7 --realistic --output -
  tapline gen sessions -n 1000 --output sessions.csv --format csv --overwrite

A record has protocol, src_ip, src_port, dst_ip, dst_port, packets, bytes and cpu_id, and with
--start its timestamp too. To an API a line for each record and a summary go to stdout (-q: no
lines); the account of the run goes to stderr. SIGINT and SIGTERM end it with the requests that
are under way and say the account, with what was not sent any more; a second one stops at once.

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
    /// Write them to this new file (- for stdout), in place of an API
    #[arg(long, value_name = "FILE", conflicts_with = "api_url")]
    output: Option<PathBuf>,
    /// The file may be there: what is in it is lost
    #[arg(long, requires = "output")]
    overwrite: bool,
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
            let destination = match Destination::named(&output) {
                Destination::File(path) if !self.overwrite => Destination::New(path),
                other => other,
            };
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
