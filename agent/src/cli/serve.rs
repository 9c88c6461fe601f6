//! `tapline serve`: the back end alone. It takes sessions over HTTP, stores them, and shows them and the
//! exchanges that are stored. It captures nothing and needs no privileges.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::settings;
use crate::config::Config;
use crate::diagnostics;
use crate::exit::{Exit, UsageError, report};
use crate::server::access::Token;
use crate::server::api::{Api, Bounds};
use crate::server::{BackEnd, Listener};
use crate::sink::RecordSink as _;
use crate::sink::counts::{Counts, LossReason};
use crate::sink::sqlite::{SqliteSettings, SqliteSink};

/// Batches that may wait for the writer: every connection sends one at a time.
const QUEUE: usize = 256;

/// What `tapline serve` is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeArguments {
    /// Stop after this time; `None`: when told to.
    pub duration: Option<Duration>,
    /// Let everyone ask who reaches the address.
    pub insecure: bool,
    /// Write the result as one JSON document to stdout when it ends.
    pub json: bool,
}

/// The result: what became of the records.
#[derive(Debug, Serialize)]
struct Account {
    stored: u64,
    lost: u64,
}

/// Serves until told to stop, or until `arguments` say so.
///
/// # Errors
/// The configuration allows no server, the address or the data folder cannot be had, or the token
/// cannot be read.
pub fn serve(config: Config, arguments: ServeArguments) -> anyhow::Result<Exit> {
    let address = address(&config, &arguments)?;
    let token = match &config.server.token_file {
        Some(path) => Some(Token::read(path)?),
        None => None,
    };
    let listener = Listener::bind(Some(address))?;
    let store = SqliteSink::start(SqliteSettings {
        queue_batches: QUEUE,
        ..settings::store_of_run(&config)
    })?;
    let api = Api::new(
        store.intake(),
        config.store.dir.clone(),
        config.store.retain.days,
        Bounds::default(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(until_told(&config, &arguments, &api, listener, token))?;
    // What readers still do is of no use to anybody.
    runtime.shutdown_background();
    let counts = Box::new(store).close();
    end(&arguments, &counts)
}

/// Where to listen: on another address than a loopback one only with a token, or where that is not
/// wanted.
fn address(config: &Config, arguments: &ServeArguments) -> Result<SocketAddr, UsageError> {
    if !config.store.enabled {
        return Err(UsageError(
            "tapline serve stores what it takes: store.enabled must not be false".to_owned(),
        ));
    }
    let Some(address) = config.server.listen else {
        return Err(UsageError(
            "tapline serve needs an address: server.listen must not be off".to_owned(),
        ));
    };
    let is_guarded = config.server.token_file.is_some() || arguments.insecure;
    if !address.ip().to_canonical().is_loopback() && !is_guarded {
        return Err(UsageError(format!(
            "whoever reaches {address} could read and write the store: name a file with a token \
             (--token-file), or say that this is wanted (--insecure)"
        )));
    }
    Ok(address)
}

async fn until_told(
    config: &Config,
    arguments: &ServeArguments,
    api: &Api,
    listener: Listener,
    token: Option<Token>,
) -> anyhow::Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let server = BackEnd::start(listener, api, token).context("cannot start the server")?;
    greet(config, &server);
    let ends = async {
        match arguments.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(ends);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut ends => break,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hang_up.recv() => {
                if let Err(error) = diagnostics::reopen() {
                    let error = anyhow::Error::from(error);
                    report(&error.context("cannot open the diagnostics file again"));
                }
            }
            _ = ticks.tick() => diagnostics::tick(),
        }
    }
    // A second signal ends the process at once, whatever the rest waits for.
    super::run::let_signals_kill();
    server.stop().await;
    Ok(())
}

/// The first line: where it listens, where it stores, how to stop it.
fn greet(config: &Config, server: &BackEnd) {
    let Some(address) = server.address() else {
        return;
    };
    let folder = &config.store.dir;
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let greeting = format!(
        "tapline takes records at http://{address}/api/logs and stores them in {}; stop with Ctrl-C \
         (process {})\n",
        folder.display(),
        std::process::id()
    );
    // Where stderr is gone or full there is nobody to tell.
    drop(io::stderr().write_all(greeting.as_bytes()));
}

fn end(arguments: &ServeArguments, counts: &Counts) -> anyhow::Result<Exit> {
    let account = Account {
        stored: counts.stored,
        lost: counts.lost_in_all(),
    };
    if arguments.json {
        super::write_result(&account)?;
    } else {
        let said = format!(
            "tapline stored {} records; {} could not be stored, and their senders were told\n",
            account.stored, account.lost
        );
        drop(io::stderr().write_all(said.as_bytes()));
    }
    let refused = counts.lost(LossReason::Refused);
    Ok(match account.lost > refused {
        true => Exit::Failed,
        false => Exit::Done,
    })
}
