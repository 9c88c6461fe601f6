//! What a value of each kind must be. Every refusal says so: "must be …".

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use agent_common::record::HEAD_MAX;
use ipnet::IpNet;

use super::units::{format_size, parse_duration, parse_size};
use super::{Interfaces, LogOutput, Refusal};
use crate::alerts::rule::Rule;
use crate::alerts::webhook;
use crate::http::address::Address;

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
const REDACT_KEYS_MAX: usize = 256;
const REDACT_KEY_MAX: usize = 64;
const RULES_MAX: usize = 50;
/// Room for one array of the longest records.
const SPOOL_MIN: u64 = 1 << 20;
/// The word that switches a limit or a report off.
pub(super) const OFF: &str = "off";

pub(super) fn unless_off<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    if text == OFF {
        return Ok(None);
    }
    let refused = |refusal| Refusal::new(format!("{refusal}, or {OFF}"));
    parse(text).map(Some).map_err(refused)
}

pub(super) fn each<T>(
    items: &[String],
    parse: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    items.iter().map(|item| parse(item)).collect()
}

pub(super) fn truth(text: &str) -> Result<bool, Refusal> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::new("must be true or false")),
    }
}

pub(super) fn port(text: &str) -> Result<u16, Refusal> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| Refusal::new("must be a port from 1 to 65535"))
}

/// An address alone is the network of that one host. Bits behind the prefix are refused: whoever wrote them
/// may have meant another prefix, or that host.
pub(super) fn network(text: &str) -> Result<IpNet, Refusal> {
    let network = text.parse::<IpNet>().ok();
    let network = network
        .or_else(|| text.parse().ok().map(|host: IpAddr| host.into()))
        .ok_or_else(|| {
            Refusal::new("must be a network like 10.0.0.0/8 or fd00::/8, or an address")
        })?;
    match network.trunc() {
        whole if whole == network => Ok(network),
        whole => Err(Refusal::new(format!(
            "must be a network, without bits behind its prefix: {whole}, or {} for that host alone",
            network.addr()
        ))),
    }
}

pub(super) fn interfaces(names: &[String]) -> Result<Interfaces, Refusal> {
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

pub(super) fn ring(text: &str) -> Result<u32, Refusal> {
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

pub(super) fn flows(text: &str) -> Result<u32, Refusal> {
    let number = text.parse().ok();
    number
        .filter(|number| (FLOWS_MIN..=FLOWS_MAX).contains(number))
        .map(u32::next_power_of_two)
        .ok_or_else(|| Refusal::new(format!("must be a number from {FLOWS_MIN} to {FLOWS_MAX}")))
}

pub(super) fn head_bytes(text: &str) -> Result<u32, Refusal> {
    let size = parse_size(text).ok().and_then(|size| size.try_into().ok());
    size.filter(|size| (HEAD_BYTES_MIN..=HEAD_BYTES_MAX).contains(size))
        .ok_or_else(|| {
            Refusal::new(format!(
                "must be a size from {HEAD_BYTES_MIN} to {HEAD_BYTES_MAX} bytes"
            ))
        })
}

pub(super) fn user(text: &str) -> Result<Option<String>, Refusal> {
    if text
        .chars()
        .any(|letter| letter.is_control() || matches!(letter, ':' | '/'))
    {
        return Err(Refusal::new("must be the name of a user"));
    }
    Ok(Some(text.to_owned()).filter(|name| !name.is_empty()))
}

pub(super) fn log_output(text: &str) -> Result<LogOutput, Refusal> {
    match text {
        "-" | "stdout" => Ok(LogOutput::Stdout),
        _ => path(text, "must be a folder, or stdout").map(LogOutput::Folder),
    }
}

pub(super) fn store_dir(text: &str) -> Result<PathBuf, Refusal> {
    path(text, "must be a folder")
}

pub(super) fn file_or_none(text: &str) -> Result<Option<PathBuf>, Refusal> {
    match text {
        "" => Ok(None),
        _ => path(text, "must be a file, or empty").map(Some),
    }
}

pub(super) fn api_url(text: &str) -> Result<String, Refusal> {
    match Address::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(what) => Err(Refusal::new(format!(
            "must be the address of an HTTP API: {what}"
        ))),
    }
}

pub(super) fn webhook_url(text: &str) -> Result<String, Refusal> {
    let (address, _) = webhook::split(text);
    match Address::parse(address) {
        _ if text.is_empty() => Ok(String::new()),
        Ok(_) if !text.contains(['#', ' ']) => Ok(text.to_owned()),
        Ok(_) => Err(Refusal::new("must be an address without # and blanks")),
        Err(what) => Err(Refusal::new(format!(
            "must be the address of a webhook, or empty: {what}"
        ))),
    }
}

pub(super) fn alert_rules(texts: &[String]) -> Result<Vec<Rule>, Refusal> {
    if texts.len() > RULES_MAX {
        return Err(Refusal::new(format!("must be at most {RULES_MAX} rules")));
    }
    let rules = each(texts, |text| {
        text.parse::<Rule>()
            .map_err(|error| Refusal::new(format!("must be rules: {error}")))
    })?;
    let is_twice = |rule: &Rule| rules.iter().filter(|one| one.name == rule.name).count() > 1;
    match rules.iter().find(|rule| is_twice(rule)) {
        Some(rule) => Err(Refusal::new(format!(
            "must be rules with names of their own, and {} is there twice",
            rule.name
        ))),
        None => Ok(rules),
    }
}

pub(super) fn api_batch(text: &str) -> Result<u32, Refusal> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| Refusal::new("must be a number from 1 to 10000"))
}

