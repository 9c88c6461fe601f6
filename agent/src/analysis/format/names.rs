//! The formats by their names: those of GoAccess, and our own.

use std::str::FromStr;

/// How lines look.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Format {
    /// NCSA combined, as Apache and nginx write it; further fields are passed over.
    Combined,
    /// NCSA common.
    Common,
    /// Combined with the virtual host in front.
    Vcombined,
    /// Common with the virtual host in front.
    Vcommon,
    /// Combined with microseconds behind (`%D` of Apache).
    CombinedTime,
    /// Combined with seconds behind (`$request_time` of nginx).
    CombinedSeconds,
    /// Combined with bytes read and sent behind (`%I %O`).
    CombinedIo,
    /// Traefik's common log.
    Traefik,
    /// W3C extended, milliseconds in `time-taken`, as IIS writes it.
    W3c,
    /// Amazon CloudFront: W3C with tabs, seconds in `time-taken`.
    CloudFront,
    /// JSON objects: Tapline's heads and exchanges, `gen events` records, ECS, nginx and others.
    Json,
    /// Caddy's JSON.
    Caddy,
    /// Amazon's classic load balancer.
    Elb,
    /// Amazon's application load balancer.
    Alb,
    /// Squid's native log.
    Squid,
    /// `2026-11-01T00:00:00Z GET /path 200 72ms`.
    Simple,
    /// Tapline's classic line, one a head.
    Classic,
    /// A format string of GoAccess.
    Pattern,
}

/// Names, the one that is shown first.
const NAMES: [(Format, &[&str]); 18] = [
    (Format::Combined, &["COMBINED", "nginx", "apache"]),
    (Format::Common, &["COMMON", "clf"]),
    (Format::Vcombined, &["VCOMBINED", "vhost_combined"]),
    (Format::Vcommon, &["VCOMMON", "vhost_common"]),
    (Format::CombinedTime, &["combined_time"]),
    (Format::CombinedSeconds, &["combined_seconds"]),
    (Format::CombinedIo, &["combinedio"]),
    (Format::Traefik, &["TRAEFIKCLF"]),
    (Format::W3c, &["W3C", "iis"]),
    (Format::CloudFront, &["CLOUDFRONT"]),
    (Format::Json, &["json", "events", "ecs"]),
    (Format::Caddy, &["CADDY"]),
    (Format::Elb, &["AWSELB"]),
    (Format::Alb, &["AWSALB"]),
    (Format::Squid, &["SQUID"]),
    (Format::Simple, &["simple"]),
    (Format::Classic, &["classic"]),
    (Format::Pattern, &["pattern"]),
];

impl Format {
    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(format, _)| *format)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(format, _)| *format == self)
            .and_then(|(_, names)| names.first())
            .unwrap_or(&"pattern")
    }
}

/// A name that no format has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no format has this name")]
pub struct NoFormat;

impl FromStr for Format {
    type Err = NoFormat;

    /// Names in any case.
    fn from_str(text: &str) -> Result<Self, NoFormat> {
        NAMES
            .iter()
            .find(|(format, names)| {
                *format != Self::Pattern && names.iter().any(|name| name.eq_ignore_ascii_case(text))
            })
            .map(|(format, _)| *format)
            .ok_or(NoFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for format in Format::all().filter(|format| *format != Format::Pattern) {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(format.name().to_lowercase().parse(), Ok(format));
        }
        assert_eq!("".parse::<Format>(), Err(NoFormat));
        assert_eq!("pattern".parse::<Format>(), Err(NoFormat));
    }
}
