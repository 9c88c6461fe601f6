//! What can be typed: the flags as clap reads them, their help, and the settings they stand for.
//!
//! A flag that stands for a key of the configuration is read with the parser of that key, so that a
//! bad value is refused with the same words wherever it comes from.

mod query;
mod settings;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use self::values::{Text, one, packets, source, words};
use super::r#gen::GenFlags;
use super::read::{CaptureSource, ReadArguments};
use super::report::ReportFlags;
use super::run::RunArguments;
use super::selftest::SelftestFlags;
use super::serve::ServeArguments;
use super::watch::{WatchArguments, WatchFlags};
use crate::config::{
    Attach, DiagnosticsFormat, Key, Level, LogFormat, RedactQuery, Setting, XdpMode, parse_duration,
};
use crate::exit::UsageError;
pub(super) use query::{ExchangesFlags, SessionsFlags};

const AFTER_HELP: &str = "\
Examples:
  sudo tapline run                            capture on the interface of the default route
  sudo tapline run -i any --log-dir -         all interfaces, lines to stdout
  tapline read traffic.pcap                   the lines of a capture file
  tapline exchanges --since 10m --status 5xx  what the store holds
  tapline serve                               take records over HTTP and store them
  tapline watch access.log                    follow a log file and show it
  tapline gen sessions -n 100                 records at random for it
  tapline report access.log                   what a log says
  tapline selftest                            what is caught of known traffic
  tapline doctor                              what this host allows

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; of generators also 4 the target cannot
be reached, 5 part of the records refused, 6 the rate not met.";

const RUN_HELP: &str = "\
Examples:
  sudo tapline run -i eth0 --split
  sudo tapline run -i any --format json --log-dir - | jq .host
  sudo tapline run --config /etc/tapline/tapline.yaml --user nobody
  sudo tapline run --port 80 --port 8080 --duration 10m

SIGINT and SIGTERM write what is still held back and leave nothing attached; a second one stops at
once, and what is not written then is lost. SIGHUP opens the log files anew.
Metrics: http://127.0.0.1:8000/metrics and /health, unless --listen says otherwise.
Each flag here but --config, --print-config, --duration, --packets, --insecure and --json has a key in
the file and a TAPLINE_ variable; config/tapline.yaml is the manual of them all.";

const READ_HELP: &str = "\
Examples:
  tapline read traffic.pcap
  tcpdump -w - port 80 | tapline read --format json -
  tapline read --local 10.0.0.0/8 --log-dir logs monday.pcapng tuesday.pcap.gz

A capture has no host of its own: without --local, the side that answers counts as local (CQ, CR).";

const SERVE_HELP: &str = "\
Examples:
  tapline serve
  tapline serve --listen 10.0.0.5:8000 --token-file /etc/tapline/token
  curl -H 'Content-Type: application/json' http://localhost:8000/api/logs -d '{\"protocol\":\"TCP\",
    \"src_ip\":\"192.0.2.2\",\"src_port\":1,\"dst_ip\":\"192.0.2.1\",\"dst_port\":80,\"packets\":1,\"bytes\":60}'

POST /api/logs takes one session, an array, or an object a line, plain or gzip. GET /api/logs,
/api/logs/ID and /api/exchanges show what is stored; /api/health, /health and /ready tell the state.
SIGINT and SIGTERM store what was taken; a second one stops at once.";

/// Writes down every cleartext HTTP/1 exchange that this host takes part in.
#[derive(Debug, Parser)]
#[command(name = "tapline", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: CommonFlags,
    #[command(subcommand)]
    pub(super) command: CommandFlags,
}

