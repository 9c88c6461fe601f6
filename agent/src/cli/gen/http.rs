//! `tapline gen http`: HTTP/1.1 load over TCP, and with `--serve` the target that goes with it.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::config::Refusal;
use crate::exit::{self, Exit, UsageError};
use crate::generate::access::config::{Environment, find as find_access};
use crate::generate::bounds::{self, Limit};
use crate::generate::http::arrivals::Arrivals;
use crate::generate::http::list::{read_file, read_list};
use crate::generate::http::load::{self, LoadPlan, allow_descriptors};
use crate::generate::http::place::{self, Allowed, Url};
use crate::generate::http::report::Account;
use crate::generate::http::requests::{Prepared, Request, Requests, Users, UsersSettings};
use crate::generate::http::shown::Shown;
use crate::generate::http::target::Target;
use crate::generate::http::target::config::{TargetConfig, config_from_file};
use crate::generate::http::threshold::Threshold;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;

pub(super) const HELP: &str = "\
Examples:
  tapline gen http --serve                                 a target at 127.0.0.1:8090
  tapline gen http http://127.0.0.1:8090/                  16 connections, ten seconds
  tapline gen http http://127.0.0.1:8090/ --rate 20000 --arrivals poisson --duration 30s
  tapline gen http --urls list.txt -n 100000 --connections 64 --json -q | jq .from_send
  tapline gen http http://127.0.0.1:8090 --users config/access.yaml --rate 500 --seed 7
  tapline gen http http://127.0.0.1:8090/ --rate 1000 --fail-if 'p99>5ms' --fail-if 'error_rate>0'

