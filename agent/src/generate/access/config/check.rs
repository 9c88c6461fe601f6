//! Single values: each read from its text, or refused with what it must be.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use super::{LineFormat, When};
use crate::config::Refusal;

/// The highest rate that is taken, in lines a second.
pub(super) const RATE_MAX: f64 = 1e8;

/// The longest time that is taken, in seconds: a year.
const TIME_MAX: f64 = 31_536_000.0;

/// The longest text that is taken as one value.
const LONGEST_TEXT: usize = 4096;

/// A text without control characters.
pub(super) fn text(text: &str) -> Result<String, Refusal> {
    let is_one =
        !text.is_empty() && text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control);
    match is_one {
        true => Ok(text.to_owned()),
        false => Err(Refusal::new("must be a text without control characters")),
    }
}

/// A folder.
pub(super) fn folder(value: &str) -> Result<PathBuf, Refusal> {
    text(value).map(PathBuf::from)
}

/// `true` or `false`, also as YAML 1.1 writes them.
pub(super) fn truth(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => Err(Refusal::new("must be true or false")),
    }
}

fn number(text: &str, range: RangeInclusive<f64>, must: &str) -> Result<f64, Refusal> {
    let number = text.trim().parse().ok();
    let number = number.filter(|number| range.contains(number));
    number.ok_or_else(|| Refusal::new(format!("must be {must}")))
}

/// Lines a second.
pub(super) fn rate(text: &str) -> Result<f64, Refusal> {
    const MUST: &str = "a number of lines a second above 0, up to 100000000";
    number(text, f64::MIN_POSITIVE..=RATE_MAX, MUST)
}

/// A likelihood.
pub(super) fn share(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0..=1.0, "a number from 0 to 1")
}

/// A weight.
pub(super) fn weight(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0..=1e12, "a weight: a number from 0 on")
}

/// What a rate is multiplied by.
pub(super) fn factor(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0..=1e6, "a number from 0 on")
}

/// A time.
pub(super) fn seconds(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0..=TIME_MAX, "a number of seconds from 0 to a year")
}

/// The size of a file.
pub(super) fn megabytes(text: &str) -> Result<f64, Refusal> {
    const MUST: &str = "a number of megabytes from 0 (any size) on";
    number(text, 0.0..=1e9, MUST)
}

/// Room on a disk.
pub(super) fn gigabytes(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0..=1e6, "a number of gigabytes from 0 on")
}

/// A whole number from `LOW` to `HIGH`.
pub(super) fn whole<const LOW: u32, const HIGH: u32>(text: &str) -> Result<u32, Refusal> {
    let number = text.trim().parse().ok();
    let number = number.filter(|number| (LOW..=HIGH).contains(number));
    number.ok_or_else(|| Refusal::new(format!("must be a whole number from {LOW} to {HIGH}")))
}

/// A port; 0: any.
pub(super) fn port(text: &str) -> Result<u16, Refusal> {
    let port = whole::<0, 65_535>(text)?;
    Ok(u16::try_from(port).unwrap_or_default())
}

/// A status of HTTP.
pub(super) fn status(text: &str) -> Result<u16, Refusal> {
    let status = whole::<100, 599>(text)?;
    Ok(u16::try_from(status).unwrap_or_default())
}

/// An address to listen on.
pub(super) fn address(text: &str) -> Result<IpAddr, Refusal> {
    let address = text.parse();
    address.map_err(|_not_one| Refusal::new("must be an address, like 127.0.0.1 or 0.0.0.0"))
}

/// A network, or an address alone.
pub(super) fn network(text: &str) -> Result<IpNet, Refusal> {
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| Refusal::new("must be a network, like 10.0.0.0/8, or an address"))
}

/// How a line looks.
pub(super) fn format(text: &str) -> Result<LineFormat, Refusal> {
    LineFormat::from_name(text).ok_or_else(|| {
        let names = LineFormat::ALL.map(LineFormat::name).join(", ");
        Refusal::new(format!("must be one of {names}"))
    })
}

/// When files are put aside.
pub(super) fn when(text: &str) -> Result<When, Refusal> {
    When::read(text)
        .ok_or_else(|| Refusal::new("must be one of s, m, h, d, midnight, w0 (Monday) to w6"))
}

/// Scheme and host.
pub(super) fn site(value: &str) -> Result<String, Refusal> {
    let host = value
        .strip_prefix("https://")
        .or_else(|| value.strip_prefix("http://"));
    let fits = |host: &str| {
        !host.is_empty()
            && host.len() <= 255
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    match host.is_some_and(fits) {
        true => Ok(value.to_owned()),
        false => Err(Refusal::new(
            "must be a scheme and a host, like https://example.com",
        )),
    }
}

/// The name of a time zone.
pub(super) fn zone(value: &str) -> Result<String, Refusal> {
    match TimeZone::get(value) {
        Ok(_) => Ok(value.to_owned()),
        Err(_) => Err(Refusal::new(
            "must be the name of a time zone, like UTC or America/New_York",
        )),
    }
}
