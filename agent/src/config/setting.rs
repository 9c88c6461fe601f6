//! One value that was typed, and what it does to the configuration.
//!
//! [`Config::set`] is the only parser of values and [`Config::get`] its inverse:
//! `set(key, get(key))` changes nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_common::record::HEAD_MAX;
use ipnet::IpNet;

use super::units::{format_duration, format_size, parse_duration, parse_size};
use super::word::Word;
use super::{Config, ConfigError, Interfaces, Key, LogOutput};

/// The longest head that can be asked for.
pub(super) const HEAD_BYTES_MAX: u32 = HEAD_MAX as u32;
const HEAD_BYTES_MIN: u32 = 64;
const RING_MAX: u64 = 1 << 30;
const FLOWS_MIN: u32 = 256;
const FLOWS_MAX: u32 = 1 << 22;
/// Bytes of an interface's name at most: the kernel's IFNAMSIZ without the closing zero.
const INTERFACE_NAME_MAX: usize = 15;
const HEADERS_MAX: usize = 64;
const MISSING_MAX: usize = 64;
/// The word that switches a limit or a report off.
const OFF: &str = "off";

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
            diagnostics,
        } = self;
        match key {
            Key::CaptureAttach => capture.attach = Word::from_word(text)?,
            Key::CaptureXdpMode => capture.xdp_mode = Word::from_word(text)?,
            Key::CaptureLoopback => capture.loopback = Word::from_word(text)?,
            Key::CaptureRing => capture.ring = ring(text)?,
            Key::CaptureFlows => capture.flows = flows(text)?,
            Key::CaptureHeadBytes => capture.head_bytes = head_bytes(text)?,
            Key::CaptureUser => capture.user = user(text)?,
            Key::LogDir => log.output = log_output(text)?,
            Key::LogFormat => log.format = Word::from_word(text)?,
            Key::LogSplit => log.split = truth(text)?,
            Key::LogRotateSize => log.rotate.size = unless_off(text, rotate_size)?,
            Key::LogRotateAge => log.rotate.age = unless_off(text, from_a_second)?,
            Key::LogRotateCompress => log.rotate.compress = truth(text)?,
            Key::LogRetainDays => log.retain.days = unless_off(text, days)?,
            Key::LogRetainSize => log.retain.size = unless_off(text, parse_size)?,
            Key::LogMissing => log.missing = missing(text)?,
            Key::LogStatistics => log.statistics = unless_off(text, from_a_second)?,
            Key::DiagnosticsLevel => diagnostics.level = Word::from_word(text)?,
            Key::DiagnosticsFormat => diagnostics.format = Word::from_word(text)?,
            Key::DiagnosticsFile => diagnostics.file = diagnostics_file(text)?,
            Key::CaptureInterfaces
            | Key::CapturePorts
            | Key::CaptureNets
            | Key::CaptureLocal
            | Key::LogHeaders => return Err(Refusal::new("must be a list, like [first, second]")),
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

fn off_or<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| OFF.to_owned(), format)
}

fn unless_off<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    if text == OFF {
        return Ok(None);
    }
    let refused = |refusal| Refusal::new(format!("{refusal}, or {OFF}"));
    parse(text).map(Some).map_err(refused)
}

fn each<T>(
    items: &[String],
    parse: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    items.iter().map(|item| parse(item)).collect()
}

fn truth(text: &str) -> Result<bool, Refusal> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::new("must be true or false")),
    }
}

fn port(text: &str) -> Result<u16, Refusal> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| Refusal::new("must be a port from 1 to 65535"))
}

/// An address alone is the network of that one host; bits behind the prefix are dropped.
fn network(text: &str) -> Result<IpNet, Refusal> {
    let network = text.parse::<IpNet>().ok();
    network
        .or_else(|| text.parse().ok().map(|host: std::net::IpAddr| host.into()))
        .map(|network| network.trunc())
        .ok_or_else(|| Refusal::new("must be a network like 10.0.0.0/8 or fd00::/8, or an address"))
}

fn interfaces(names: &[String]) -> Result<Interfaces, Refusal> {
    if names.is_empty() {
        return Ok(Interfaces::DefaultRoute);
    }
    if names.iter().any(|name| name == "any") {
        return match names.len() {
            1 => Ok(Interfaces::Any),
            _ => Err(Refusal::new("must be any alone, or names without any")),
        };
    }
    match names.iter().all(|name| is_interface_name(name)) {
        true => Ok(Interfaces::Named(names.to_vec())),
        false => Err(Refusal::new(
            "must be the name of an interface: 1 to 15 bytes, no space, no slash and no colon",
        )),
    }
}

