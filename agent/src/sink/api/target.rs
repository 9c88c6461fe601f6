//! Where records go: the address, who we are there, and whom we trust.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::http::HeaderValue;
use hyper::http::uri::Authority;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::http::address::Address;

/// Characters of a token at most.
const TOKEN_MOST: u64 = 4096;

/// What those who tell a target what it is know its parts by: keys of a file, or flags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Names {
    /// Of the address.
    pub url: &'static str,
    /// Of the file with the token.
    pub token_file: &'static str,
    /// Of the file with the certificates that are trusted.
    pub ca_file: &'static str,
    /// Of whether bodies are compressed.
    pub gzip: &'static str,
}

impl Names {
    /// Those of the configuration.
    pub const KEYS: Self = Self {
        url: "sinks.api.url (--api-url)",
        token_file: "sinks.api.token_file",
        ca_file: "sinks.api.ca_file",
        gzip: "sinks.api.gzip",
    };
}

/// Where records go. Reads files when it is made: while there are privileges.
#[derive(Clone)]
pub struct Target {
    names: Names,
    authority: Authority,
    host: String,
    port: u16,
    /// What the path of every request begins with; no slash at its end.
    path: String,
    tls: Option<Tls>,
    token: Option<Arc<TokenFile>>,
}

/// A connection is encrypted so.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<rustls::ClientConfig>,
    pub(super) name: ServerName<'static>,
}

struct TokenFile {
    path: PathBuf,
    header: Mutex<HeaderValue>,
}

/// Why records cannot be sent there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It is no address that records can be sent to.
    #[error("{url:?} is no address to send records to: {what}")]
    Address {
        /// The address.
        url: String,
        /// What it must be.
        what: &'static str,
    },
    /// The file of the token cannot be read.
    #[error("cannot read the token in {}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the file is no token.
    #[error("{}: a token is one line of printable ASCII characters without spaces, at most {TOKEN_MOST}", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// The file of certificates cannot be read, or there are none in it.
    #[error("cannot read certificates in PEM from {}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What was found wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// There is nobody whose certificates are trusted.
    #[error("no certificates that are trusted: {}", what)]
    Trust {
        /// What to do.
        what: String,
    },
    /// The library of TLS does not take what it was given.
    #[error("cannot prepare TLS")]
    Tls(#[from] rustls::Error),
}

impl Target {
    /// A target at `url`, which `/logs` is put behind. `token_file`: a file with the bearer token.
    /// `ca_file`: the certificates in PEM that the target's is checked against; `None`: the system's.
    /// Messages name them as the configuration does.
    ///
    /// # Errors
    /// The address is none, or a file cannot be read.
    pub fn new(
        url: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, TargetError> {
        Self::named(Names::KEYS, url, token_file, ca_file)
    }

    /// As [`new`](Self::new); messages name its parts by these names.
    ///
    /// # Errors
    /// The address is none, or a file cannot be read.
    pub fn named(
        names: Names,
        url: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, TargetError> {
        let wrong = |what| TargetError::Address {
            url: url.to_owned(),
            what,
        };
        let parts = Address::parse(url).map_err(wrong)?;
        // A file that was named is read, also where nothing is encrypted.
        let roots = ca_file.map(roots_in).transpose()?;
        let tls = match parts.is_encrypted {
            true => Some(Tls {
                config: Arc::new(tls_config(roots, names.ca_file)?),
                name: ServerName::try_from(parts.host.clone())
                    .map_err(|_none| wrong("its host is neither a name nor an address"))?,
            }),
            false => None,
        };
        Ok(Self {
            names,
            tls,
            token: token_file.map(TokenFile::open).transpose()?.map(Arc::new),
            authority: parts.authority,
            host: parts.host,
            port: parts.port,
            path: parts.path,
        })
    }

    /// Whether the token, if there is one, can be read on the way to another host.
    #[must_use]
    pub fn shows_token(&self) -> bool {
        let is_here = self.host == "localhost"
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        self.token.is_some() && self.tls.is_none() && !is_here
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, as they were given.
    pub(crate) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The path of a request: `below` begins with a slash.
    pub(super) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.path)
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// The value of `Authorization`.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let token = self.token.as_ref()?;
        let header = token.header.lock().unwrap_or_else(PoisonError::into_inner);
        Some(header.clone())
    }

    /// Reads the token again: it may have been changed since. What cannot be read stays as it was.
    pub(super) fn read_token_again(&self) {
        let Some(token) = &self.token else { return };
        match TokenFile::open(&token.path) {
            Ok(again) => {
                let header = again.header.into_inner();
                *token.header.lock().unwrap_or_else(PoisonError::into_inner) =
                    header.unwrap_or_else(PoisonError::into_inner);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the target does not take the token, and it cannot be read again"
                );
            }
        }
    }
}

