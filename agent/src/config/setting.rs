//! One value that was typed, and what it does to the configuration.
//!
//! [`Config::set`] is the only parser of values and [`Config::get`] its inverse:
//! `set(key, get(key))` changes nothing.

use std::fmt;
use std::path::{Path, PathBuf};

use super::parse::{
    OFF, alert_rules, api_batch, api_connections, api_url, days, diagnostics_file, each,
    file_or_none, flows, from_a_second, head_bytes, headers, interfaces, listen, log_output,
    missing, network, port, redact_keys, ring, rotate_size, spool_size, store_dir, truth,
    unless_off, up_to_an_hour, user, webhook_url,
};
use super::units::{format_duration, format_size, parse_size};
use super::word::{Word as _, from_word};
use super::{Config, ConfigError, Interfaces, Key, LogOutput, SinksConfig};

/// A value as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The environment variable of the key.
    Environment,
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
}

/// A key, its value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Why a value is not one for its key: "must be …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    /// A refusal with this reason, which begins with "must".
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl Setting {
    /// As [`Setting::refused`], with the element of a list that is refused by itself, if there is one.
    pub(super) fn narrowed(mut self, refusal: Refusal) -> ConfigError {
        let Value::List(items) = &self.value else {
            return self.refused(refusal);
        };
        let alone = |item: &String| {
            let value = Value::List(vec![item.clone()]);
            let refusal = Config::default().set(self.key, &value).err()?;
            Some((value, refusal))
        };
        // An empty element says more among its neighbours.
        match items.iter().filter(|item| !item.is_empty()).find_map(alone) {
            Some((value, refusal)) => {
                self.value = value;
                self.refused(refusal)
            }
            None => self.refused(refusal),
        }
    }

    /// The error for this setting's value being refused.
    pub(super) fn refused(self, refusal: Refusal) -> ConfigError {
        let (key, value) = (self.key.path(), self.value);
        match self.origin {
            Origin::File { path, line } => ConfigError::FileValue {
                path,
                line,
                key,
                value,
                refusal,
            },
            Origin::Environment => ConfigError::VariableValue {
                variable: self.key.variable(),
                value,
                refusal,
            },
            Origin::Flag(flag) => ConfigError::FlagValue {
                flag,
                value,
                refusal,
            },
        }
    }
}

impl fmt::Display for Value {
    /// The value in quotes, shortened, with control characters escaped.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::List(items) => items.join(", "),
        };
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        write!(formatter, "{shown:?}")
    }
}

impl Config {
    /// Reads `value` as one of `key` and puts it in its place.
    ///
    /// # Errors
    /// What the value must be; the configuration is as it was.
    pub fn set(&mut self, key: Key, value: &Value) -> Result<(), Refusal> {
        match value {
            Value::Text(text) => self.set_text(key, text),
            Value::List(items) => self.set_list(key, items),
        }
    }

