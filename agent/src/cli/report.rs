//! `tapline report`: what logs say.

mod follow;
mod format;
mod times;

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::analysis::filter::Condition;
use crate::analysis::language::Language;
use crate::analysis::prompts::Prompt;
use crate::analysis::report::Report;
use crate::analysis::run::{Options, Outcome, Range, last_time, run};
use crate::analysis::{insight, output};
use crate::config::{Config, Word};
use crate::exit::{Exit, UsageError};
pub(super) use follow::{INTERVAL, interval};
pub(super) use format::chosen;

pub(super) const HELP: &str = "\
Examples:
  tapline report access.log
  tapline report --rotated /var/log/nginx/access.log --since 24h
  tapline report '/var/log/apache2/*.log.gz' --where 'status>=500 and path~/api'
  zcat old.gz | tapline report - --format json | jq .totals
  tapline report --db --since 1h --compare 1d
  tapline report old.log --since 1h --from-end
  tapline report access.log --format html --lang ko > report.html
  tapline report access.log --prompt anomalies
  tapline report --follow access.log --where 'status>=500'
  tapline report app.log --log-format '%h %^[%d:%t %^] \"%r\" %s %b %L' --date-format %d/%b/%Y --time-format %T

Formats are told from the lines, or named: COMBINED, COMMON, VCOMBINED, VCOMMON, W3C, CLOUDFRONT,
AWSELB, AWSALB, AWSS3, CLOUDSTORAGE, SQUID, CADDY, TRAEFIKCLF, json (Tapline's, ECS, gen events and
others), classic, simple, combined_time (microseconds behind), combined_seconds (nginx's
$request_time behind), combinedio, or a format string of GoAccess.
Fields of --where: status, bytes, latency, method, path, target, host, client, referrer, agent, level,
source, service, message, code, bot, unanswered. Operators: = != < <= > >= ~ (has it in it) !~, and, or,
not, parentheses.

Exit codes: 0 done, 1 nothing could be read, 2 wrong usage.";

/// How many lines `--format lines` shows.
const LINES: usize = 1000;
/// Lines that a report remembers.
const LAST: usize = 50;
/// Rows of lists in JSON, unless told.
const ROWS: usize = 100;
/// The word of `--format` for lines.
const SHOW_LINES: &str = "lines";
/// Threads, unless told; and on fewer CPUs, whatever was told: more bring nothing, and each takes memory.
const JOBS: usize = 4;

/// Flags of `tapline report`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReportFlags {
    /// Log files, plain, gzip or zstd; patterns like '*.log'; - for standard input
    #[arg(value_name = "FILE")]
    sources: Vec<String>,
    /// Read the rotated files of each too, the oldest first
    #[arg(long)]
    rotated: bool,
    /// Follow the files, and write the report again when they have grown
    #[arg(long, conflicts_with_all = ["db", "rotated", "compare", "prompt"])]
    follow: bool,
    /// How often: 1s, 5s, 1m
    #[arg(long, value_name = "TIME", default_value = INTERVAL, value_parser = interval, requires = "follow")]
    interval: Duration,
    /// Read the exchanges of the store [default folder: that of the configuration]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    #[expect(
        clippy::option_option,
        reason = "not given, given alone, given with a folder"
    )]
    db: Option<Option<PathBuf>>,
    /// The format of the lines: a name, or a format string of GoAccess
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// How %d and %x of a format string look: %d/%b/%Y
    #[arg(long, value_name = "FORMAT", requires = "log_format")]
    date_format: Option<String>,
    /// How %t of a format string looks: %H:%M:%S
    #[arg(long, value_name = "FORMAT", requires = "log_format")]
    time_format: Option<String>,
    /// The time zone of times that name none [default: that of this host]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Only from then on: a time like 2026-11-21T12:00:00Z or 2026-11-21, or how long ago, like 10m: before
    /// now, or with --from-end before the end of the log
    #[arg(long, value_name = "TIME", help_heading = "What is counted")]
    since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "TIME", help_heading = "What is counted")]
    until: Option<String>,
    /// Count times like 10m, and --compare, back from the last line of the log rather than from now
    #[arg(long, help_heading = "What is counted", conflicts_with_all = ["follow", "db"])]
    from_end: bool,
    /// Only what meets this condition: 'status>=500 and path~/api'
    #[arg(
        long = "where",
        value_name = "CONDITION",
        help_heading = "What is counted"
    )]
    condition: Option<String>,
    /// Compare with the time so long before (1d), or with FROM/TO
    #[arg(long, value_name = "PERIOD", help_heading = "What is counted")]
    compare: Option<String>,
    /// Threads that take lines apart; more than 4 where there are as many CPUs [default: one for each
    /// CPU, up to 4]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// How the report is written; lines: no report, but the newest 1,000 lines that are counted
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Report",
        value_parser = PossibleValuesParser::new(formats()))]
    format: String,
    /// Rows of each list [default: 20; of JSON 100]
    #[arg(long, value_name = "N", help_heading = "Report",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    top: Option<u32>,
    /// Its language [default: as LC_ALL, LC_MESSAGES or LANG say]
    #[arg(long, value_name = "LANG", help_heading = "Report",
        value_parser = PossibleValuesParser::new(Language::ALL.iter().map(|one| one.word())))]
    lang: Option<String>,
    /// Print a prompt for a language model alone, with the figures filled in
    #[arg(long, value_name = "NAME", help_heading = "Report", conflicts_with = "format",
        value_parser = PossibleValuesParser::new(Prompt::ALL.iter().map(|one| one.word())))]
    prompt: Option<String>,
    /// Leave addresses, users and secrets in prompts as they are
    #[arg(long, help_heading = "Report", requires = "prompt")]
    unmasked: bool,
}