Without --rate the loop is closed: each connection asks again when it has its answer. With --rate it is
open: requests are started when they are due, whatever the answers do, and latency counts from then. A
line of --urls is METHOD URL BODY; method and body may be left out, a body @FILE is that of a file.
Only this host may have load (loopback, and the network namespaces of Tapline's own tests), others where
--target-allowed names them. SIGINT and SIGTERM end the run and say the account; a second one stops at
once. config/http.yaml is the manual of what --serve answers.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 4 the target was never reached, 5 part of
the requests failed, 6 the rate was not met, 99 a threshold failed.";

/// Where the target listens where nothing else is said.
const LISTEN: &str = "127.0.0.1:8090";

/// How long a run lasts where neither that nor a number of requests is said.
const DURATION: Duration = Duration::from_secs(10);

/// Connections, where nothing else is said: in the closed loop, and at most in the open loop.
const CONNECTIONS: (u32, u32) = (16, 1000);

/// Descriptors that are needed beside those of connections.
const BESIDE: u64 = 64;

/// Flags of `tapline gen http`.
#[derive(Debug, Args)]
pub(in crate::cli) struct HttpFlags {
    /// What to ask for, like http://127.0.0.1:8090/path; with --urls and --users, where to
    #[arg(value_name = "URL", value_parser = Url::read)]
    url: Option<Url>,
    /// Ask for what is in this list, in turn: a line is METHOD URL BODY, or a URL
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "method", "body"], help_heading = "Requests")]
    urls: Option<PathBuf>,
    /// Ask for what the users of this configuration of gen access do: with the same seed, rate and start
    /// the requests are those of its lines
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with_all = ["method", "body"], help_heading = "Requests")]
    users: Option<PathBuf>,
    /// Method
    #[arg(
        long,
        value_name = "NAME",
        default_value = "GET",
        help_heading = "Requests"
    )]
    method: String,
    /// A field of every request; again for more
    #[arg(long, value_name = "NAME: VALUE", value_parser = field, help_heading = "Requests")]
    header: Vec<(String, String)>,
    /// Body: text, or @FILE
    #[arg(long, value_name = "TEXT", help_heading = "Requests")]
    body: Option<String>,
    /// Give each request its number: ?stamp=N and X-Tapline-Stamp: N
    #[arg(long, help_heading = "Requests")]
    stamp: bool,
    /// Requests to start; 0: without end
    #[arg(short = 'n', long, value_name = "N", value_parser = count, allow_negative_numbers = true, help_heading = "How many, how fast, how long")]
    count: Option<u64>,
    /// Open loop: requests a second; 0: closed loop
    #[arg(long, value_name = "N", value_parser = rate, allow_negative_numbers = true, help_heading = "How many, how fast, how long")]
    rate: Option<f64>,
    /// How requests of the open loop arrive: evenly spread, or independent of each other
    #[arg(
        long,
        value_name = "HOW",
        default_value = "constant",
        help_heading = "How many, how fast, how long"
    )]
    arrivals: ArrivalsFlag,
    /// Start requests for so long: 500ms, 30s, 5m, or a number of seconds; 0: without end [default: 10s,
    /// without --count]
    #[arg(long, value_name = "TIME", value_parser = bounds::limit, allow_hyphen_values = true, help_heading = "How many, how fast, how long")]
    duration: Option<Limit>,
    /// When the users of --users come, by their clock (RFC 3339, or -6h: so long ago); default: now
    #[arg(long, value_name = "TIME", value_parser = bounds::start, allow_hyphen_values = true, requires = "users", help_heading = "How many, how fast, how long")]
    start: Option<Timestamp>,
    /// The same seed draws the same arrivals and users again; drawn and said when not given
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "How many, how fast, how long"
    )]
    seed: Option<Seed>,
    /// Connections; in the open loop at most so many, opened as needed [default: 16; open loop: 1000]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), allow_negative_numbers = true, help_heading = "Connections")]
    connections: Option<u32>,
    /// Threads, with connections of their own [default: 1; --serve: one a CPU]
    #[arg(short, long, value_name = "N", alias = "jobs", value_parser = clap::value_parser!(u32).range(1..=256), allow_negative_numbers = true, help_heading = "Connections")]
    threads: Option<u32>,
    /// How long a connection may take to open, and an answer to be there
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::config::parse_duration, allow_hyphen_values = true, help_heading = "Connections")]
    timeout: Duration,
    /// Close a connection after so many requests; 1: a new connection for each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true, help_heading = "Connections")]
    requests_per_connection: Option<u64>,
    /// A host outside of this one that may have load: a name, an address or a network; again for more
    #[arg(long, value_name = "HOST", value_parser = Allowed::read, help_heading = "Connections")]
    target_allowed: Vec<Allowed>,
    /// Fail, with exit code 99, if this comes true: p99>5ms, mean>1ms, error_rate>1%, rate<1000,
    /// dropped_rate>0, errors>0, status_5xx>0; again for more
    #[arg(long, value_name = "CONDITION", help_heading = "Result")]
    fail_if: Vec<Threshold>,
    /// Be the target instead: at ADDR:PORT, or PORT of 127.0.0.1 [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = LISTEN, value_parser = listen_address, help_heading = "Target",
        conflicts_with_all = ["url", "urls", "users", "method", "header", "body", "stamp", "count", "rate", "arrivals", "connections", "requests_per_connection", "timeout", "target_allowed", "fail_if"])]
    serve: Option<SocketAddr>,
    /// What the target answers (YAML)
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    config: Option<PathBuf>,
    /// Print the configuration of the target that results, as YAML, and stop
    #[arg(long, help_heading = "Target")]
    print_config: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum ArrivalsFlag {
    Constant,
    Poisson,
}

fn count(text: &str) -> Result<u64, Refusal> {
    let count = text.parse();
    count.map_err(|_wrong| Refusal::new("must be a whole number of requests; 0: without end"))
}

fn rate(text: &str) -> Result<f64, Refusal> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1e7).contains(rate));
    rate.ok_or_else(|| Refusal::new("must be a number of requests a second, from 0 to 10000000"))
}

fn field(text: &str) -> Result<(String, String), Refusal> {
    let (name, value) = text.split_once(':').ok_or_else(|| {
        Refusal::new("must be a name, a colon and a value, like Accept: text/html")
    })?;
    let (name, value) = (name.trim(), value.trim());
    match crate::generate::http::requests::check_field(name, value) {
        Ok(()) => Ok((name.to_owned(), value.to_owned())),
        Err(error) => Err(Refusal::new(format!("cannot be sent: {error}"))),
    }
}

/// An address and a port; a port alone, or of `localhost`, is one of 127.0.0.1.
fn listen_address(text: &str) -> Result<SocketAddr, Refusal> {
    let of_localhost = text.strip_prefix("localhost:");
    let port = of_localhost.or_else(|| text.strip_prefix(':'));
    let port = port.unwrap_or(text);
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let of_port = port.parse().ok().filter(|_| is_number);
    of_port
        .map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)))
        .or_else(|| text.parse().ok())
        .ok_or_else(|| Refusal::new("must be an address and a port like 127.0.0.1:8090, or a port"))
}

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

