//! `tapline gen access`: the access log of a web shop that does not exist, in the place of
//! `access-log-generator`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::config::Refusal;
use crate::exit::{Exit, UsageError};
use crate::generate::access::config::{
    AccessConfig, Environment, Found, LineFormat, Pattern, Source, Wrong, find, print,
};
use crate::generate::access::run::{self, DayBefore, Pace, Plan, To, say};
use crate::generate::access::schema::Schemas;
use crate::generate::access::version;
use crate::generate::bounds::{BoundDefaults, BoundFlags, Bounds};
use crate::generate::stop::Stop;

/// A dry run for which nobody says how long it is makes the lines of so long.
const DRY: Duration = Duration::from_secs(86_400);

pub(super) const HELP: &str = "\
Examples:
  tapline gen access                                 to /var/log/app, as the shipped file says
  tapline gen access config.yaml --log-dir ./logs
  tapline gen access --rate 100 --duration 10s --format json --output - | jq .status
  tapline gen access --start -7d --output - > week.log     the last seven days, as fast as it goes
  LOG_GENERATOR_CONFIG_YAML_B64=$(base64 < config.yaml) tapline gen access

Writes access.log, error.log and system.log; config/access.yaml is the manual of all keys. What
wins: flags, then RATE_OVERRIDE and LOG_DIR_OVERRIDE, then the file that is named, else the
configuration in LOG_GENERATOR_CONFIG_YAML_B64, _YAML or _PATH, else the shipped one. GET /health
and GET /ready answer on 127.0.0.1:8080 while lines go to files. With --start and without --rate,
lines of the configured rate are made as fast as it goes, until now or as many as --count and
--duration say; so they are with --dry-run alone, from now on, those of a day. SIGINT and SIGTERM
write what was made and say the account; a second one stops at once.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 6 the rate was not met.";

/// Flags of `tapline gen access`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AccessFlags {
    /// Configuration file
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the log files
    #[arg(long, value_name = "DIR", visible_alias = "log-dir-override")]
    log_dir: Option<PathBuf>,
    /// - or stdout: lines of access.log alone to stdout, in place of files
    #[arg(long, value_name = "-", value_parser = output, conflicts_with = "log_dir")]
    output: Option<()>,
    /// How a line looks: common, combined, vhost_combined, combined_time, json, w3c, simple
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<LineFormat>,
    /// Write the lines of the 24 hours before the start first
    #[arg(long)]
    pre_warm: bool,
    /// daily: --rate is multiplied as traffic_patterns says; level: it is not [default: daily; level
    /// where --rate is given and no configuration]
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<DayPattern>,
    /// Where GET /health and GET /ready are answered; off: nowhere
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen)]
    listen: Option<Listen>,
    /// Say what the logs look like, and stop
    #[arg(long, value_name = "FORM")]
    schema: Option<Form>,
    /// Say the version, and stop
    #[arg(long)]
    version: bool,
    /// Stop before anything is read or written
    #[arg(long)]
    exit: bool,
    #[command(flatten)]
    bounds: BoundFlags,
}

/// Whether the rate changes over the day.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum DayPattern {
    Daily,
    Level,
}

/// How a description of the logs is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Form {
    Json,
    Markdown,
}

/// Where to listen; `None`: nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Listen(Option<SocketAddr>);

/// What `tapline gen access` is told.
#[derive(Clone, Debug, PartialEq)]
pub enum AccessArguments {
    /// To write this to stdout.
    Say(String),
    /// To make lines.
    Run(Box<AccessRun>),
}

/// Lines that are to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessRun {
    /// What is to be done.
    plan: Plan,
    /// What should be written otherwise in the configuration.
    warnings: Vec<Wrong>,
    /// Write the account as one JSON document to stdout.
    json: bool,
}

impl AccessFlags {
    /// The flags with those of every command, the environment and the configuration.
    pub(super) fn arguments(self, json: bool, quiet: bool) -> anyhow::Result<AccessArguments> {
        if self.version {
            let text = version::text(|name| std::env::var_os(name));
            return Ok(AccessArguments::Say(text));
        }
        if self.exit {
            let text = "Exiting after pre-caching dependencies...\n".to_owned();
            return Ok(AccessArguments::Say(text));
        }
        if let Some(form) = self.schema {
            let schemas = Schemas::new(self.format.unwrap_or(LineFormat::Combined));
            return Ok(AccessArguments::Say(match form {
                Form::Json => serde_json::to_string_pretty(&schemas)? + "\n",
                Form::Markdown => schemas.to_markdown(),
            }));
        }
        self.run(&Environment::new(std::env::vars_os()), json, quiet)
    }