    fn set_text(&mut self, key: Key, text: &str) -> Result<(), Refusal> {
        let Self {
            capture,
            log,
            sessions,
            redact,
            store,
            sinks: SinksConfig { api },
            server,
            alerts,
            metrics,
            diagnostics,
        } = self;
        match key {
            Key::CaptureAttach => capture.attach = from_word(text)?,
            Key::CaptureXdpMode => capture.xdp_mode = from_word(text)?,
            Key::CaptureLoopback => capture.loopback = from_word(text)?,
            Key::CaptureRing => capture.ring = ring(text)?,
            Key::CaptureFlows => capture.flows = flows(text)?,
            Key::CaptureHeadBytes => capture.head_bytes = head_bytes(text)?,
            Key::CaptureUser => capture.user = user(text)?,
            Key::LogDir => log.output = log_output(text)?,
            Key::LogFormat => log.format = from_word(text)?,
            Key::LogSplit => log.split = truth(text)?,
            Key::LogRotateSize => log.rotate.size = unless_off(text, rotate_size)?,
            Key::LogRotateAge => log.rotate.age = unless_off(text, from_a_second)?,
            Key::LogRotateCompress => log.rotate.compress = truth(text)?,
            Key::LogRetainDays => log.retain.days = unless_off(text, days)?,
            Key::LogRetainSize => log.retain.size = unless_off(text, parse_size)?,
            Key::LogMissing => log.missing = missing(text)?,
            Key::LogStatistics => log.statistics = unless_off(text, from_a_second)?,
            Key::SessionsEnabled => sessions.enabled = truth(text)?,
            Key::SessionsInterim => sessions.interim = unless_off(text, from_a_second)?,
            Key::SessionsIdleTcp => sessions.idle.tcp = from_a_second(text)?,
            Key::SessionsIdleUdp => sessions.idle.udp = from_a_second(text)?,
            Key::SessionsIdleIcmp => sessions.idle.icmp = from_a_second(text)?,
            Key::RedactEnabled => redact.enabled = truth(text)?,
            Key::RedactQuery => redact.query = from_word(text)?,
            Key::StoreEnabled => store.enabled = truth(text)?,
            Key::StoreDir => store.dir = store_dir(text)?,
            Key::StoreRetainDays => store.retain.days = unless_off(text, days)?,
            Key::StoreRetainSize => store.retain.size = unless_off(text, parse_size)?,
            Key::SinksApiEnabled => api.enabled = truth(text)?,
            Key::SinksApiUrl => api.url = api_url(text)?,
            Key::SinksApiTokenFile => api.token_file = file_or_none(text)?,
            Key::SinksApiCaFile => api.ca_file = file_or_none(text)?,
            Key::SinksApiMode => api.mode = from_word(text)?,
            Key::SinksApiExchanges => api.exchanges = truth(text)?,
            Key::SinksApiBatch => api.batch = api_batch(text)?,
            Key::SinksApiInterval => api.interval = up_to_an_hour(text)?,
            Key::SinksApiTimeout => api.timeout = up_to_an_hour(text)?,
            Key::SinksApiConnections => api.connections = api_connections(text)?,
            Key::SinksApiGzip => api.gzip = truth(text)?,
            Key::SinksApiSpoolDir => api.spool.dir = store_dir(text)?,
            Key::SinksApiSpoolSize => api.spool.size = spool_size(text)?,
            Key::ServerListen => server.listen = unless_off(text, listen)?,
            Key::ServerTokenFile => server.token_file = file_or_none(text)?,
            Key::AlertsWebhookUrl => alerts.webhook.url = webhook_url(text)?,
            Key::AlertsWebhookTokenFile => alerts.webhook.token_file = file_or_none(text)?,
            Key::AlertsWebhookCaFile => alerts.webhook.ca_file = file_or_none(text)?,
            Key::MetricsProgramTime => metrics.program_time = truth(text)?,
            Key::DiagnosticsLevel => diagnostics.level = from_word(text)?,
            Key::DiagnosticsFormat => diagnostics.format = from_word(text)?,
            Key::DiagnosticsFile => diagnostics.file = diagnostics_file(text)?,
            Key::CaptureInterfaces
            | Key::CapturePorts
            | Key::CaptureNets
            | Key::CaptureLocal
            | Key::LogHeaders
            | Key::RedactKeys
            | Key::AlertsRules => return Err(Refusal::new("must be a list, like [first, second]")),
        }
        Ok(())
    }

    fn set_list(&mut self, key: Key, items: &[String]) -> Result<(), Refusal> {
        match key {
            Key::CaptureInterfaces => self.capture.interfaces = interfaces(items)?,
            Key::CapturePorts => self.capture.ports = each(items, port)?,
            Key::CaptureNets => self.capture.nets = each(items, network)?,
            Key::CaptureLocal => self.capture.local = each(items, network)?,
            Key::LogHeaders => self.log.headers = headers(items)?,
            Key::RedactKeys => self.redact.keys = redact_keys(items)?,
            Key::AlertsRules => self.alerts.rules = alert_rules(items)?,
            _ => return Err(Refusal::new("must be one value, not a list")),
        }
        Ok(())
    }

