//! What the program is to do: the resolved configuration.
//!
//! [`Config`] is what is *meant*: complete, checked, free of "not given". What was *typed* is a list
//! of [`Setting`]s, each with its [`Origin`], one list a layer:
//!
//! ```text
//! defaults  <  YAML file  <  TAPLINE_* variables  <  flags
//! ```
//!
//! Every layer speaks in the same keys ([`Key`]) and the same texts, so there is one parser for a
//! value wherever it comes from ([`Config::set`]), and [`Config::get`] is its inverse. A key that no
//! part of the program honours does not exist and is refused.

mod environment;
mod error;
mod file;
mod key;
mod nearest;
mod parse;
mod print;
mod setting;
pub mod tree;
mod units;
mod word;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::alerts::rule::Rule;
use crate::capture::flows::IdleLimits;

pub use environment::settings_from_environment;
pub use error::ConfigError;
pub use file::{FILE_MAX, settings_from_file, settings_from_yaml};
pub use key::Key;
pub(crate) use nearest::nearest;
pub use print::print;
pub(crate) use print::quoted;
pub use setting::{Origin, Refusal, Setting, Value};
pub use units::parse_duration;
pub(crate) use units::{format_duration, format_size, parse_size};
pub(crate) use word::words;
pub use word::{
    ApiMode, Attach, DiagnosticsFormat, Level, LogFormat, Loopback, RedactQuery, Word, XdpMode,
    from_word,
};

/// The resolved configuration of one run of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What is captured, and how.
    pub capture: CaptureConfig,
    /// The lines and where they go.
    pub log: LogConfig,
    /// Connections and flows, and when each becomes a record.
    pub sessions: SessionsConfig,
    /// What is taken out of heads before anything sees them.
    pub redact: RedactConfig,
    /// The database of exchanges and sessions.
    pub store: StoreConfig,
    /// Where records are sent.
    pub sinks: SinksConfig,
    /// Where it can be asked, and by whom.
    pub server: ServerConfig,
    /// When somebody is told, and who.
    pub alerts: AlertsConfig,
    /// What is measured beside what is counted anyway.
    pub metrics: MetricsConfig,
    /// What the program says about itself.
    pub diagnostics: DiagnosticsConfig,
}

/// `capture`: what is captured, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureConfig {
    /// The interfaces to listen on.
    pub interfaces: Interfaces,
    /// The hook to use.
    pub attach: Attach,
    /// How XDP is attached, where `attach` is XDP.
    pub xdp_mode: XdpMode,
    /// Only TCP connections with one of these ports at either end; empty: all. Never 0.
    pub ports: Vec<u16>,
    /// Only packets with an address in one of these networks at either end; empty: all.
    pub nets: Vec<IpNet>,
    /// Networks that count as local beside (or, for capture files, in place of) the host's own.
    pub local: Vec<IpNet>,
    /// One line or two for a head that stays on the host.
    pub loopback: Loopback,
    /// Bytes of the ring buffer: a power of two and a multiple of the page size.
    pub ring: u32,
    /// Places in the connection table: a power of two.
    pub flows: u32,
    /// Bytes of the longest head that is written whole, 64 to
    /// [`HEAD_MAX`](agent_common::record::HEAD_MAX).
    pub head_bytes: u32,
    /// The user to become once attached; `None`: stay.
    pub user: Option<String>,
}

/// The interfaces to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// The interface of the default route (an empty list).
    DefaultRoute,
    /// All, also those that appear later (`any`).
    Any,
    /// These, at least one.
    Named(Vec<String>),
}

/// `log`: the lines and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Where lines go (`log.dir`).
    pub output: LogOutput,
    /// How a line looks.
    pub format: LogFormat,
    /// Four files, one a kind (CQ, CR, SQ, SR), in place of one. Of no effect on stdout.
    pub split: bool,
    /// When a file is set aside within its day.
    pub rotate: RotateConfig,
    /// How long files that are set aside stay.
    pub retain: RetainConfig,
    /// What a classic line has in the place of a missing value. No control characters.
    pub missing: String,
    /// Names of the header fields that a JSON line carries in `headers`.
    pub headers: Vec<String>,
    /// How often a line of statistics is said in the diagnostics; `None`: never.
    pub statistics: Option<Duration>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Files by day in this folder.
    Folder(PathBuf),
    /// Standard output.
    Stdout,
}

/// `log.rotate`: when a file is set aside within its day. A new day always begins a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateConfig {
    /// At this many bytes; `None`: at any size.
    pub size: Option<u64>,
    /// At this age; `None`: at any age.
    pub age: Option<Duration>,
    /// Compress (gzip) what was set aside, in the background.
    pub compress: bool,
}

/// `log.retain` and `store.retain`: how long files of the past stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetainConfig {
    /// Days; `None`: for ever.
    pub days: Option<u32>,
    /// Bytes of all files together; `None`: any number.
    pub size: Option<u64>,
}

/// `sessions`: connections and flows, and when each becomes a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionsConfig {
    /// Whether they are counted at all.
    pub enabled: bool,
    /// How often one that goes on has a record; `None`: when it is over.
    pub interim: Option<Duration>,
    /// When one is over without an end of its own.
    pub idle: IdleLimits,
}

/// `redact`: what is taken out of heads before anything sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactConfig {
    /// Whether anything is.
    pub enabled: bool,
    /// Names of query keys whose values are secrets, beside the built-in ones.
    pub keys: Vec<String>,
    /// What happens to the rest of a query.
    pub query: RedactQuery,
}

