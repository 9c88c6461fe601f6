//! `tapline watch`: follows log files and serves the dashboard over them. It captures nothing and needs
//! no privileges.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use super::back_end::until_told;
use super::report::{INTERVAL, chosen, interval};
use super::settings;
use crate::analysis::language::Language;
use crate::config::{Config, Word as _, from_word, parse_duration};
use crate::diagnostics;
use crate::exit::{Exit, UsageError};
use crate::generate::seed::Seed;
use crate::server::access;
use crate::server::api::{Api, Bounds};
use crate::server::{BackEnd, Listener, Mode, Serving};
use crate::sink::counts::Counts;
use crate::sink::sqlite::{OnFull, SqliteSettings, SqliteSink};
use crate::watch::demo::{self, Demo};
use crate::watch::engine::{Counting, Engine, Storing};
use crate::watch::kept;
use crate::watch::patterns;
use crate::watch::work::{Done, Work};

/// Where it listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:5000";

/// The configuration before anything is said.
pub(super) fn defaults() -> Config {
    let mut config = Config::default();
    config.server.listen = LISTEN.parse().ok();
    config
}

/// The file of the report unless told otherwise.
const REPORT: &str = "analysis_report.txt";

pub(super) const HELP: &str = "\
Examples:
  tapline watch /var/log/nginx/access.log
  tapline watch '/srv/logs/*.log'             also files that appear later
  tapline watch --demo                        writes a sample log and watches it
  tapline watch --lang ko --interval 10s --report - access.log

Lines that are there are read first, then what is appended; files may be rotated in every way that
logrotate knows. The dashboard is at http://127.0.0.1:5000. Requests are stored in a temporary
folder unless --data-dir names one. SIGINT and SIGTERM read what is there, write the report once
more, and end it; a second one stops at once.";

/// Flags of `tapline watch`.
#[derive(Debug, Args)]
pub(super) struct WatchFlags {
    /// Log files to follow; patterns in quotes ('logs/*.log') stand for files that appear later too
    #[arg(required_unless_present = "demo", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write a sample log too, a line every 3 s, and follow it [default: server_sample.log]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true,
        default_missing_value = demo::FILE)]
    demo: Option<PathBuf>,
    /// How often all is analysed and the report rewritten: 1s, 5s, 1m
    #[arg(long, value_name = "TIME", default_value = INTERVAL, value_parser = interval)]
    interval: Duration,
    /// File of the report; -: none
    #[arg(long, value_name = "FILE", default_value = REPORT)]
    report: PathBuf,
    /// Language of the report: en, ko [default: as LC_ALL, LC_MESSAGES or LANG say]
    #[arg(long, value_name = "LANG", value_parser = language)]
    lang: Option<Language>,
    /// The format of the lines: a name that `tapline report` knows, or a format string of GoAccess
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// How %d and %x of a format string look: %d/%b/%Y
    #[arg(long, value_name = "FORMAT", requires = "log_format")]
    date_format: Option<String>,
    /// How %t of a format string looks: %H:%M:%S
    #[arg(long, value_name = "FORMAT", requires = "log_format")]
    time_format: Option<String>,
    /// Folder of the databases, which are then kept [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Stop after this time: 500ms, 30s, 5m, 1h, 1d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
}

/// What `tapline watch` is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchArguments {
    files: Vec<PathBuf>,
    demo: Option<PathBuf>,
    interval: Duration,
    report: Option<PathBuf>,
    language: Language,
    log_format: Option<String>,
    date_format: Option<String>,
    time_format: Option<String>,
    data_dir: Option<PathBuf>,
    duration: Option<Duration>,
    insecure: bool,
    json: bool,
}

impl WatchFlags {
    /// What is no setting.
    pub(super) fn arguments(self, insecure: bool, json: bool) -> WatchArguments {
        let mut files = self.files;
        if let Some(demo) = &self.demo
            && !files.contains(demo)
        {
            files.push(demo.clone());
        }
        let of_environment = || {
            let variable = |name: &str| std::env::var_os(name);
            let set = ["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| (name, variable(name)));
            Language::of_environment(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.and_then(|(_, value)| value.as_deref())
            })
        };
        WatchArguments {
            files,
            demo: self.demo,
            interval: self.interval,
            report: Some(self.report).filter(|report| report.as_os_str() != "-"),
            language: self.lang.unwrap_or_else(of_environment),
            log_format: self.log_format,
            date_format: self.date_format,
            time_format: self.time_format,
            data_dir: self.data_dir,
            duration: self.duration,
            insecure,
            json,
        }
    }
}

fn language(text: &str) -> Result<Language, String> {
    from_word(text).map_err(|error| error.to_string())
}

/// How the lines are read.
fn counting(arguments: &WatchArguments) -> Result<Counting, UsageError> {
    let (date, time) = (&arguments.date_format, &arguments.time_format);
    let format = arguments
        .log_format
        .as_deref()
        .map(|text| chosen(text, date.as_deref(), time.as_deref()))
        .transpose()?;
    let flag = |(flag, value): (&str, &Option<String>)| Some(format!("{flag}={}", value.as_ref()?));
    Ok(Counting {
        format,
        format_text: arguments.log_format.clone(),
        flags: [("--date-format", date), ("--time-format", time)]
            .into_iter()
            .filter_map(flag)
            .collect(),
        ..Counting::default()
    })
}

