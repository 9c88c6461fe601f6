//! `tapline gen events`: logs of services with anomalies among them, in the place of OpsPulse's
//! `logs_generator` and of its server.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use crate::config::Word as _;
use crate::exit::{Exit, UsageError};
use crate::generate::bounds::{BoundDefaults, BoundFlags};
use crate::generate::events::config::{EventsConfig, FlagKey, FlagSetting, config_from_file};
use crate::generate::events::family::Destination;
use crate::generate::events::run::{Deleted, Outcome, Run};
use crate::generate::events::server::{self, Serving};
use crate::generate::stop::Stop;
use crate::generate::summary::Summary;

pub(super) const HELP: &str = "\
Examples:
  tapline gen events                                       1000 records to ./output, 100 a second
  tapline gen events -n 10000 -i 0 -o stdout | jq .message
  tapline gen events -c config/events.yaml -a 0.2 --truth truth.jsonl
  tapline gen events -o stdout --no-labels --seed 7 --start 2026-01-01T00:00:00Z -n 5000 -i 0
  tapline gen events --rate 1000 --duration 10m -f text
  tapline gen events --serve                               REST, streams and WebSocket; see /docs

Anomalies of six families come among normal records; --anomaly-rate is the share of anomalous
ones. Without --rate a batch of --batch-size records is made every --interval. Records go to files
or stdout, all else to stderr. SIGINT and SIGTERM write what was made and say the account; a second
one stops at once. config/events.yaml is the manual of all keys.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 6 the rate was not met.";

/// Flags of `tapline gen events`.
#[derive(Debug, Args)]
pub(in crate::cli) struct EventsFlags {
    #[command(flatten)]
    bounds: BoundFlags,
    /// Configuration file (YAML)
    #[arg(short, long, value_name = "FILE", help_heading = "Records")]
    config: Option<PathBuf>,
    /// Share of records that are anomalous, 0 to 1 [default: 0.05]
    #[arg(
        short,
        long,
        value_name = "SHARE",
        help_heading = "Records",
        allow_hyphen_values = true
    )]
    anomaly_rate: Option<String>,
    /// Leave out what says whether a record is an anomaly
    #[arg(long, help_heading = "Records")]
    no_labels: bool,
    /// File for the truth: which records are anomalous, and which belong together
    #[arg(long, value_name = "FILE", help_heading = "Records")]
    truth: Option<PathBuf>,
    /// Records that are written together [default: 100]
    #[arg(
        short,
        long,
        value_name = "N",
        help_heading = "Batches",
        allow_hyphen_values = true
    )]
    batch_size: Option<String>,
    /// Seconds from a batch to the next; 0: none [default: 1.0]
    #[arg(
        short,
        long,
        value_name = "SECONDS",
        help_heading = "Batches",
        allow_hyphen_values = true
    )]
    interval: Option<String>,
    /// file, stdout (also -) or both [default: file]
    #[arg(
        short,
        long,
        value_name = "WHERE",
        help_heading = "Where records go",
        allow_hyphen_values = true
    )]
    output: Option<String>,
    /// json, text or both [default: json]
    #[arg(short, long, value_name = "FORMAT", help_heading = "Where records go")]
    format: Option<String>,
    /// Folder of the files, and how their names begin [default: ./output/logs]
    #[arg(
        short = 'p',
        long,
        value_name = "PATH",
        help_heading = "Where records go"
    )]
    output_path: Option<String>,
    /// Serve records over HTTP instead: at ADDR:PORT, or PORT of 127.0.0.1 [default: 127.0.0.1:8001]
    #[arg(
        long,
        value_name = "ADDR",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:8001",
        value_parser = listen_address,
        help_heading = "Server",
        conflicts_with_all = ["count", "rate", "speedup", "dry_run", "truth", "output", "output_path"]
    )]
    serve: Option<SocketAddr>,
}

/// An address and a port; a port alone, or of `localhost`, is one of 127.0.0.1.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let of_localhost = text.strip_prefix("localhost:");
    let port = of_localhost.or_else(|| text.strip_prefix(':'));
    let port = port.unwrap_or(text);
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let of_port = port.parse().ok().filter(|_| is_number);
    of_port
        .map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)))
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "must be an address and a port like 127.0.0.1:8001, or a port".to_owned())
}

/// What `tapline gen events` is told.
#[derive(Clone, Debug, PartialEq)]
pub struct EventsArguments {
    run: Run,
    /// The file that was read.
    config: Option<PathBuf>,
    /// Where to serve, in place of a run.
    serve: Option<SocketAddr>,
    /// Write the account as one JSON document to stdout.
    json: bool,
    /// Print the configuration and stop.
    print_config: bool,
}