/// `store`: the database of exchanges and sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Whether `tapline run` stores at all.
    pub enabled: bool,
    /// The folder of the databases, one a day.
    pub dir: PathBuf,
    /// How long the databases of past days stay.
    pub retain: RetainConfig,
}

/// `sinks`: where records are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinksConfig {
    /// An HTTP API.
    pub api: ApiConfig,
}

/// `sinks.api`: sessions, and exchanges if that is asked for, to an HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Whether `tapline run` sends at all.
    pub enabled: bool,
    /// The address of the API: `/logs` is put behind it.
    pub url: String,
    /// The file with the bearer token; `None`: none is sent.
    pub token_file: Option<PathBuf>,
    /// The certificates in PEM that are trusted; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// What a request holds.
    pub mode: ApiMode,
    /// Whether exchanges are sent too.
    pub exchanges: bool,
    /// Records in an array at most, 1 to 10,000.
    pub batch: u32,
    /// How long a record waits for an array to become full.
    pub interval: Duration,
    /// How long a request may take.
    pub timeout: Duration,
    /// Requests under way at the same time, 1 to 64.
    pub connections: u32,
    /// Whether arrays are compressed.
    pub gzip: bool,
    /// Where records wait that cannot be sent.
    pub spool: SpoolConfig,
}

/// `sinks.api.spool`: where records wait that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolConfig {
    /// The folder.
    pub dir: PathBuf,
    /// Bytes that it may take.
    pub size: u64,
}

/// `server`: where it can be asked, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address and port to listen on (port 0: the kernel picks one); `None`: no server.
    pub listen: Option<SocketAddr>,
    /// The file with the token that whoever asks must give; `None`: none is asked for.
    pub token_file: Option<PathBuf>,
}

/// `alerts`: when somebody is told, and who.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertsConfig {
    /// The rules, each with a name of its own; empty: none.
    pub rules: Vec<Rule>,
    /// Who is told.
    pub webhook: WebhookConfig,
}

/// `alerts.webhook`: who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookConfig {
    /// The address; empty: nobody.
    pub url: String,
    /// The file with the bearer token; `None`: none is sent.
    pub token_file: Option<PathBuf>,
    /// The certificates in PEM that are trusted; `None`: the system's.
    pub ca_file: Option<PathBuf>,
}

/// `metrics`: what is measured beside what is counted anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Whether the run time of the kernel programs is measured.
    pub program_time: bool,
}

/// `diagnostics`: what the program says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagnosticsConfig {
    /// The least important level that is said.
    pub level: Level,
    /// How a message looks.
    pub format: DiagnosticsFormat,
    /// The file that takes the messages; `None`: stderr.
    pub file: Option<PathBuf>,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        Self {
            interfaces: Interfaces::DefaultRoute,
            attach: Attach::Auto,
            xdp_mode: XdpMode::Native,
            ports: Vec::new(),
            nets: Vec::new(),
            local: Vec::new(),
            loopback: Loopback::Once,
            ring: 16 << 20,
            flows: 1 << 16,
            head_bytes: parse::HEAD_BYTES_MAX,
            user: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            output: LogOutput::Folder(PathBuf::from("./logs")),
            format: LogFormat::Classic,
            split: false,
            rotate: RotateConfig::default(),
            retain: RetainConfig::default(),
            missing: "-".to_owned(),
            headers: ["X-Forwarded-For", "Forwarded", "X-Request-Id"]
                .map(str::to_owned)
                .to_vec(),
            statistics: Some(Duration::from_secs(60)),
        }
    }
}

impl Default for RotateConfig {
    fn default() -> Self {
        Self {
            size: None,
            age: None,
            compress: true,
        }
    }
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interim: Some(Duration::from_secs(60)),
            idle: IdleLimits::default(),
        }
    }
}

impl Default for RedactConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            keys: Vec::new(),
            query: RedactQuery::Keep,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            dir: PathBuf::from("./data"),
            retain: RetainConfig {
                days: Some(14),
                size: Some(10 << 30),
            },
        }
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            url: "http://127.0.0.1:8000/api".to_owned(),
            token_file: None,
            ca_file: None,
            mode: ApiMode::Array,
            exchanges: false,
            batch: 500,
            interval: Duration::from_millis(200),
            timeout: Duration::from_secs(10),
            connections: 4,
            gzip: true,
            spool: SpoolConfig::default(),
        }
    }
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("./spool"),
            size: 1 << 30,
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000))),
            token_file: None,
        }
    }
}

impl Default for DiagnosticsConfig {
    fn default() -> Self {
        Self {
            level: Level::Info,
            format: DiagnosticsFormat::Text,
            file: None,
        }
    }
}

/// Where the value of each key came from; a key that is not in it has its default.
pub type Origins = BTreeMap<Key, Origin>;

impl Config {
    /// Puts `layers` over `defaults`, the later one winning, and says where each value came from.
    /// A list takes the place of the whole list below it.
    ///
    /// # Errors
    /// The first value that is not one for its key, also where a later layer would win over it.
    pub fn resolve(
        defaults: Self,
        layers: impl IntoIterator<Item = Vec<Setting>>,
    ) -> Result<(Self, Origins), ConfigError> {
        let mut config = defaults;
        let mut origins = Origins::new();
        for setting in layers.into_iter().flatten() {
            if let Err(refusal) = config.set(setting.key, &setting.value) {
                return Err(setting.narrowed(refusal));
            }
            origins.insert(setting.key, setting.origin);
        }
        Ok((config, origins))
    }

    /// The defaults of `tapline read`: as ever, but lines go to stdout.
    #[must_use]
    pub fn defaults_of_read() -> Self {
        let mut config = Self::default();
        config.log.output = LogOutput::Stdout;
        config
    }
}