/// Follows until told to stop, or until `arguments` say so.
///
/// # Errors
/// The address or the folder cannot be had, or the sample log cannot be written.
pub fn watch(config: &Config, arguments: WatchArguments) -> anyhow::Result<Exit> {
    let address = config.server.listen.ok_or_else(|| {
        let sentence = "tapline watch needs an address: server.listen must not be off";
        UsageError(sentence.to_owned())
    })?;
    let counting = counting(&arguments)?;
    patterns::check(&arguments.files).map_err(|error| UsageError(error.to_string()))?;
    let serving = Serving {
        mode: Mode::Watch,
        token: access::token(&config.server, arguments.insecure)?,
        alerts: settings::alerts(config)?,
        ..Serving::default()
    };
    let listener = Listener::bind(Some(address))?;
    let seed = Seed::draw().context("cannot draw random numbers")?;
    let demo = arguments.demo.as_deref().map(|path| {
        let demo = Demo::open(path, seed, Timestamp::now());
        demo.with_context(|| format!("cannot write the sample log {}", path.display()))
    });
    let demo = demo.transpose()?;
    // Deleted when this function ends, after the store is closed.
    let temporary = match arguments.data_dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().context("cannot make a temporary folder")?),
    };
    let folder = temporary.as_ref().map(|folder| folder.path().to_owned());
    let folder = folder
        .or_else(|| arguments.data_dir.clone())
        .unwrap_or_default();
    let now = Timestamp::now();
    let days = config.store.retain.days;
    let days = days.map(|days| kept::days(&arguments.files, &counting, days, now));
    let mut settings_of_store = settings::store_of_run(config);
    settings_of_store.retain.days = days;
    let store = SqliteSink::start(SqliteSettings {
        directory: folder.clone(),
        // What is read waits for the store.
        on_full: OnFull::Block,
        ..settings_of_store
    })?;
    let api = Api::new(store.intake(), folder, days, Bounds::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let shown = api.clone();
    let work = Work {
        engine: Engine::new(
            &arguments.files,
            counting,
            Some(Storing {
                redactor: settings::redactor(config),
                days,
            }),
            now.as_second(),
        ),
        store: Box::new(store),
        interval: arguments.interval,
        report: arguments.report.clone(),
        language: arguments.language,
        demo,
        show: Box::new(move |report, insights| shown.show_report(report, insights)),
    };
    let (stop, stopped) = channel();
    let thread = thread::Builder::new()
        .name("tapline-watch".to_owned())
        .spawn(move || work.run(&stopped))
        .context("cannot start a thread")?;
    let greet = |server: &BackEnd| greet(&arguments, server);
    let served = runtime.block_on(until_told(
        listener,
        &api,
        serving,
        arguments.duration,
        greet,
    ));
    // The thread sees that nobody is there any more.
    drop(stop);
    runtime.shutdown_background();
    let Ok((done, store)) = thread.join() else {
        anyhow::bail!("the thread that follows the files ended by a defect");
    };
    let counts = store.close();
    served?;
    end(&arguments, done, &counts)
}

/// The first line: what it follows, where it shows it, how to stop it.
fn greet(arguments: &WatchArguments, server: &BackEnd) {
    let Some(address) = server.address() else {
        return;
    };
    let files: Vec<String> = arguments
        .files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let report = match &arguments.report {
        Some(path) => format!(", the report is {}", path.display()),
        None => String::new(),
    };
    let text = format!(
        "tapline follows {}; the dashboard is at http://{address}{report}; stop with Ctrl-C (process {})",
        files.join(", "),
        std::process::id()
    );
    let text: String = text
        .chars()
        .map(|letter| match letter.is_control() {
            true => '?',
            false => letter,
        })
        .collect();
    diagnostics::tell(&format!("{text}\n"));
}

/// The result of a run.
#[derive(serde::Serialize)]
struct Outcome {
    #[serde(flatten)]
    done: Done,
    language: &'static str,
    stored: u64,
    lost: u64,
}

fn end(arguments: &WatchArguments, done: Done, counts: &Counts) -> anyhow::Result<Exit> {
    let lost = counts.lost_in_all();
    if arguments.json {
        super::write_result(&Outcome {
            done,
            language: arguments.language.word(),
            stored: counts.stored,
            lost,
        })?;
    } else {
        let mut text = format!(
            "tapline read {} lines, stored {} requests, analysed {} times",
            done.lines, counts.stored, done.analyses
        );
        if done.not_stored > 0 {
            text.push_str(&format!(
                "; {} requests are too old or in the future, and are only in the report",
                done.not_stored
            ));
        }
        if lost > 0 {
            text.push_str(&format!("; {lost} could not be stored"));
        }
        text.push('\n');
        diagnostics::tell(&text);
    }
    Ok(match lost {
        0 => Exit::Done,
        _ => Exit::Refused,
    })
}