impl HttpFlags {
    /// The flags with those of every command.
    pub(super) fn arguments(self, json: bool, is_quiet: bool) -> anyhow::Result<HttpArguments> {
        if self.serve.is_some() || self.print_config {
            return self.target(json, is_quiet);
        }
        if self.config.is_some() {
            let sentence = "--config says what a target answers: it needs --serve";
            return Err(UsageError(sentence.to_owned()).into());
        }
        self.load(json, is_quiet)
    }

    fn target(self, json: bool, is_quiet: bool) -> anyhow::Result<HttpArguments> {
        let config = match &self.config {
            Some(path) => config_from_file(path)?,
            None => TargetConfig::default(),
        };
        let (Some(address), false) = (self.serve, self.print_config) else {
            return Ok(HttpArguments::Say(config.to_yaml()));
        };
        let cpus = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        Ok(HttpArguments::Serve(Box::new(Serving {
            address,
            config,
            threads: self.threads.unwrap_or(cpus),
            seed: self.seed.map_or_else(Seed::draw, Ok)?,
            duration: self.duration.and_then(|Limit(duration)| duration),
            json,
            is_quiet,
        })))
    }

    fn load(self, json: bool, is_quiet: bool) -> anyhow::Result<HttpArguments> {
        let (seed, seed_is_drawn) = match self.seed {
            Some(seed) => (seed, false),
            None => (Seed::draw()?, true),
        };
        let (url, asked) = match (self.url, self.urls, self.users) {
            (url, Some(list), _) => {
                let read = read_list(&list, url.as_ref());
                let (url, requests) = read.map_err(|error| usage(error.into()))?;
                (url, Asked::These(requests))
            }
            (Some(url), None, Some(users)) => {
                let start = self.start.unwrap_or_else(Timestamp::now);
                (url, Asked::Users(users, start))
            }
            (Some(url), None, None) => {
                let request = Request {
                    method: self.method,
                    target: url.target.clone(),
                    fields: Vec::new(),
                    body: body(self.body)?,
                };
                (url, Asked::These(vec![request]))
            }
            (None, None, _) => {
                let sentence = "say what to ask for: a URL, or a list with --urls; or be a target \
                                with --serve";
                return Err(UsageError(sentence.to_owned()).into());
            }
        };
        let rate = self.rate.filter(|rate| *rate > 0.0);
        let arrivals = match (rate, self.arrivals) {
            (None, ArrivalsFlag::Constant) => Arrivals::Closed,
            (None, ArrivalsFlag::Poisson) => {
                let sentence = "--arrivals poisson needs --rate: in the closed loop answers decide";
                return Err(UsageError(sentence.to_owned()).into());
            }
            (Some(rate), ArrivalsFlag::Constant) => Arrivals::Even(rate),
            (Some(rate), ArrivalsFlag::Poisson) => Arrivals::Poisson(rate),
        };
        let connections = match arrivals {
            Arrivals::Closed => CONNECTIONS.0,
            Arrivals::Even(_) | Arrivals::Poisson(_) => CONNECTIONS.1,
        };
        let duration = match (self.duration, self.count) {
            (Some(Limit(duration)), _) => duration,
            (None, Some(_)) => None,
            (None, None) => Some(DURATION),
        };
        Ok(HttpArguments::Load(Box::new(Loading {
            url,
            asked,
            fields: self.header,
            is_stamped: self.stamp,
            arrivals,
            connections: self.connections.unwrap_or(connections),
            threads: self.threads.unwrap_or(1),
            count: self.count.filter(|count| *count > 0),
            duration,
            timeout: self.timeout,
            requests_per_connection: self.requests_per_connection,
            allowed: self.target_allowed,
            thresholds: self.fail_if,
            seed,
            seed_is_drawn,
            json,
            is_quiet,
        })))
    }
}

/// What is wrong was typed, or stands in a file that was named.
fn usage(error: anyhow::Error) -> anyhow::Error {
    UsageError(format!("{error:#}")).into()
}

fn body(text: Option<String>) -> anyhow::Result<Vec<u8>> {
    match text {
        None => Ok(Vec::new()),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => read_file(Path::new(path)).map_err(|error| usage(error.into())),
            None => Ok(text.into_bytes()),
        },
    }
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

/// Says a line on stderr.
fn say(line: &str) {
    // Where stderr is gone there is nobody to tell.
    drop(writeln!(io::stderr().lock(), "{line}"));
}
