//! `tapline serve`: the back end alone. It takes sessions over HTTP, stores them, and shows them and the
//! exchanges that are stored. It captures nothing and needs no privileges.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::back_end::until_told;
use super::settings;
use crate::config::Config;
use crate::diagnostics;
use crate::exit::{Exit, UsageError};
use crate::ledger::{Moment, RequestCounts, StoreLedger};
use crate::server::access;
use crate::server::api::{Api, Bounds};
use crate::server::{BackEnd, Listener, Mode, Serving};
use crate::sink::RecordSink as _;
use crate::sink::counts::{Counts, LossReason};
use crate::sink::sqlite::{SqliteSettings, SqliteSink};

/// Batches that may wait for the writer: every connection sends one at a time, and they have half of
/// the queue.
const QUEUE: usize = 512;

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

/// Serves until told to stop, or until `arguments` say so.
///
/// # Errors
/// The configuration allows no server, the address or the data folder cannot be had, or the token
/// cannot be read.
pub fn serve(config: Config, arguments: ServeArguments) -> anyhow::Result<Exit> {
    let address = address(&config)?;
    let token = access::token(&config.server, arguments.insecure)?;
    let serving = Serving {
        mode: Mode::Serve,
        token,
        alerts: settings::alerts(&config)?,
        ..Serving::default()
    };
    let listener = Listener::bind(Some(address))?;
    let started = Instant::now();
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
    let greet = |server: &BackEnd| greet(&config, server);
    runtime.block_on(until_told(
        listener,
        &api,
        serving,
        arguments.duration,
        greet,
    ))?;
    // What readers still do is of no use to anybody.
    runtime.shutdown_background();
    let counts = Box::new(store).close();
    end(&arguments, &counts, api.request_counts(), started.elapsed())
}

/// Where to listen.
fn address(config: &Config) -> Result<SocketAddr, UsageError> {
    if !config.store.enabled {
        return Err(UsageError(
            "tapline serve stores what it takes: store.enabled must not be false".to_owned(),
        ));
    }
    config.server.listen.ok_or_else(|| {
        let sentence = "tapline serve needs an address: server.listen must not be off";
        UsageError(sentence.to_owned())
    })
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
    diagnostics::tell(&greeting);
}

fn end(
    arguments: &ServeArguments,
    counts: &Counts,
    requests: RequestCounts,
    time: Duration,
) -> anyhow::Result<Exit> {
    let lost = counts.lost_in_all();
    if arguments.json {
        let sinks = [("sqlite", *counts)];
        super::write_result(&StoreLedger::new(&sinks, requests, time, Moment::End))?;
    } else {
        let said = format!(
            "tapline stored {} records; {lost} could not be stored, and their senders were told; \
             requests refused: {}\n",
            counts.stored,
            requests.refused_in_all()
        );
        diagnostics::tell(&said);
    }
    Ok(match lost > counts.lost(LossReason::Refused) {
        true => Exit::Failed,
        false => Exit::Done,
    })
}