/// The words of `--format`.
fn formats() -> Vec<&'static str> {
    let words = output::Format::ALL.iter().map(|format| format.word());
    words.chain([SHOW_LINES]).collect()
}

/// What `tapline report` is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportArguments {
    sources: Vec<String>,
    rotated: bool,
    /// How often it is written again; `None`: once.
    follow: Option<Duration>,
    db: Option<Option<PathBuf>>,
    log_format: Option<String>,
    date_format: Option<String>,
    time_format: Option<String>,
    zone: Option<String>,
    since: Option<String>,
    until: Option<String>,
    from_end: bool,
    condition: Option<String>,
    compare: Option<String>,
    jobs: Option<u16>,
    show: Show,
    top: Option<u32>,
    language: Option<Language>,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    Report(output::Format),
    Lines,
    Prompt(Prompt, bool),
}

impl ReportFlags {
    pub(in crate::cli) fn arguments(self, json: bool) -> ReportArguments {
        ReportArguments {
            sources: self.sources,
            rotated: self.rotated,
            follow: self.follow.then_some(self.interval),
            db: self.db,
            log_format: self.log_format,
            date_format: self.date_format,
            time_format: self.time_format,
            zone: self.zone,
            since: self.since,
            until: self.until,
            from_end: self.from_end,
            condition: self.condition,
            compare: self.compare,
            jobs: self.jobs,
            show: match self.prompt.and_then(|name| of_word(&name)) {
                Some(prompt) => Show::Prompt(prompt, self.unmasked),
                None if json => Show::Report(output::Format::Json),
                None => of_word(&self.format).map_or(Show::Lines, Show::Report),
            },
            top: self.top,
            language: self.lang.and_then(|name| of_word(&name)),
        }
    }
}

