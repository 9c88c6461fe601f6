//! The flags of `tapline gen http`, and what they come to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::{Asked, HttpArguments, Loading, Serving, usage};
use crate::config::Refusal;
use crate::exit::UsageError;
use crate::generate::bounds::{self, Limit};
use crate::generate::http::arrivals::Arrivals;
use crate::generate::http::list::{read_file, read_list};
use crate::generate::http::place::{Allowed, Url};
use crate::generate::http::requests::Request;
use crate::generate::http::target::config::{TargetConfig, config_from_file};
use crate::generate::http::threshold::Threshold;
use crate::generate::seed::Seed;

/// Where the target listens where nothing else is said.
const LISTEN: &str = "127.0.0.1:8090";

/// How long a run lasts where neither that nor a number of requests is said.
const DURATION: Duration = Duration::from_secs(10);

/// Connections, where nothing else is said: in the closed loop, and at most in the open loop.
const CONNECTIONS: (u32, u32) = (16, 1000);

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

impl HttpFlags {
    /// The flags with those of every command.
    pub(in crate::cli) fn arguments(
        self,
        json: bool,
        is_quiet: bool,
    ) -> anyhow::Result<HttpArguments> {
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
                    body: body(self.body)?.into(),
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

fn body(text: Option<String>) -> anyhow::Result<Vec<u8>> {
    match text {
        None => Ok(Vec::new()),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => read_file(Path::new(path)).map_err(|error| usage(error.into())),
            None => Ok(text.into_bytes()),
        },
    }
}
