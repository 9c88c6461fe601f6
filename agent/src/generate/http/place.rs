//! Where load goes: a URL, the address that its name has, and whether load may go there.
//!
//! Load goes to this host alone (loopback, or a network namespace that Tapline's own tests made), unless
//! somebody says which other host may have it. What counts is the address: a name is looked up once, at
//! the start, and an answer that points elsewhere (a redirect) is never followed.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ipnet::IpNet;

use crate::config::Refusal;

/// A URL of the scheme http.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    /// Name or address, without brackets.
    pub host: String,
    /// The port; 80 where the URL has none.
    pub port: u16,
    /// Path and query.
    pub target: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// What it must be.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let refusal = || Refusal::new("must be a URL like http://127.0.0.1:8080/path?query");
        if text.to_ascii_lowercase().starts_with("https://") {
            return Err(Refusal::new(
                "must begin with http://: what is encrypted is not spoken here",
            ));
        }
        let scheme = text.get(..7).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("http://") {
            return Err(refusal());
        }
        let behind = text.get(7..).unwrap_or_default();
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at(end);
        let rest = rest.split('#').next().unwrap_or_default();
        let target = match rest.starts_with('/') {
            true => rest.to_owned(),
            false => format!("/{rest}"),
        };
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::new(
                "must be visible ASCII without blanks: write others as %20",
            ));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, port) = inner.split_once(']').ok_or_else(refusal)?;
                host.parse::<std::net::Ipv6Addr>()
                    .map_err(|_none| refusal())?;
                (
                    host,
                    port.strip_prefix(':')
                        .map_or((port, false), |port| (port, true)),
                )
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, (port, true)),
                None => (authority, ("", false)),
            },
        };
        let port = match port {
            ("", false) => 80,
            (text, true) if text.bytes().all(|byte| byte.is_ascii_digit()) => text
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(refusal)?,
            _ => return Err(refusal()),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_host = authority.starts_with('[') || host.bytes().all(is_name);
        if host.is_empty() || host.len() > 253 || !is_host {
            return Err(refusal());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            target,
        })
    }

    /// What stands in the Host field.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port {
            80 => host,
            port => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}{}", self.authority(), self.target)
    }
}

/// Load cannot go there.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The name has no address.
    #[error("cannot find the address of {host}")]
    Unknown {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// Nobody said that it may have load.
    #[error("{address} is not of loopback: say --target-allowed {host} if it may have load")]
    Foreign {
        /// The name.
        host: String,
        /// What it stands for.
        address: IpAddr,
    },
}

/// The address of a URL's host, if load may go there.
///
/// # Errors
/// The name has no address, or is that of another host, and not one of `allowed`.
pub fn find(url: &Url, allowed: &[Allowed]) -> Result<SocketAddr, PlaceError> {
    let address = look_up(&url.host, url.port)?;
    let ip = address.ip().to_canonical();
    if ip.is_loopback() || in_test_namespace() {
        return Ok(address);
    }
    for allowed in allowed {
        let is_it = match allowed {
            Allowed::Network(network) => network.contains(&ip),
            Allowed::Name(name) => {
                let same = |other: SocketAddr| other.ip().to_canonical() == ip;
                all(name, url.port)?.into_iter().any(same)
            }
        };
        if is_it {
            return Ok(address);
        }
    }
    Err(PlaceError::Foreign {
        host: url.host.clone(),
        address: ip,
    })
}

/// A host outside that may have load.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Allowed {
    /// By address or network.
    Network(IpNet),
    /// By name: all addresses that it has.
    Name(String),
}

impl Allowed {
    /// Reads what `--target-allowed` names.
    ///
    /// # Errors
    /// What it must be.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        match !text.is_empty() && text.len() <= 253 && text.bytes().all(is_name) {
            true => Ok(Self::Name(text.to_owned())),
            false => Err(Refusal::new(
                "must be a name, an address or a network, like shop.test, 10.0.0.5 or 10.0.0.0/8",
            )),
        }
    }
}

fn all(host: &str, port: u16) -> Result<Vec<SocketAddr>, PlaceError> {
    let found = (host, port).to_socket_addrs();
    let found: io::Result<Vec<SocketAddr>> = found.map(Iterator::collect);
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(PlaceError::Unknown {
            host: host.to_owned(),
            source: io::Error::from(io::ErrorKind::NotFound),
        }),
        Err(source) => Err(PlaceError::Unknown {
            host: host.to_owned(),
            source,
        }),
    }
}

