//! What signals do while the rest is written: the first one of all asks for an end, the second one ends the
//! process at once. Where it takes long, because whoever takes lines or records does not, it is said what is
//! waited for.

use std::pin::pin;
use std::time::Duration;

use super::let_signals_kill;
use super::signals::{Signals, Told};
use crate::ledger::many;

/// How long it may take until it is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// The time between the end of the capture and that of the process.
pub(super) struct Ending {
    signals: Signals,
    /// A signal asked for the end already, so that the next one ends the process.
    was_told: bool,
}

/// What is not written yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Waiting {
    /// One of it.
    pub(super) what: &'static str,
    pub(super) count: u64,
    /// Who is to take it.
    pub(super) place: String,
}

impl Ending {
    /// `was_told`: it ends because of a signal, not by itself.
    pub(super) fn new(signals: Signals, was_told: bool) -> Self {
        if was_told {
            let_signals_kill();
        }
        Self { signals, was_told }
    }

    /// Waits for the last `work`. Behind it every signal ends the process at once.
    pub(super) async fn wait_for<T>(
        mut self,
        work: impl Future<Output = T>,
        waiting: impl Fn() -> Vec<Waiting>,
    ) -> T {
        let mut work = pin!(work);
        let mut patience = pin!(tokio::time::sleep(PATIENCE));
        let mut is_long = false;
        loop {
            tokio::select! {
                done = &mut work => {
                    let_signals_kill();
                    return done;
                }
                () = &mut patience, if !is_long => {
                    is_long = true;
                    say(self.was_told, &waiting());
                }
                told = self.signals.next(), if !self.was_told => if told == Told::Stop {
                    // As if it had asked for the end: who stops a program does not know that it stops just now.
                    self.was_told = true;
                    let_signals_kill();
                    if is_long {
                        say(true, &waiting());
                    }
                },
            }
        }
    }
}

/// Warns of what is waited for, from a thread of its own: stderr may be the pipe that nobody reads.
fn say(was_told: bool, waiting: &[Waiting]) {
    let text = text(was_told, waiting);
    drop(tokio::task::spawn_blocking(move || {
        tracing::warn!("{text}");
    }));
}

fn text(was_told: bool, waiting: &[Waiting]) -> String {
    let parts = waiting
        .iter()
        .map(|one| format!("{} for {}", many(one.count, one.what), one.place));
    let parts: Vec<String> = parts.collect();
    let (what, lost) = match parts.is_empty() {
        true => ("the last of it".to_owned(), "what is not written then"),
        false => (parts.join(", "), "what then still waits"),
    };
    let way_out = match was_told {
        true => "another SIGINT or SIGTERM (Ctrl-C) ends it at once",
        false => {
            "the first SIGINT or SIGTERM (Ctrl-C) changes nothing, a second one ends it at once"
        }
    };
    format!("capture has ended, and waits to write {what}; {way_out}, and {lost} is lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_is_waited_for_and_how_to_end_it() {
        let check = |was_told: bool, waiting: &[(&'static str, u64, &str)], expected: &str| {
            let waiting = waiting.iter().map(|&(what, count, place)| Waiting {
                what,
                count,
                place: place.to_owned(),
            });
            assert_eq!(text(was_told, &waiting.collect::<Vec<_>>()), expected);
        };
        check(
            true,
            &[("line", 1, "standard output"), ("record", 20, "sqlite")],
            "capture has ended, and waits to write 1 line for standard output, 20 records for sqlite; \
             another SIGINT or SIGTERM (Ctrl-C) ends it at once, and what then still waits is lost",
        );
        check(
            false,
            &[],
            "capture has ended, and waits to write the last of it; the first SIGINT or SIGTERM (Ctrl-C) \
             changes nothing, a second one ends it at once, and what is not written then is lost",
        );
    }
}