    /// The value of `key`, as it would be typed.
    #[must_use]
    pub fn get(&self, key: Key) -> Value {
        let Self {
            capture,
            log,
            sessions,
            redact,
            store,
            sinks: SinksConfig { api },
            server,
            alerts,
            metrics,
            diagnostics,
        } = self;
        let text = match key {
            Key::CaptureInterfaces => {
                return Value::List(match &capture.interfaces {
                    Interfaces::DefaultRoute => Vec::new(),
                    Interfaces::Any => vec!["any".to_owned()],
                    Interfaces::Named(names) => names.clone(),
                });
            }
            Key::CapturePorts => return list(&capture.ports),
            Key::CaptureNets => return list(&capture.nets),
            Key::CaptureLocal => return list(&capture.local),
            Key::LogHeaders => return Value::List(log.headers.clone()),
            Key::RedactKeys => return Value::List(redact.keys.clone()),
            Key::AlertsRules => return list(&alerts.rules),
            Key::CaptureAttach => capture.attach.word().to_owned(),
            Key::CaptureXdpMode => capture.xdp_mode.word().to_owned(),
            Key::CaptureLoopback => capture.loopback.word().to_owned(),
            Key::CaptureRing => format_size(u64::from(capture.ring)),
            Key::CaptureFlows => capture.flows.to_string(),
            Key::CaptureHeadBytes => format_size(u64::from(capture.head_bytes)),
            Key::CaptureUser => capture.user.clone().unwrap_or_default(),
            Key::LogDir => match &log.output {
                LogOutput::Folder(path) => path_text(path),
                LogOutput::Stdout => "stdout".to_owned(),
            },
            Key::LogFormat => log.format.word().to_owned(),
            Key::LogSplit => log.split.to_string(),
            Key::LogRotateSize => off_or(log.rotate.size, format_size),
            Key::LogRotateAge => off_or(log.rotate.age, format_duration),
            Key::LogRotateCompress => log.rotate.compress.to_string(),
            Key::LogRetainDays => off_or(log.retain.days, |days| days.to_string()),
            Key::LogRetainSize => off_or(log.retain.size, format_size),
            Key::LogMissing => log.missing.clone(),
            Key::LogStatistics => off_or(log.statistics, format_duration),
            Key::SessionsEnabled => sessions.enabled.to_string(),
            Key::SessionsInterim => off_or(sessions.interim, format_duration),
            Key::SessionsIdleTcp => format_duration(sessions.idle.tcp),
            Key::SessionsIdleUdp => format_duration(sessions.idle.udp),
            Key::SessionsIdleIcmp => format_duration(sessions.idle.icmp),
            Key::RedactEnabled => redact.enabled.to_string(),
            Key::RedactQuery => redact.query.word().to_owned(),
            Key::StoreEnabled => store.enabled.to_string(),
            Key::StoreDir => path_text(&store.dir),
            Key::StoreRetainDays => off_or(store.retain.days, |days| days.to_string()),
            Key::StoreRetainSize => off_or(store.retain.size, format_size),
            Key::SinksApiEnabled => api.enabled.to_string(),
            Key::SinksApiUrl => api.url.clone(),
            Key::SinksApiTokenFile => file_text(api.token_file.as_deref()),
            Key::SinksApiCaFile => file_text(api.ca_file.as_deref()),
            Key::SinksApiMode => api.mode.word().to_owned(),
            Key::SinksApiExchanges => api.exchanges.to_string(),
            Key::SinksApiBatch => api.batch.to_string(),
            Key::SinksApiInterval => format_duration(api.interval),
            Key::SinksApiTimeout => format_duration(api.timeout),
            Key::SinksApiConnections => api.connections.to_string(),
            Key::SinksApiGzip => api.gzip.to_string(),
            Key::SinksApiSpoolDir => path_text(&api.spool.dir),
            Key::SinksApiSpoolSize => format_size(api.spool.size),
            Key::ServerListen => off_or(server.listen, |address| address.to_string()),
            Key::ServerTokenFile => file_text(server.token_file.as_deref()),
            Key::AlertsWebhookUrl => alerts.webhook.url.clone(),
            Key::AlertsWebhookTokenFile => file_text(alerts.webhook.token_file.as_deref()),
            Key::AlertsWebhookCaFile => file_text(alerts.webhook.ca_file.as_deref()),
            Key::MetricsProgramTime => metrics.program_time.to_string(),
            Key::DiagnosticsLevel => diagnostics.level.word().to_owned(),
            Key::DiagnosticsFormat => diagnostics.format.word().to_owned(),
            Key::DiagnosticsFile => match &diagnostics.file {
                Some(path) => path_text(path),
                None => "stderr".to_owned(),
            },
        };
        Value::Text(text)
    }
}

fn list<T: ToString>(items: &[T]) -> Value {
    Value::List(items.iter().map(ToString::to_string).collect())
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn file_text(path: Option<&Path>) -> String {
    path.map(path_text).unwrap_or_default()
}

fn off_or<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| OFF.to_owned(), format)
}