impl fmt::Display for Target {
    /// The address, as it was given.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl fmt::Debug for Target {
    /// Without the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({self})")
    }
}

impl TokenFile {
    fn open(path: &Path) -> Result<Self, TargetError> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(TOKEN_MOST + 2).read_to_string(&mut text))
            .map_err(|source| TargetError::Token {
                path: path.to_owned(),
                source,
            })?;
        let header = bearer(&text).ok_or_else(|| TargetError::NoToken {
            path: path.to_owned(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            header: Mutex::new(header),
        })
    }
}

fn bearer(text: &str) -> Option<HeaderValue> {
    let token = text.strip_suffix('\n').unwrap_or(text);
    let token = token.strip_suffix('\r').unwrap_or(token);
    let is_one = !token.is_empty()
        && token.len() as u64 <= TOKEN_MOST
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
        .ok()
        .filter(|_| is_one)?;
    header.set_sensitive(true);
    Some(header)
}

/// The certificates in a file in PEM, at least one.
fn roots_in(path: &Path) -> Result<rustls::RootCertStore, TargetError> {
    let failed = |source| TargetError::Certificates {
        path: path.to_owned(),
        source,
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
        roots.add(certificate.map_err(failed)?)?;
    }
    match roots.is_empty() {
        true => Err(failed(rustls::pki_types::pem::Error::NoItemsFound)),
        false => Ok(roots),
    }
}

/// The certificates that the system trusts, at least one. `ca_file`: by which name another file is told.
fn roots_of_system(ca_file: &str) -> Result<rustls::RootCertStore, TargetError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    let _counts = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})"));
        return Err(TargetError::Trust {
            what: format!(
                "the system has none{}; install its package ca-certificates or name a file with {ca_file}",
                why.unwrap_or_default()
            ),
        });
    }
    Ok(roots)
}

fn tls_config(
    roots: Option<rustls::RootCertStore>,
    ca_file: &str,
) -> Result<rustls::ClientConfig, TargetError> {
    let roots = roots.map_or_else(|| roots_of_system(ca_file), Ok)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line() {
        let check = |text: &str, expected: Option<&str>| {
            let header = bearer(text);
            let value = header.as_ref().map(|header| header.to_str().unwrap());
            assert_eq!(value, expected, "{text:?}");
            assert!(header.is_none_or(|header| header.is_sensitive()));
        };
        check("abc", Some("Bearer abc"));
        check("abc\n", Some("Bearer abc"));
        check("abc\r\n", Some("Bearer abc"));
        for bad in ["", "\n", "a b", "a\nb", "a\n\n", "ä", "a\u{7f}"] {
            check(bad, None);
        }
        check(&"x".repeat(4097), None);
    }

    #[test]
    fn files_that_do_not_serve_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = |result: Result<Target, TargetError>, expected: &str| {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        let absent = folder.path().join("absent");
        check(
            Target::new("http://a/", Some(&absent), None),
            "cannot read the token in ",
        );
        check(Target::new("https://a/", None, Some(&absent)), "absent");
        check(Target::new("http://a/", None, Some(&absent)), "absent");
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "").unwrap();
        check(
            Target::new("http://a/", Some(&empty), None),
            "a token is one line",
        );
        check(
            Target::new("https://a/", None, Some(&empty)),
            "certificates",
        );
        check(
            Target::new("https://a/", Some(Path::new("/dev/zero")), Some(&empty)),
            "certificates",
        );
        check(
            Target::new("http://a/", Some(Path::new("/dev/zero")), None),
            "a token is one line",
        );
    }

    #[test]
    fn a_token_is_neither_shown_nor_sent_in_the_open_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "c2VjcmV0\n").unwrap();
        let check = |url: &str, shows: bool| {
            let target = Target::new(url, Some(&file), None).unwrap();
            assert_eq!(target.shows_token(), shows, "{url}");
            assert!(!format!("{target:?} {target}").contains("c2VjcmV0"));
            assert_eq!(target.authorization().unwrap(), "Bearer c2VjcmV0");
            assert!(!Target::new(url, None, None).unwrap().shows_token());
        };
        check("http://192.0.2.1/api", true);
        check("http://collector/api", true);
        check("http://127.0.0.1:8000/api", false);
        check("http://[::1]:8000/api", false);
        check("http://localhost/api", false);
    }
}