/// The address of a name; of several, the first of IPv4, since that is where a server listens that
/// listens on one.
fn look_up(host: &str, port: u16) -> Result<SocketAddr, PlaceError> {
    let found = all(host, port)?;
    let of_v4 = found.iter().find(|address| address.is_ipv4());
    of_v4
        .or_else(|| found.first())
        .copied()
        .ok_or_else(|| PlaceError::Unknown {
            host: host.to_owned(),
            source: io::Error::from(io::ErrorKind::NotFound),
        })
}

/// Whether we are in a network namespace that Tapline's own tests, demo or selftest made: nothing in it
/// is anybody else's.
fn in_test_namespace() -> bool {
    let Ok(own) = fs::metadata("/proc/thread-self/ns/net") else {
        return false;
    };
    is_one_of(Path::new("/run/netns"), &own)
}

fn is_one_of(folder: &Path, own: &fs::Metadata) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let is_ours = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(b"tapline-");
        let same = |other: fs::Metadata| (other.dev(), other.ino()) == (own.dev(), own.ino());
        is_ours && fs::metadata(entry.path()).is_ok_and(same)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls() {
        let check = |text: &str, host: &str, port: u16, target: &str, authority: &str| {
            let url = Url::read(text).unwrap();
            let found = (url.host.as_str(), url.port, url.target.as_str());
            assert_eq!(found, (host, port, target), "{text}");
            assert_eq!(url.authority(), authority, "{text}");
        };
        check("http://a", "a", 80, "/", "a");
        check("HTTP://A.b:80/c?d#e", "A.b", 80, "/c?d", "A.b");
        check(
            "http://127.0.0.1:8080/",
            "127.0.0.1",
            8080,
            "/",
            "127.0.0.1:8080",
        );
        check("http://[::1]:81?x", "::1", 81, "/?x", "[::1]:81");
        check("http://[::1]", "::1", 80, "/", "[::1]");
        for bad in [
            "",
            "a",
            "http:/a",
            "ftp://a",
            "https://a",
            "http://",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a:+1",
            "http://a:1:2",
            "http://u@a",
            "http://a b",
            "http://a/b c",
            "http://[::1",
            "http://[x]",
            "http://[::1]1",
            "http://ä",
            "http:///",
        ] {
            assert!(Url::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn load_stays_here() {
        let at = |host: &str, allowed: &[&str]| {
            let url = Url::read(&format!("http://{host}:9/")).unwrap();
            let allowed: Vec<Allowed> = allowed
                .iter()
                .map(|text| Allowed::read(text).unwrap())
                .collect();
            find(&url, &allowed)
        };
        for here in [
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "localhost",
        ] {
            assert_eq!(at(here, &[]).unwrap().port(), 9, "{here}");
        }
        for there in [
            "192.0.2.1",
            "[2001:db8::1]",
            "[::ffff:192.0.2.1]",
            "0.0.0.0",
        ] {
            let error = at(there, &[]).unwrap_err();
            assert!(error.to_string().contains("--target-allowed"), "{error}");
            assert!(at(there, &["198.51.100.1", "localhost"]).is_err());
        }
        assert!(at("192.0.2.1", &["192.0.2.1"]).is_ok());
        assert!(at("192.0.2.1", &["192.0.2.0/24"]).is_ok());
        assert!(at("[::ffff:192.0.2.1]", &["192.0.2.0/24"]).is_ok());
        assert!(at("192.0.2.1", &["192.0.3.0/24"]).is_err());
        let error = at("no-such-host.invalid", &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot find the address of no-such-host.invalid"
        );
    }

    #[test]
    fn a_namespace_is_known_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tapline-x");
        fs::write(&file, "").unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        let of = |name: &str| fs::metadata(folder.path().join(name)).unwrap();
        assert!(is_one_of(folder.path(), &of("tapline-x")));
        assert!(!is_one_of(folder.path(), &of("other")));
        assert!(!is_one_of(&folder.path().join("none"), &of("other")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(http://)?(\\PC|:|\\[|\\]|/){0,20}") {
            if let Ok(url) = Url::read(&text) {
                prop_assert_eq!(Url::read(&url.to_string()).unwrap(), url);
            }
            drop(Allowed::read(&text));
        }
    }
}