/// The kernel's own rule (`dev_valid_name`), less what a terminal would take for a command.
fn is_interface_name(name: &str) -> bool {
    (1..=INTERFACE_NAME_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.chars().any(|letter| {
            matches!(letter, '/' | ':') || letter.is_whitespace() || letter.is_control()
        })
}

fn ring(text: &str) -> Result<u32, Refusal> {
    let page = page_size();
    parse_size(text)
        .ok()
        .filter(|size| size.is_power_of_two() && (page..=RING_MAX).contains(size))
        .and_then(|size| u32::try_from(size).ok())
        .ok_or_else(|| {
            Refusal::new(format!(
                "must be a power of two from {} to {}, like 16MiB",
                format_size(page),
                format_size(RING_MAX)
            ))
        })
}

/// Bytes of a page of memory: a power of two, so a larger power of two is a multiple of it.
pub(super) fn page_size() -> u64 {
    // SAFETY: `sysconf` takes no pointers and only reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

fn flows(text: &str) -> Result<u32, Refusal> {
    let number = text.parse().ok();
    number
        .filter(|number| (FLOWS_MIN..=FLOWS_MAX).contains(number))
        .map(u32::next_power_of_two)
        .ok_or_else(|| Refusal::new(format!("must be a number from {FLOWS_MIN} to {FLOWS_MAX}")))
}

fn head_bytes(text: &str) -> Result<u32, Refusal> {
    let size = parse_size(text).ok().and_then(|size| size.try_into().ok());
    size.filter(|size| (HEAD_BYTES_MIN..=HEAD_BYTES_MAX).contains(size))
        .ok_or_else(|| {
            Refusal::new(format!(
                "must be a size from {HEAD_BYTES_MIN} to {HEAD_BYTES_MAX} bytes"
            ))
        })
}

fn user(text: &str) -> Result<Option<String>, Refusal> {
    if text
        .chars()
        .any(|letter| letter.is_control() || matches!(letter, ':' | '/'))
    {
        return Err(Refusal::new("must be the name of a user"));
    }
    Ok(Some(text.to_owned()).filter(|name| !name.is_empty()))
}

fn log_output(text: &str) -> Result<LogOutput, Refusal> {
    match text {
        "-" | "stdout" => Ok(LogOutput::Stdout),
        _ => path(text, "must be a folder, or stdout").map(LogOutput::Folder),
    }
}

fn diagnostics_file(text: &str) -> Result<Option<PathBuf>, Refusal> {
    match text {
        "stderr" => Ok(None),
        _ => path(text, "must be a file, or stderr").map(Some),
    }
}

fn path(text: &str, what: &str) -> Result<PathBuf, Refusal> {
    if text.is_empty() || text.contains('\0') {
        return Err(Refusal::new(what));
    }
    Ok(PathBuf::from(text))
}

fn rotate_size(text: &str) -> Result<u64, Refusal> {
    let size = parse_size(text)?;
    match size >= 1024 {
        true => Ok(size),
        false => Err(Refusal::new("must be at least 1KiB")),
    }
}

fn from_a_second(text: &str) -> Result<Duration, Refusal> {
    let duration = parse_duration(text)?;
    match duration >= Duration::from_secs(1) {
        true => Ok(duration),
        false => Err(Refusal::new("must be at least 1s")),
    }
}

fn days(text: &str) -> Result<u32, Refusal> {
    let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| Refusal::new("must be a number of days from 1 to 36500"))
}

fn missing(text: &str) -> Result<String, Refusal> {
    if text.len() > MISSING_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::new(format!(
            "must be at most {MISSING_MAX} bytes without control characters"
        )));
    }
    Ok(text.to_owned())
}

fn headers(names: &[String]) -> Result<Vec<String>, Refusal> {
    if names.len() > HEADERS_MAX {
        return Err(Refusal::new(format!("must be at most {HEADERS_MAX} names")));
    }
    match names.iter().all(|name| is_token(name)) {
        true => Ok(names.to_vec()),
        false => Err(Refusal::new(
            "must be the name of a header field, like X-Request-Id",
        )),
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
