//! `tapline gen sessions`, the program: to a real `tapline serve`, to a back end that refuses, to nobody, to the
//! store, to files; what it says, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod back_end;
mod ends;
mod files;
#[path = "../support/output.rs"]
mod output;
#[path = "../support/program.rs"]
mod program;
mod screen;
#[path = "../support/serve.rs"]
#[expect(dead_code, reason = "here the records in the store are looked at")]
mod serve;
mod usage;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tapline::store::{Order, SessionFilter, Store};

use self::output::output;
use self::serve::Serve;

fn generator(line: &str) -> Command {
    program::generator("sessions", line.split_whitespace())
}

/// The back end, and the address of its API.
fn serve(folder: &Path) -> (Serve, String) {
    let serve = Serve::start(folder);
    let url = format!("http://{}/api", serve.address);
    (serve, url)
}

fn stored(folder: &Path) -> usize {
    let store = Store::open(folder).unwrap();
    let rows = store.sessions(&SessionFilter::default(), Order::Oldest, None, 1 << 20);
    rows.unwrap().len()
}

/// The account at the end, of `--json`.
fn account(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}
