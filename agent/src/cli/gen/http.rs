//! `tapline gen http`: HTTP/1.1 load over TCP, and with `--serve` the target that goes with it.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::exit::{self, Exit, UsageError};
use crate::generate::access::config::{Environment, find as find_access};
use crate::generate::http::arrivals::Arrivals;
use crate::generate::http::load::{self, LoadPlan, allow_descriptors};
use crate::generate::http::place::{self, Allowed, Url};
use crate::generate::http::report::Account;
use crate::generate::http::requests::{Prepared, Request, Requests, Users, UsersSettings};
use crate::generate::http::shown::Shown;
use crate::generate::http::target::Target;
use crate::generate::http::target::config::TargetConfig;
use crate::generate::http::threshold::Threshold;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;

mod flags;

pub(in crate::cli) use flags::HttpFlags;

pub(super) const HELP: &str = "\
Examples:
  tapline gen http --serve                                 a target at 127.0.0.1:8090
  tapline gen http http://127.0.0.1:8090/                  16 connections, ten seconds
  tapline gen http http://127.0.0.1:8090/ --rate 20000 --arrivals poisson --duration 30s
  tapline gen http --urls list.txt -n 100000 --connections 64 --json -q | jq .from_send
  tapline gen http http://127.0.0.1:8090 --users config/access.yaml --rate 500 --seed 7
  tapline gen http http://127.0.0.1:8090/ --rate 1000 --fail-if 'p99>5ms' --fail-if 'error_rate>0'

Without --rate the loop is closed: each connection asks again when it has its answer. With --rate it is \
open: requests are started when they are due, whatever the answers do, and latency counts from then. A \
line of --urls is METHOD URL BODY; method and body may be left out, a body @FILE is that of a file. \
Only this host may have load (loopback, and the network namespaces of Tapline's own tests), others where \
--target-allowed names them. SIGINT and SIGTERM end the run and say the account; a second one stops at \
once. config/http.yaml is the manual of what --serve answers.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 4 the target was never reached, 5 part of \
the requests failed, 6 the rate was not met, 99 a threshold failed.";

/// Descriptors that are needed beside those of connections.
const BESIDE: u64 = 64;

/// What `tapline gen http` is told.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpArguments {
    /// To write this to stdout.
    Say(String),
    /// To be a target.
    Serve(Box<Serving>),
    /// To send requests.
    Load(Box<Loading>),
}

/// A target.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    address: SocketAddr,
    config: TargetConfig,
    threads: u32,
    seed: Seed,
    duration: Option<Duration>,
    json: bool,
    is_quiet: bool,
}

/// Load.
#[derive(Clone, Debug, PartialEq)]
pub struct Loading {
    url: Url,
    asked: Asked,
    fields: Vec<(String, String)>,
    is_stamped: bool,
    arrivals: Arrivals,
    connections: u32,
    threads: u32,
    count: Option<u64>,
    duration: Option<Duration>,
    timeout: Duration,
    requests_per_connection: Option<u64>,
    allowed: Vec<Allowed>,
    thresholds: Vec<Threshold>,
    seed: Seed,
    seed_is_drawn: bool,
    json: bool,
    is_quiet: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    These(Vec<Request>),
    /// What the users of this file do, from then on.
    Users(PathBuf, Timestamp),
}

impl Loading {
    fn requests(&self) -> anyhow::Result<Requests> {
        let host = self.url.authority();
        match &self.asked {
            Asked::These(requests) => {
                let prepared = requests.iter().map(|request| {
                    let mut request = request.clone();
                    request.fields.extend(self.fields.iter().cloned());
                    Prepared::new(&request, &host, self.is_stamped)
                });
                let prepared: Result<Vec<Prepared>, _> = prepared.collect();
                Ok(Requests::Cycle(
                    prepared.map_err(|error| usage(error.into()))?.into(),
                ))
            }
            Asked::Users(path, start) => {
                let found = find_access(Some(path), &Environment::default());
                let found = found.map_err(|wrong| UsageError(wrong.to_string()))?;
                if !self.is_quiet {
                    for warning in &found.warnings {
                        say(&format!("tapline: warning: {warning}"));
                    }
                }
                let users = Users::new(&UsersSettings {
                    config: &found.config,
                    seed: self.seed,
                    rate: self.arrivals.rate(),
                    start: *start,
                    host: &host,
                    fields: &self.fields,
                    is_stamped: self.is_stamped,
                });
                let users = users.map_err(|error| usage(error.into()))?;
                Ok(Requests::Users(Arc::new(users)))
            }
        }
    }
}

