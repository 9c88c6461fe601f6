//! A server without a capture, from its start until it is told to end: what `serve` and `watch` share.

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::diagnostics;
use crate::exit::report;
use crate::server::api::Api;
use crate::server::{BackEnd, Listener, Serving};

/// Serves until SIGINT, SIGTERM or the end of `duration`; SIGHUP opens the file of diagnostics again. Whoever
/// starts it is greeted once it listens.
///
/// # Errors
/// The signals cannot be had, or the server cannot be started.
pub(super) async fn until_told(
    listener: Listener,
    api: &Api,
    serving: Serving,
    duration: Option<Duration>,
    greet: impl FnOnce(&BackEnd),
) -> anyhow::Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let server = BackEnd::start(listener, api, serving).context("cannot start the server")?;
    greet(&server);
    let ends = async {
        match duration {
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
