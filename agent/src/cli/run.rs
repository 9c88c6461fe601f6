//! `tapline run`: capture on the interfaces of this host.
//!
//! Order matters: check privileges, load and attach, give up privileges, and only then start threads
//! (privileges belong to threads). At the end: detach, take what is left in the rings, read the
//! counters, say what was seen and what was lost.

mod ending;
mod greeting;
mod losses;
mod signals;
mod sinks;
mod status;
mod targets;

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::settings;
use crate::alerts;
use crate::capture::hooks::Hooks;
use crate::capture::programs::{self, ProgramSettings, Programs};
use crate::capture::reader::{Finished, KernelEnd, Reader};
use crate::capture::run_time::RunTimes;
use crate::capture::writer::{Exchanges, Local, Wall, Writer};
use crate::config::{
    Attach, Config, Level, LogFormat, LogOutput, Loopback, ServerConfig, StoreConfig,
};
use crate::diagnostics;
use crate::exit::{Exit, UsageError};
use crate::host::addresses::AddressKeeper;
use crate::host::clock::{self, ClockKeeper};
use crate::host::privileges::{self, Capability, Hook, User};
use crate::host::watch::{Event, Watcher};
use crate::http::engine::{Engine, Limits};
use crate::http::exchange::pairing::{Limits as PairingLimits, Pairing};
use crate::ledger::{Ledger, Moment, Taken};
use crate::selftest::keep;
use crate::server::access;
use crate::server::api::Api;
use crate::server::{Listener, Mode, Server, ServerError, Serving};
use crate::sink::fan_out::FanOut;
use crate::sink::log::{LogHandle, LogSink, is_own_file, make_folder};
use crate::sink::sqlite::folder as store_folder;
use ending::{Ending, Waiting};
use greeting::greet;
use signals::{Signals, Told};
use sinks::{Account, Sinks};
use status::Status;
use targets::Targets;

/// What `tapline run` is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunArguments {
    /// Stop after this time; `None`: when told to.
    pub duration: Option<Duration>,
    /// Stop after this many packets; `None`: when told to.
    pub packets: Option<u64>,
    /// Let everyone ask who reaches the address of the server.
    pub insecure: bool,
    /// Write the result as one JSON document to stdout when it ends. Lines go elsewhere then.
    pub json: bool,
}