pub(super) fn api_connections(text: &str) -> Result<u32, Refusal> {
    let number = text.parse().ok().filter(|number| (1..=64).contains(number));
    number.ok_or_else(|| Refusal::new("must be a number from 1 to 64"))
}

pub(super) fn up_to_an_hour(text: &str) -> Result<Duration, Refusal> {
    let duration = parse_duration(text)?;
    match duration <= Duration::from_secs(3600) {
        true => Ok(duration),
        false => Err(Refusal::new("must be at most 1h")),
    }
}

pub(super) fn spool_size(text: &str) -> Result<u64, Refusal> {
    let size = parse_size(text)?;
    match size >= SPOOL_MIN {
        true => Ok(size),
        false => Err(Refusal::new("must be at least 1MiB")),
    }
}

/// An address, not a name: what a name stands for may change between two starts.
pub(super) fn listen(text: &str) -> Result<SocketAddr, Refusal> {
    text.parse().map_err(|_none| {
        Refusal::new("must be an address and a port, like 127.0.0.1:8000 or [::1]:8000")
    })
}

pub(super) fn diagnostics_file(text: &str) -> Result<Option<PathBuf>, Refusal> {
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

pub(super) fn rotate_size(text: &str) -> Result<u64, Refusal> {
    let size = parse_size(text)?;
    match size >= 1024 {
        true => Ok(size),
        false => Err(Refusal::new("must be at least 1KiB")),
    }
}

pub(super) fn from_a_second(text: &str) -> Result<Duration, Refusal> {
    let duration = parse_duration(text)?;
    match duration >= Duration::from_secs(1) {
        true => Ok(duration),
        false => Err(Refusal::new("must be at least 1s")),
    }
}

pub(super) fn days(text: &str) -> Result<u32, Refusal> {
    let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| Refusal::new("must be a number of days from 1 to 36500"))
}

pub(super) fn missing(text: &str) -> Result<String, Refusal> {
    if text.len() > MISSING_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::new(format!(
            "must be at most {MISSING_MAX} bytes without control characters"
        )));
    }
    Ok(text.to_owned())
}

pub(super) fn headers(names: &[String]) -> Result<Vec<String>, Refusal> {
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

pub(super) fn redact_keys(names: &[String]) -> Result<Vec<String>, Refusal> {
    if names.len() > REDACT_KEYS_MAX {
        return Err(Refusal::new(format!(
            "must be at most {REDACT_KEYS_MAX} names"
        )));
    }
    match names.iter().all(|name| is_query_key(name)) {
        true => Ok(names.to_vec()),
        false => Err(Refusal::new(format!(
            "must be the name of a query key, like session_id: up to {REDACT_KEY_MAX} letters, digits, - and _"
        ))),
    }
}

/// What divides a query or is encoded in it cannot stand in a name; `-` and `_` alone say nothing.
fn is_query_key(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric();
    name.len() <= REDACT_KEY_MAX
        && name.bytes().any(is_letter)
        && name
            .bytes()
            .all(|byte| is_letter(byte) || matches!(byte, b'-' | b'_'))
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