/// Sends requests until there is enough, or answers them, until told to stop.
///
/// # Errors
/// What cannot be opened, listened on or understood.
pub fn generate(arguments: HttpArguments) -> anyhow::Result<Exit> {
    match arguments {
        HttpArguments::Say(text) => {
            let mut stdout = io::stdout().lock();
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush())
                .context("cannot write to stdout")?;
            Ok(Exit::Done)
        }
        HttpArguments::Serve(serving) => serve(&serving),
        HttpArguments::Load(loading) => load(&loading),
    }
}

fn serve(serving: &Serving) -> anyhow::Result<Exit> {
    allow_descriptors(u64::from(serving.config.limits.connections) + BESIDE);
    let address = serving.address;
    let target = Target::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    let stop = Stop::on_signals();
    if !serving.is_quiet {
        say(&format!(
            "tapline: target at http://{}; stop with Ctrl-C (process {})",
            target.address(),
            std::process::id()
        ));
    }
    let report = target
        .serve(
            &serving.config,
            serving.threads,
            serving.seed,
            serving.duration,
            &stop,
        )
        .context("cannot serve")?;
    if !serving.is_quiet {
        say(&format!("tapline: {report}"));
    }
    if serving.json {
        crate::cli::write_result(&report)?;
    }
    Ok(Exit::Done)
}

fn load(loading: &Loading) -> anyhow::Result<Exit> {
    let requests = loading.requests()?;
    let address = match place::find(&loading.url, &loading.allowed) {
        Ok(address) => address,
        Err(error @ place::PlaceError::Foreign { .. }) => return Err(usage(error.into())),
        Err(error @ place::PlaceError::Unknown { .. }) => {
            exit::report(&error.into());
            return Ok(Exit::Unreachable);
        }
    };
    allow_descriptors(u64::from(loading.connections) + BESIDE);
    let plan = LoadPlan {
        address,
        requests,
        arrivals: loading.arrivals,
        connections: loading.connections,
        threads: loading.threads,
        count: loading.count,
        duration: loading.duration,
        timeout: loading.timeout,
        requests_per_connection: loading.requests_per_connection,
        seed: loading.seed,
        keeps_stamps: false,
    };
    let stop = Stop::on_signals();
    if !loading.is_quiet {
        if loading.seed_is_drawn {
            say(&format!("tapline: seed={}", loading.seed));
        }
        say(&format!("tapline: {}", greeting(loading, address)));
    }
    let mut shown = Shown::new(loading.duration, loading.is_quiet);
    let report = load::run(&plan, &stop, |live| shown.tick(live))?;
    shown.finish();
    let account = Account {
        report,
        arrivals: loading.arrivals,
        connections: loading.connections,
        seed: loading.seed,
        thresholds: loading.thresholds.clone(),
    };
    if !loading.is_quiet {
        say(&account.to_string());
    }
    if loading.json {
        crate::cli::write_result(&account.document())?;
    }
    let exit = account.exit();
    if exit == Exit::Unreachable {
        exit::report(&anyhow::anyhow!("{address} could not be reached"));
    }
    if loading.is_quiet {
        let tally = &account.report.tally;
        match exit {
            Exit::ThresholdFailed => {
                let failed = account.judged().into_iter().filter(|judged| judged.failed);
                let failed: Vec<String> = failed.map(|judged| judged.to_string()).collect();
                say(&format!("tapline: {}", failed.join("; ")));
            }
            Exit::Refused => say(&format!(
                "tapline: {} of {} requests have no answer",
                tally.unanswered(),
                tally.started
            )),
            _ => {}
        }
    }
    Ok(exit)
}

/// What is to be done, in one line.
fn greeting(loading: &Loading, address: SocketAddr) -> String {
    let what = match &loading.asked {
        Asked::These(requests) => match &requests[..] {
            [request] => format!("{} {}", request.method, loading.url),
            requests => format!("{} requests in turn", requests.len()),
        },
        Asked::Users(path, _) => format!("users of {}", path.display()),
    };
    let how = match loading.arrivals {
        Arrivals::Closed => format!("closed loop, {} connections", loading.connections),
        Arrivals::Even(rate) => format!("{rate}/s"),
        Arrivals::Poisson(rate) => format!("{rate}/s on average"),
    };
    let until = match (loading.count, loading.duration) {
        (Some(count), _) => format!("{count} requests"),
        (None, Some(duration)) => format!("{} s", duration.as_secs_f64()),
        (None, None) => "until Ctrl-C".to_owned(),
    };
    format!("{what} to {address}, {how}, {until}")
}

/// What is wrong was typed, or stands in a file that was named.
fn usage(error: anyhow::Error) -> anyhow::Error {
    UsageError(format!("{error:#}")).into()
}

/// Says a line on stderr.
fn say(line: &str) {
    // Where stderr is gone there is nobody to tell.
    drop(writeln!(io::stderr().lock(), "{line}"));
}