/// Captures until told to stop, or until `arguments` say so.
///
/// # Errors
/// Capture cannot begin, or cannot go on.
pub fn run(config: Config, arguments: RunArguments) -> anyhow::Result<Exit> {
    let attach = possible(config.capture.attach)?;
    let mut targets = Targets::new(&config.capture.interfaces)?;
    // Before privileges are given up: the token may be for root's eyes.
    let to_api = settings::api_of_run(&config)?;
    // Before privileges are given up, because of ports below 1024; before anything is attached,
    // because of ports that are taken.
    let serving = Serving {
        mode: Mode::Run,
        token: access::token(&config.server, arguments.insecure)?,
        alerts: settings::alerts(&config)?,
        ..Serving::default()
    };
    let listener = listener(config.server.listen)?;
    let takes_sessions =
        config.store.enabled || to_api.is_some() || config.log.format == LogFormat::Zeek;
    let idle = settings::idle_limits(&config, takes_sessions);
    let (programs, kernel) = Programs::load(&ProgramSettings {
        ring: config.capture.ring,
        flows: config.capture.flows,
        sessions: idle,
        head_bytes: config.capture.head_bytes,
        ports: config.capture.ports.clone(),
        nets: config.capture.nets.clone(),
        verbose: matches!(config.diagnostics.level, Level::Debug | Level::Trace),
    })?;
    let mut hooks = Hooks::new(programs, attach, config.capture.xdp_mode);
    targets.attach_present(&mut hooks)?;
    give_up_privileges(&config, attach)?;
    release_memory();

    let sink = LogSink::start(settings::log_of_run(&config))?;
    let sinks = Sinks::start(&config, to_api)?;
    if programs_count_for_nobody(&config, &kernel, &sinks) {
        tracing::warn!(
            "sessions are counted in the kernel, and nobody takes their records; --no-sessions spares the work, another --data-dir stores them"
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ledger = runtime.block_on(capture(
        &config, &arguments, hooks, targets, kernel, sink, sinks, listener, serving,
    ))?;
    // What searches of the store still do is of no use to anybody.
    runtime.shutdown_background();
    if arguments.json {
        super::write_result(&ledger)?;
    }
    Ok(if ledger.failed() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "all that was made with privileges, handed over once"
)]
async fn capture(
    config: &Config,
    arguments: &RunArguments,
    mut hooks: Hooks,
    mut targets: Targets,
    kernel: KernelEnd,
    sink: LogSink,
    sinks: Sinks,
    listener: Listener,
    serving: Serving,
) -> anyhow::Result<Ledger> {
    let log = sink.handle();
    let (addresses, local) = AddressKeeper::new(config.capture.local.clone())?;
    let (mut clock, wall) = ClockKeeper::new()?;
    let (mut watcher, interfaces) = Watcher::new()?;
    let mut signals = Signals::new()?;
    let mut writer = Writer::new(
        sink,
        Local::Current(local),
        Wall::Monotonic(wall),
        config.capture.loopback == Loopback::Both,
        settings::redactor(config),
    );
    let Sinks {
        records,
        accounts,
        api,
    } = sinks;
    if !records.is_empty() || config.log.format != LogFormat::Classic {
        let limits = PairingLimits {
            tick_ns: clock::coarse_tick_ns(),
            ..PairingLimits::default()
        };
        let run = programs::random()?;
        writer = writer.with_exchanges(Exchanges::new(
            Pairing::new(run, limits).with_headers(&config.log.headers),
            FanOut::new(records),
        ));
        if kernel.counts_flows() {
            writer = writer.with_sessions(settings::sessions(config, run, limits.tick_ns));
        }
    }
    let mut run_times = config
        .metrics
        .program_time
        .then(|| RunTimes::new(Instant::now()));
    let requests = || api.as_ref().map(Api::request_counts);
    let engine = Engine::new(Limits {
        slots: config.capture.flows.next_power_of_two().max(4),
        head_bytes: config.capture.head_bytes as usize,
        ..Limits::default()
    });
    let mut server =
        Server::start(listener, api.as_ref(), serving).context("cannot start the server")?;
    let cpus = hooks
        .programs()
        .counters()?
        .len()
        .max(programs::possible_cpus()?);
    // The first heads are in the rings already.
    for interface in &interfaces {
        writer.name_interface(interface.index, &interface.name);
    }
    let reader = Reader::start(kernel, engine, writer, cpus).context("cannot start the reader")?;
    // What appeared between attaching and watching.
    targets.compare(&interfaces, &mut hooks);
    greet(config, &hooks, &server);

    let mut status = Status::new(has_status_line(config), config.log.statistics);
    let started = Instant::now();
    let tick = if arguments.packets.is_some() {
        Duration::from_millis(50)
    } else {
        Duration::from_secs(1)
    };
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let ends = async {
        match arguments.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(ends);
    let was_told = loop {
        tokio::select! {
            () = &mut ends => break false,
            told = signals.next() => match told {
                Told::Stop => break true,
                Told::Reopen => reopen(&log),
            },
            event = watcher.next() => {
                let event = event.context("cannot follow the interfaces any longer")?;
                if let Event::Appeared { index, name } | Event::Renamed { index, name } = &event {
                    reader.name_interface(*index, name);
                }
                if matches!(event, Event::AddressesChanged | Event::Lost)
                    && let Err(error) = addresses.refresh()
                {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the local addresses again");
                }
                targets.event(&event, &mut hooks);
            }
            offset = clock.changed() => {
                let offset = offset.context("cannot follow the clock any longer")?;
                tracing::info!(offset_ns = offset, "the wall clock was set");
            }
            question = server.question() => {
                let sinks = accounts.iter().map(|(name, counts)| (*name, counts())).collect();
                let taken = Taken {
                    requests: requests(),
                    programs: run_times.as_ref().map(RunTimes::programs).unwrap_or_default(),
                    selftest: keep::read(&config.store.dir),
                    ..Taken::of(reader.progress(), log.counts(), sinks)
                };
                let counters = hooks.programs().counters()?;
                let interfaces = hooks.interfaces().collect();
                question.answer(server.snapshot(counters, taken, interfaces));
            }
            _ = ticks.tick() => {
                diagnostics::tick();
                if let Some(times) = &mut run_times {
                    times.tick(hooks.programs(), Instant::now());
                }
                hooks.flush_log();
                let counters = hooks.programs().counters()?;
                let lines = log.counts();
                server.observe(&counters, &lines, !hooks.is_empty());
                let seen = status.tick(&counters, reader.progress(), &lines);
                if arguments.packets.is_some_and(|limit| seen >= limit) {
                    break false;
                }
                if log.reader_gone() || reader.is_finished() {
                    break false;
                }
            }
        }
    };
    status.end();
    let ending = Ending::new(signals, was_told);
    hooks.detach_all();
    let waiting = || waiting(config, &log, &accounts);
    let finished = ending.wait_for(finish(server, reader), waiting).await?;
    let counters = hooks.programs().counters()?;
    status.say_rest(&counters);
    let ledger = Ledger::new(
        &counters,
        &Taken {
            requests: requests(),
            ..Taken::from(&finished)
        },
        started.elapsed(),
        Moment::End,
    );
    if !arguments.json {
        diagnostics::tell(&ledger.text());
    }
    Ok(ledger)
}

/// Ends the server, then the reader: what has to wait for whoever takes lines and records.
async fn finish(server: Server, reader: Reader) -> anyhow::Result<Finished> {
    // While the store still takes what is under way.
    server.stop().await;
    let finished = tokio::task::spawn_blocking(|| reader.finish()).await;
    finished
        .map_err(io::Error::from)
        .flatten()
        .context("cannot finish the capture")
}

/// How much waits for whom.
fn waiting(config: &Config, log: &LogHandle, accounts: &[(&'static str, Account)]) -> Vec<Waiting> {
    let place = match &config.log.output {
        LogOutput::Stdout => "standard output".to_owned(),
        LogOutput::Folder(folder) => folder.display().to_string(),
    };
    let lines = Waiting {
        what: "line",
        count: log.counts().queued,
        place,
    };
    let records = accounts.iter().map(|(name, counts)| Waiting {
        what: "record",
        count: counts().queued,
        place: (*name).to_owned(),
    });
    let all = std::iter::once(lines).chain(records);
    all.filter(|waiting| waiting.count > 0).collect()
}

/// Whether flows are counted although nothing comes of it: the store that was to have them could not be
/// opened, after the programs were loaded.
fn programs_count_for_nobody(config: &Config, kernel: &KernelEnd, sinks: &Sinks) -> bool {
    let for_lines = config.log.format != LogFormat::Classic;
    kernel.counts_flows() && sinks.records.is_empty() && !for_lines
}

/// Checks privileges for what is asked for; with `auto`, those for a packet socket will do.
fn possible(attach: Attach) -> anyhow::Result<Attach> {
    let Err(error) = privileges::check(hooks_of(attach)[0]) else {
        return Ok(attach);
    };
    if attach == Attach::Auto && privileges::check(Hook::Socket).is_ok() {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "tc is out of reach, packet sockets are taken instead"
        );
        return Ok(Attach::Socket);
    }
    Err(error.into())
}

/// The hooks that may be taken, the preferred one first.
fn hooks_of(attach: Attach) -> &'static [Hook] {
    match attach {
        Attach::Auto => &[Hook::Tc, Hook::Socket],
        Attach::Tc => &[Hook::Tc],
        Attach::Socket => &[Hook::Socket],
        Attach::Xdp => &[Hook::Xdp],
    }
}

/// Keeps only what is needed to attach again, and becomes another user where that is asked for.
fn give_up_privileges(config: &Config, attach: Attach) -> anyhow::Result<()> {
    let user = match &config.capture.user {
        Some(name) => Some(User::find(name).map_err(|error| UsageError(error.to_string()))?),
        None => None,
    };
    if let LogOutput::Folder(folder) = &config.log.output {
        // Now: root without its privileges makes no folder in somebody else's.
        make_folder(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        if let Some(user) = &user {
            privileges::chown_for(user, folder, is_own_file)?;
        }
    }
    if config.store.enabled {
        let folder = &config.store.dir;
        match make_folder(folder) {
            Ok(()) => {
                if let Some(user) = &user {
                    let spool = &config.sinks.api.spool.dir;
                    privileges::chown_for(user, folder, |name| {
                        store_folder::is_own(name)
                            || keep::is_own(name)
                            || alerts::keep::is_own(name)
                            || folder.join(name) == *spool
                    })?;
                }
            }
            // Said when the store is started: nobody chose this folder.
            Err(_) if *folder == StoreConfig::default().dir => {}
            Err(error) => {
                return Err(anyhow::Error::new(error)
                    .context(format!("cannot make the folder {}", folder.display())));
            }
        }
    }
    if config.sinks.api.enabled {
        let folder = &config.sinks.api.spool.dir;
        make_folder(folder)
            .with_context(|| format!("cannot make the spool folder {}", folder.display()))?;
        if let Some(user) = &user {
            privileges::chown_for(user, folder, |name| {
                name.as_encoded_bytes().starts_with(b"spool")
            })?;
        }
    }
    // BPF statistics are switched on anew for each measurement.
    let to_measure = config.metrics.program_time;
    let to_measure = to_measure.then_some(Capability::CAP_SYS_ADMIN);
    let keep: Vec<Capability> = hooks_of(attach)
        .iter()
        .flat_map(|hook| hook.keeps())
        .copied()
        .chain(to_measure)
        .collect();
    privileges::reduce(&keep, user.as_ref())?;
    if let LogOutput::Folder(folder) = &config.log.output {
        privileges::ensure_writable(folder)?;
    }
    Ok(())
}

/// Gives back what loading needed.
fn release_memory() {
    // SAFETY: no arguments that point anywhere.
    unsafe { libc::malloc_trim(0) };
}

/// Where metrics are asked for. That another program has taken the address that nobody chose is no reason
/// to capture nothing.
fn listener(address: Option<SocketAddr>) -> Result<Listener, ServerError> {
    match Listener::bind(address) {
        Err(error @ ServerError::InUse { .. }) if address == ServerConfig::default().listen => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no metrics are served"
            );
            Listener::bind(None)
        }
        bound => bound,
    }
}

/// Whether there is a terminal to show a status line on. Not where the lines go there too: each would
/// stand behind it; nor where nothing but what goes wrong is to be said.
fn has_status_line(config: &Config) -> bool {
    if matches!(config.diagnostics.level, Level::Error | Level::Warn) {
        return false;
    }
    let lines_on_terminal = config.log.output == LogOutput::Stdout && io::stdout().is_terminal();
    io::stderr().is_terminal() && !lines_on_terminal
}

fn reopen(log: &LogHandle) {
    log.reopen();
    if let Err(error) = diagnostics::reopen() {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "cannot open the diagnostics file again"
        );
    }
}

/// Lets the next signal end the process at once; the kernel takes the hooks off then.
pub(crate) fn let_signals_kill() {
    for number in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the default action is a valid disposition.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}