#[derive(Debug, Subcommand)]
pub(super) enum CommandFlags {
    /// Capture on interfaces of this host (needs root or capabilities)
    #[command(after_help = RUN_HELP)]
    Run(Box<RunFlags>),
    /// Write the lines of pcap and pcapng files (needs no privileges)
    #[command(after_help = READ_HELP)]
    Read(Box<ReadFlags>),
    /// Take records over HTTP and store them: the back end alone (needs no privileges)
    #[command(after_help = SERVE_HELP)]
    Serve(Box<ServeFlags>),
    /// Follow log files and serve the dashboard over them (needs no privileges)
    #[command(after_help = super::watch::HELP)]
    Watch(Box<WatchServerFlags>),
    /// Show exchanges of the store (needs no privileges)
    #[command(after_help = query::EXCHANGES_HELP)]
    Exchanges(Box<ExchangesFlags>),
    /// Show sessions of the store (needs no privileges)
    #[command(after_help = query::SESSIONS_HELP)]
    Sessions(Box<SessionsFlags>),
    /// Generate sessions, events, access logs, HTTP load and packets
    #[command(after_help = super::r#gen::HELP)]
    Gen(Box<GenFlags>),
    /// Analyse access logs and say what matters in them (needs no privileges)
    #[command(after_help = super::report::HELP)]
    Report(Box<ReportFlags>),
    /// Send known traffic through the capture and print what was caught, missed and mistaken
    #[command(after_help = super::selftest::HELP)]
    Selftest(Box<SelftestFlags>),
    /// Say what this host allows, and what to do about what it does not
    Doctor,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct CommonFlags {
    /// Write the result as one JSON document to stdout
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say warnings and errors alone (--log-level warn)
    #[arg(short, long, global = true, conflicts_with_all = ["verbose", "log_level"])]
    pub(super) quiet: bool,
    /// Say how things are done (--log-level debug)
    #[arg(short, long, global = true, conflicts_with = "log_level")]
    verbose: bool,
    /// The least important level that is said [default: info]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = words::<Level>())]
    log_level: Option<String>,
    /// File that takes the program's own messages [default: stderr]
    #[arg(long, global = true, value_name = "FILE", value_parser = Text(Key::DiagnosticsFile))]
    diagnostics: Option<String>,
    /// How the program's own messages look [default: text]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = words::<DiagnosticsFormat>())]
    diagnostics_format: Option<String>,
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub(super) struct ConfigFlags {
    /// Configuration file (YAML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration that results, as YAML that can be fed back, and stop
    #[arg(long)]
    print_config: bool,
}

/// Where a capture ends by itself.
#[derive(Debug, Args)]
struct EndFlags {
    /// Stop after this time: 500ms, 30s, 5m, 1h, 1d; read counts it by the packets
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Stop once this many packets were seen; under load it is some more
    #[arg(long, value_name = "N", value_parser = packets)]
    packets: Option<u64>,
}

/// What is captured.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is captured")]
struct FilterFlags {
    /// Only TCP connections with this port at either end (again for more)
    #[arg(long, value_name = "N", value_parser = Text(Key::CapturePorts))]
    port: Vec<String>,
    /// Only packets with an address in this network at either end (again for more)
    #[arg(long, value_name = "CIDR", value_parser = Text(Key::CaptureNets))]
    net: Vec<String>,
    /// Network that counts as local (again for more)
    #[arg(long, value_name = "CIDR", value_parser = Text(Key::CaptureLocal))]
    local: Vec<String>,
    /// Connections followed at the same time [default: 65536]
    #[arg(long, value_name = "N", value_parser = Text(Key::CaptureFlows))]
    flows: Option<String>,
    /// How much of a long head is collected (in pieces of 2KiB), up to 16KiB [default: 16KiB]
    #[arg(long, value_name = "SIZE", value_parser = Text(Key::CaptureHeadBytes))]
    head_bytes: Option<String>,
}

/// The lines and where they go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Lines")]
struct LineFlags {
    /// Folder of the log files; - or stdout for standard output [default: ./logs; of read stdout]
    #[arg(long, value_name = "DIR", value_parser = Text(Key::LogDir))]
    log_dir: Option<String>,
    /// Four files, one for each of CQ, CR, SQ and SR; for formats of a line a head, in files
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = Text(Key::LogSplit))]
    split: Option<String>,
    /// How a line looks [default: classic]
    #[arg(long, value_name = "NAME", value_parser = words::<LogFormat>())]
    format: Option<String>,
    /// Take secrets out before anything sees them: on, unless false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = Text(Key::RedactEnabled))]
    redact: Option<String>,
    /// Query key whose value is a secret, beside the built-in ones (again for more)
    #[arg(long, value_name = "NAME", value_parser = Text(Key::RedactKeys))]
    redact_key: Vec<String>,
    /// What happens to queries [default: keep]
    #[arg(long, value_name = "WHAT", value_parser = words::<RedactQuery>())]
    redact_query: Option<String>,
}

/// Connections and flows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sessions")]
struct SessionRecordFlags {
    /// How often a session that goes on has a record: 10s, 1m; off: when it is over [default: 1m]
    #[arg(long, value_name = "EVERY", value_parser = Text(Key::SessionsInterim))]
    interim: Option<String>,
    /// Count no sessions
    #[arg(long)]
    no_sessions: bool,
}

/// The database.
#[derive(Debug, Args)]
#[command(next_help_heading = "Store")]
struct StoreFlags {
    /// Folder of the databases of exchanges and sessions [default: ./data]
    #[arg(long, value_name = "DIR", value_parser = Text(Key::StoreDir))]
    data_dir: Option<String>,
    /// Store exchanges and sessions; they are unless told otherwise
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = Text(Key::StoreEnabled))]
    store: Option<String>,
    /// Store nothing
    #[arg(long, conflicts_with = "store")]
    no_store: bool,
}