/// Reads logs and shows what they say.
///
/// # Errors
/// What was asked for cannot be meant, or the report cannot be written.
pub fn report(config: &Config, arguments: &ReportArguments) -> anyhow::Result<Exit> {
    let options = options(config, arguments, Timestamp::now())?;
    if let Some(interval) = arguments.follow {
        return follow::follow(&options, arguments, interval);
    }
    let Outcome { report, is_read } =
        run(&options).map_err(|error| UsageError(error.to_string()))?;
    let stdout = io::stdout();
    let style = style(arguments, stdout.is_terminal());
    let mut stdout = BufWriter::new(stdout.lock());
    if !matches!(arguments.show, Show::Report(_)) {
        for warning in &report.warnings {
            tracing::warn!("{}", warning.text);
        }
    }
    write(&report, arguments.show, &style, &mut stdout)
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")?;
    Ok(match is_read {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

/// Writes what is to be shown.
fn write(
    report: &Report,
    show: Show,
    style: &output::Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match show {
        Show::Lines => report
            .last_lines
            .iter()
            .try_for_each(|line| writeln!(out, "{line}")),
        Show::Prompt(prompt, unmasked) => {
            let insights = insight::find(report);
            let text = prompt.write(report, &insights, style.language, unmasked);
            writeln!(out, "{text}")
        }
        Show::Report(format) => {
            let insights = insight::find(report);
            output::write(report, &insights, format, style, out)
        }
    }
}

/// A terminal gets bars, and colours unless NO_COLOR is set.
fn style(arguments: &ReportArguments, is_terminal: bool) -> output::Style {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let language = arguments.language.unwrap_or_else(|| {
        let [all, messages, lang] = ["LC_ALL", "LC_MESSAGES", "LANG"].map(variable);
        Language::of_environment(|name| match name {
            "LC_ALL" => all.as_deref(),
            "LC_MESSAGES" => messages.as_deref(),
            _ => lang.as_deref(),
        })
    });
    let plain = output::Style::plain(language);
    let terminal = is_terminal && variable("TERM").is_none_or(|kind| kind != "dumb");
    let columns = variable("COLUMNS")
        .and_then(|columns| columns.to_str()?.parse().ok())
        .filter(|columns| (40..=1000).contains(columns));
    output::Style {
        terminal,
        colour: terminal && variable("NO_COLOR").is_none(),
        width: columns.unwrap_or(plain.width),
        rows: arguments.top.map_or(plain.rows, |top| top as usize),
        ..plain
    }
}

fn of_word<W: Word>(text: &str) -> Option<W> {
    W::ALL.iter().copied().find(|word| word.word() == text)
}

fn options(
    config: &Config,
    arguments: &ReportArguments,
    now: Timestamp,
) -> Result<Options, UsageError> {
    let store = arguments.db.as_ref().map(|directory| {
        directory
            .clone()
            .unwrap_or_else(|| config.store.dir.clone())
    });
    let mut sources = arguments.sources.clone();
    if sources.is_empty() && store.is_none() {
        if io::stdin().is_terminal() {
            return Err(UsageError(
                "there is nothing to read: name log files, - for standard input, or --db"
                    .to_owned(),
            ));
        }
        sources.push("-".to_owned());
    }
    let zone = match arguments.zone.as_deref() {
        None => TimeZone::system(),
        Some(name) => TimeZone::get(name).map_err(|_none| {
            UsageError(format!(
                "--zone: there is no time zone '{name}'; write one like Europe/Berlin or UTC"
            ))
        })?,
    };
    let condition = arguments
        .condition
        .as_deref()
        .map(str::parse::<Condition>)
        .transpose()
        .map_err(|error| UsageError(format!("--where: {error}")))?;
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        sources,
        rotated: arguments.rotated,
        store,
        format: arguments
            .log_format
            .as_deref()
            .map(|text| {
                let (date, time) = (&arguments.date_format, &arguments.time_format);
                chosen(text, date.as_deref(), time.as_deref())
            })
            .transpose()?,
        format_text: arguments.log_format.clone(),
        flags: flags(arguments),
        zone,
        now,
        from_end: None,
        range: Range::default(),
        before: None,
        condition,
        jobs: match arguments.jobs {
            Some(jobs) => usize::from(jobs).min(cpus.max(JOBS)),
            None => cpus.min(JOBS),
        },
        top: arguments.top.map_or(ROWS, |top| top as usize),
        last: match arguments.show {
            Show::Lines => LINES,
            _ => LAST,
        },
    };
    let mut from = now;
    if arguments.from_end {
        if options.sources.iter().any(|source| source == "-") {
            return Err(UsageError(
                "--from-end needs files: the end of standard input is known only when all was read"
                    .to_owned(),
            ));
        }
        options.from_end = last_time(&options).map_err(|error| UsageError(error.to_string()))?;
        // What is of that second too is before it.
        let end = options
            .from_end
            .map(|end| end.saturating_add(SignedDuration::from_secs(1)));
        from = end.and_then(Result::ok).unwrap_or(now);
    }
    (options.range, options.before) = times::asked(arguments, from, &options.zone)?;
    Ok(options)
}

/// The flags that a command which shows lines of the same sources needs.
fn flags(arguments: &ReportArguments) -> Vec<String> {
    let named = [
        ("--date-format", &arguments.date_format),
        ("--time-format", &arguments.time_format),
        ("--zone", &arguments.zone),
    ];
    let named = named
        .into_iter()
        .filter_map(|(flag, value)| Some(format!("{flag}={}", value.as_ref()?)));
    let rotated = arguments.rotated.then(|| "--rotated".to_owned());
    named.chain(rotated).collect()
}