impl EventsFlags {
    /// The flags over the file over the defaults.
    pub(super) fn arguments(self, json: bool, quiet: bool) -> anyhow::Result<EventsArguments> {
        let flags = [
            ("--batch-size", FlagKey::BatchSize, &self.batch_size),
            ("--interval", FlagKey::Interval, &self.interval),
            ("--output", FlagKey::Destination, &self.output),
            ("--format", FlagKey::Format, &self.format),
            ("--output-path", FlagKey::FilePath, &self.output_path),
            ("--anomaly-rate", FlagKey::Probability, &self.anomaly_rate),
        ];
        let setting = |(flag, key, text): (_, _, &Option<String>)| {
            let text = text.clone()?;
            Some(FlagSetting { flag, text, key })
        };
        let flags: Vec<FlagSetting> = flags.into_iter().filter_map(setting).collect();
        let mut config = EventsConfig::default();
        match &self.config {
            Some(path) => config = config_from_file(path, &flags)?,
            None => flags.iter().try_for_each(|flag| config.set(flag))?,
        }
        if self.no_labels {
            config.output.include_labels = false;
        }
        let defaults = BoundDefaults {
            count: Some(config.generator.total_logs),
            ..BoundDefaults::default()
        };
        let bounds = self.bounds.over(defaults, quiet)?;
        config.generator.total_logs = bounds.count.unwrap_or(0);
        if bounds.start.is_some() {
            config.timestamps.start = bounds.start;
        }
        let to_stdout = config.output.destination != Destination::File;
        if json && to_stdout && self.serve.is_none() {
            return Err(UsageError(
                "--json writes the account to stdout, where the records go too: ask for files with \
                 --output file"
                    .to_owned(),
            )
            .into());
        }
        let is_stdout = |path: &PathBuf| matches!(path.to_str(), Some("-" | "stdout"));
        if self.truth.as_ref().is_some_and(is_stdout) && (to_stdout || json) {
            return Err(UsageError(
                "--truth would go to stdout, where the records or the account go: name a file"
                    .to_owned(),
            )
            .into());
        }
        Ok(EventsArguments {
            run: Run {
                config,
                has_rate: self.bounds.rate.is_some(),
                has_speedup: self.bounds.speedup.is_some(),
                bounds,
                truth: self.truth,
            },
            config: self.config,
            serve: self.serve,
            json,
            print_config: self.bounds.print_config,
        })
    }
}

/// Generates until there is enough, or serves, until told to stop.
///
/// # Errors
/// What cannot be opened, written to or listened on.
pub fn generate(arguments: &EventsArguments) -> anyhow::Result<Exit> {
    let run = &arguments.run;
    if arguments.print_config {
        return print_config(run);
    }
    if let Some(address) = arguments.serve {
        return serve(arguments, address);
    }
    let stop = Stop::on_signals();
    arguments.say(&arguments.banner());
    let (outcome, result) = run.run(&stop);
    if let Some(outcome) = &outcome {
        arguments.say(&ending(outcome));
        if outcome.deleted.files > 0 {
            arguments.say(&deleted(&outcome.deleted, run.config.output.file.max_files));
        }
        outcome.summary.say_unless(arguments.run.bounds.quiet);
    }
    result?;
    let Some(outcome) = outcome else {
        return Ok(Exit::Done);
    };
    if arguments.json {
        crate::cli::write_result(&Account {
            summary: &outcome.summary,
            anomalies: outcome.anomalies,
            deleted_files: outcome.deleted.files,
            deleted_records: outcome.deleted.records,
        })?;
    }
    Ok(outcome.summary.exit())
}

fn serve(arguments: &EventsArguments, address: SocketAddr) -> anyhow::Result<Exit> {
    let run = &arguments.run;
    server::serve(&Serving {
        config: run.config.clone(),
        seed: run.bounds.seed,
        address,
        duration: run.bounds.duration,
        quiet: run.bounds.quiet,
    })?;
    Ok(Exit::Done)
}

/// The account as JSON.
#[derive(Serialize)]
struct Account<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    /// Records that were anomalous.
    anomalies: u64,
    /// Files that rotation deleted, also of runs before.
    deleted_files: u64,
    /// Records of this run that were in them.
    deleted_records: u64,
}

impl EventsArguments {
    /// What stands before the run.
    fn banner(&self) -> String {
        let config = &self.run.config;
        let file = match &self.config {
            Some(path) => path.display().to_string(),
            None => "defaults".to_owned(),
        };
        let total = match config.generator.total_logs {
            0 => "unlimited".to_owned(),
            total => total.to_string(),
        };
        format!(
            "Config: {file}\nTotal logs: {total}\nAnomaly rate: {:.1}%\nOutput: {}\nFormat: {}\n{}\n",
            config.anomalies.probability * 100.0,
            config.output.destination.word(),
            config.output.format.word(),
            "-".repeat(50),
        )
    }

    fn say(&self, text: &str) {
        if !self.run.bounds.quiet {
            // Where stderr is gone there is nobody to tell.
            drop(io::stderr().write_all(text.as_bytes()));
        }
    }
}

fn deleted(deleted: &Deleted, kept: u32) -> String {
    let Deleted { files, records } = deleted;
    format!(
        "Rotation deleted {files} of the oldest files, with {records} records of this run: \
         output.file.max_files keeps {kept} (0: all)\n"
    )
}

fn ending(outcome: &Outcome) -> String {
    let records = outcome.summary.records;
    let how = match outcome.is_interrupted {
        true => "interrupted",
        false => "complete",
    };
    let share = outcome.anomalies as f64 / records.max(1) as f64 * 100.0;
    format!(
        "Generation {how}. Total logs generated: {records} ({} anomalous, {share:.2}%)\n",
        outcome.anomalies
    )
}

/// The keys as a file that can be fed back; what has no key stands in remarks.
fn print_config(run: &Run) -> anyhow::Result<Exit> {
    let mut text = run.config.to_yaml();
    for line in run.bounds.to_yaml().lines() {
        text += &format!("# {line}\n");
    }
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")?;
    Ok(Exit::Done)
}