    fn run(
        self,
        environment: &Environment,
        json: bool,
        quiet: bool,
    ) -> anyhow::Result<AccessArguments> {
        let found = find(self.config.as_deref(), environment);
        let Found {
            source,
            mut config,
            mut warnings,
            is_free,
        } = found.map_err(|wrong| UsageError(wrong.to_string()))?;
        warnings.extend(self.losers(environment));
        self.change(&mut config, &source);
        let mut bounds = self.bounds.over(BoundDefaults::default(), quiet)?;
        // Times of lines are nanoseconds in 64 bits.
        let is_told = |start: &Timestamp| {
            (1678..=2261).contains(&start.to_zoned(jiff::tz::TimeZone::UTC).year())
        };
        if !bounds.start.as_ref().is_none_or(is_told) {
            let sentence = "--start must be of the years 1678 to 2261";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let is_bound = self.bounds.count.is_some() || self.bounds.duration.is_some();
        if bounds.dry_run && self.bounds.rate.is_none() && bounds.start.is_none() && !is_free {
            // The lines that would come from now on, without waiting for them.
            bounds.start = Some(Timestamp::now());
            bounds.duration = bounds.duration.or_else(|| (!is_bound).then_some(DRY));
        }
        let to = match (bounds.dry_run, self.output) {
            (true, _) => To::Nowhere,
            (false, Some(())) => To::Stdout,
            (false, None) => To::Files,
        };
        if json && to == To::Stdout {
            let sentence = "--json writes the account to stdout, where the lines go too: name a folder \
                            with --log-dir";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let pace = match (self.bounds.rate, bounds.start) {
            (Some(rate), _) if rate > 0.0 => Pace::Rate(rate),
            (None, None) if !is_free => Pace::Rate(config.output.rate),
            _ => Pace::Free,
        };
        let health = &config.output.health;
        let configured = (to == To::Files && health.enabled)
            .then(|| SocketAddr::from((health.address, health.port)));
        let plan = Plan {
            to,
            pace,
            count: bounds.count,
            duration: self.duration(&bounds, pace)?,
            start: bounds.start,
            speedup: bounds.speedup,
            seed: bounds.seed,
            jobs: bounds.jobs,
            listen: self.listen.map_or(configured, |Listen(address)| address),
            is_quiet: quiet,
            config,
        };
        if self.bounds.print_config {
            let is_level = match self.bounds.rate {
                Some(rate) => rate > 0.0,
                None => !is_free,
            };
            bounds.rate = is_level.then_some(plan.config.output.rate);
            let told = bounds.to_yaml();
            let mut told: String = told.lines().map(|line| format!("# {line}\n")).collect();
            if !is_level {
                told += "# As fast as it goes: that is --rate 0 or RATE_OVERRIDE=0, which no file can \
                         say. Feed this back\n# with one of them; output.rate below is what they go \
                         over.\n";
            }
            let text = format!("# From {source}.\n{told}{}", print(&plan.config));
            for warning in &warnings {
                run::warn(quiet, &warning.to_string());
            }
            return Ok(AccessArguments::Say(text));
        }
        Ok(AccessArguments::Run(Box::new(AccessRun {
            plan,
            warnings,
            json,
        })))
    }

    /// Variables that a flag goes over.
    fn losers(&self, environment: &Environment) -> Vec<Wrong> {
        let is_rate = environment.rate.is_some() && self.bounds.rate.is_some();
        let is_folder = environment.directory.is_some();
        let all = [
            (is_rate, "RATE_OVERRIDE is set, but --rate wins"),
            (
                is_folder && self.log_dir.is_some(),
                "LOG_DIR_OVERRIDE is set, but --log-dir wins",
            ),
            (
                is_folder && self.output.is_some(),
                "LOG_DIR_OVERRIDE is set, but lines go to stdout: --output wins",
            ),
        ];
        let lost = all.into_iter().filter(|(is_lost, _)| *is_lost);
        lost.map(|(_, sentence)| Wrong::new(sentence)).collect()
    }

    /// How long: where lines of the past are made as fast as it goes and nothing is said, until now.
    fn duration(&self, bounds: &Bounds, pace: Pace) -> Result<Option<Duration>, UsageError> {
        let is_bound = self.bounds.count.is_some()
            || self.bounds.duration.is_some()
            || bounds.duration.is_some();
        let Some(start) = bounds.start.filter(|_| pace == Pace::Free && !is_bound) else {
            return Ok(bounds.duration);
        };
        let since = Duration::try_from(Timestamp::now().duration_since(start));
        match since {
            Ok(since) => Ok(Some(since)),
            Err(_) => Err(UsageError(
                "--start is in the future: say how many lines (--count) or how long (--duration)"
                    .to_owned(),
            )),
        }
    }

    /// Puts the flags over the configuration.
    fn change(&self, config: &mut AccessConfig, source: &Source) {
        let output = &mut config.output;
        if let Some(folder) = &self.log_dir {
            output.directory.clone_from(folder);
        }
        if let Some(format) = self.format {
            output.format = format;
        }
        output.pre_warm |= self.pre_warm;
        let rate = self.bounds.rate.filter(|rate| *rate > 0.0);
        if let Some(rate) = rate {
            output.rate = rate;
        }
        let pattern = self.pattern.unwrap_or(match (source, rate) {
            (Source::Shipped, Some(_)) => DayPattern::Level,
            _ => DayPattern::Daily,
        });
        if pattern == DayPattern::Level {
            config.traffic.patterns = vec![Pattern::from((0, 24, 1.0))];
        }
    }
}

fn output(text: &str) -> Result<(), Refusal> {
    match text {
        "-" | "stdout" => Ok(()),
        _ => Err(Refusal::new(
            "must be - or stdout; --log-dir names the folder of the log files",
        )),
    }
}

fn format(text: &str) -> Result<LineFormat, Refusal> {
    LineFormat::from_name(text).ok_or_else(|| {
        let names = LineFormat::ALL.map(LineFormat::name).join(", ");
        Refusal::new(format!("must be one of {names}"))
    })
}

fn listen(text: &str) -> Result<Listen, Refusal> {
    if text == "off" {
        return Ok(Listen(None));
    }
    match text.parse() {
        Ok(address) => Ok(Listen(Some(address))),
        Err(_) => Err(Refusal::new(
            "must be an address and a port, like 127.0.0.1:8080 or [::1]:8080, or off",
        )),
    }
}

/// Makes lines until there are enough, or until told to stop.
///
/// # Errors
/// A file cannot be opened or written to, or the port of the health check is taken.
pub fn generate(arguments: AccessArguments) -> anyhow::Result<Exit> {
    let asked = match arguments {
        AccessArguments::Say(text) => {
            let mut stdout = io::stdout().lock();
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush())
                .context("cannot write to stdout")?;
            return Ok(Exit::Done);
        }
        AccessArguments::Run(asked) => asked,
    };
    let AccessRun {
        plan,
        warnings,
        json,
    } = *asked;
    let stop = Stop::on_signals();
    for warning in &warnings {
        run::warn(plan.is_quiet, &warning.to_string());
    }
    let (done, result) = run::run(&plan, &stop, || {
        if !plan.is_quiet {
            greet(&plan);
        }
    })?;
    if !plan.is_quiet {
        if done.deleted_files > 0 {
            say(&format!(
                "tapline: rotation deleted {} of the oldest files of access.log, with {} lines of this \
                 run: output.log_rotation.backup_count keeps {} (0: all)",
                done.deleted_files, done.deleted_lines, plan.config.output.rotation.backup_count
            ));
        }
        if let Some(before) = done.day_before {
            let DayBefore {
                records,
                bytes,
                seconds,
            } = before;
            say(&format!(
                "tapline: the 24 hours before the start: {records} records, {bytes} bytes, {seconds:.3} s"
            ));
        }
        say(&format!(
            "Shutdown complete. Total logs generated: {}",
            done.records()
        ));
    }
    done.summary.say_unless(plan.is_quiet);
    result?;
    if json {
        super::super::write_result(&done)?;
    }
    Ok(done.summary.exit())
}

/// What is to be done, in one line.
fn greet(plan: &Plan) {
    let output = &plan.config.output;
    let place = match plan.to {
        To::Files => folder(&output.directory),
        To::Stdout => "stdout".to_owned(),
        To::Nowhere => "nowhere (a dry run)".to_owned(),
    };
    let rate = match (plan.multiplier(), plan.start) {
        (1.0, _) => String::new(),
        (multiplier, None) => format!(" x {multiplier} now"),
        (multiplier, Some(_)) => format!(" x {multiplier} at the start"),
    };
    let rate = match (plan.pace, plan.start) {
        (Pace::Rate(number), _) => format!("{number} lines/s{rate}"),
        (Pace::Free, Some(_)) => {
            let number = output.rate;
            format!("the lines of {number} lines/s{rate}, as fast as it goes")
        }
        (Pace::Free, None) => "as fast as it goes".to_owned(),
    };
    let format = output.format.name();
    say(&format!(
        "tapline: {format} lines to {place}, {rate}; stop with Ctrl-C (process {})",
        std::process::id()
    ));
}

fn folder(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.display().to_string()
}