/// The hooks and what stands behind them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Interfaces and hooks")]
struct HookFlags {
    /// Interface to listen on (again for more); any: all, also those that appear later [default: that
    /// of the default route]
    #[arg(short, long, value_name = "NAME", value_parser = Text(Key::CaptureInterfaces))]
    interface: Vec<String>,
    /// Hook that sees the packets; auto: tc, then socket [default: auto]
    #[arg(long, value_name = "HOOK", value_parser = words::<Attach>())]
    attach: Option<String>,
    /// How XDP is attached [default: native]
    #[arg(long, value_name = "MODE", value_parser = words::<XdpMode>())]
    xdp_mode: Option<String>,
    /// Size of the rings of all CPUs together: a power of two [default: 16MiB]
    #[arg(long, value_name = "SIZE", value_parser = Text(Key::CaptureRing))]
    ring: Option<String>,
    /// User to become once attached
    #[arg(long, value_name = "NAME", value_parser = Text(Key::CaptureUser))]
    user: Option<String>,
    /// Say a line of statistics this often: 10s, 1m; off: never [default: 1m]
    #[arg(long, value_name = "EVERY", value_parser = Text(Key::LogStatistics))]
    statistics: Option<String>,
}

/// Where it can be asked, and by whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerFlags {
    /// Address and port of the API, /metrics and /health; off: none [default: 127.0.0.1:8000; of
    /// watch 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR:PORT", value_parser = Text(Key::ServerListen))]
    listen: Option<String>,
    /// File with the token that whoever asks must give (Authorization: Bearer TOKEN)
    #[arg(long, value_name = "FILE", value_parser = Text(Key::ServerTokenFile))]
    token_file: Option<String>,
    /// Listen on an address that is not a loopback one without asking for a token
    #[arg(long)]
    insecure: bool,
}

/// Flags of `tapline run`.
#[derive(Debug, Args)]
pub(super) struct RunFlags {
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    end: EndFlags,
    #[command(flatten)]
    hooks: HookFlags,
    #[command(flatten)]
    filter: FilterFlags,
    #[command(flatten)]
    lines: LineFlags,
    #[command(flatten)]
    sessions: SessionRecordFlags,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    server: ServerFlags,
}

/// Flags of `tapline read`.
#[derive(Debug, Args)]
pub(super) struct ReadFlags {
    /// Capture files: pcap or pcapng, plain or gzip; - for standard input
    #[arg(required_unless_present = "print_config", value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    end: EndFlags,
    #[command(flatten)]
    filter: FilterFlags,
    #[command(flatten)]
    lines: LineFlags,
    #[command(flatten)]
    sessions: SessionRecordFlags,
}

/// Flags of `tapline serve`.
#[derive(Debug, Args)]
pub(super) struct ServeFlags {
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    server: ServerFlags,
    /// Folder of the databases of exchanges and sessions [default: ./data]
    #[arg(long, value_name = "DIR", value_parser = Text(Key::StoreDir))]
    data_dir: Option<String>,
    /// Stop after this time: 500ms, 30s, 5m, 1h, 1d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
}

/// Flags of `tapline watch`.
#[derive(Debug, Args)]
pub(super) struct WatchServerFlags {
    #[command(flatten)]
    watch: WatchFlags,
    #[command(flatten)]
    pub(super) server: ServerFlags,
}

impl WatchServerFlags {
    /// What is no setting.
    pub(super) fn arguments(self, json: bool) -> WatchArguments {
        self.watch.arguments(self.server.insecure, json)
    }
}

impl ServeFlags {
    /// The settings that the flags stand for.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let mut settings = self.server.settings();
        settings.extend(one(Key::StoreDir, "--data-dir", self.data_dir.as_deref()));
        settings
    }

    /// What is no setting.
    pub(super) const fn arguments(&self, json: bool) -> ServeArguments {
        ServeArguments {
            duration: self.duration,
            insecure: self.server.insecure,
            json,
        }
    }
}

impl ConfigFlags {
    pub(super) fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    pub(super) const fn print(&self) -> bool {
        self.print_config
    }
}

impl RunFlags {
    /// The settings that the flags stand for.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let mut settings = self.hooks.settings();
        settings.extend(self.filter.settings());
        settings.extend(self.lines.settings());
        settings.extend(self.sessions.settings());
        settings.extend(self.store.settings());
        settings.extend(self.server.settings());
        settings
    }

    /// What is no setting.
    pub(super) const fn arguments(&self, json: bool) -> RunArguments {
        let EndFlags { duration, packets } = self.end;
        RunArguments {
            duration,
            packets,
            insecure: self.server.insecure,
            json,
        }
    }
}

impl ReadFlags {
    /// The settings that the flags stand for.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let mut settings = self.filter.settings();
        settings.extend(self.lines.settings());
        settings.extend(self.sessions.settings());
        settings
    }

    /// What is no setting.
    pub(super) fn arguments(self, json: bool) -> Result<ReadArguments, UsageError> {
        let sources: Vec<CaptureSource> = self.files.into_iter().map(source).collect();
        let from_stdin = sources.iter().filter(|one| **one == CaptureSource::Stdin);
        if from_stdin.count() > 1 {
            return Err(UsageError(
                "standard input (-) can be read only once".to_owned(),
            ));
        }
        let EndFlags { duration, packets } = self.end;
        Ok(ReadArguments {
            sources,
            duration,
            packets,
            json,
        })
    }
}
