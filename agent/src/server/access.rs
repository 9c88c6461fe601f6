//! Who may ask: whoever has the token, where there is one; and only by names of this host, where the
//! server listens on a loopback address.

use std::fmt;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse as _, Response};

use super::api::refusal::{Refusal, detail};
use super::routes::check_host;
use crate::config::ServerConfig;
use crate::exit::UsageError;

/// Characters of a token: fewer can be guessed.
const SHORTEST: usize = 16;
/// A file with more is no token.
const LONGEST: usize = 4096;
/// What is asked by those who watch over the process, and tells nothing.
pub(super) const OPEN: [&str; 3] = ["/health", "/ready", "/api/health"];

/// The token that whoever asks must give.
#[derive(Clone, Eq, PartialEq)]
pub struct Token(Arc<str>);

/// Why a file gives no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the token file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in it is no token.
    #[error(
        "the token file {} must hold one line of {SHORTEST} to {LONGEST} printable ASCII \
         characters without spaces; `openssl rand -hex 32` makes one",
        path.display()
    )]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the token from the one line of a file.
    ///
    /// # Errors
    /// The file cannot be read, or what is in it is no token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let read = || {
            let file = std::fs::File::open(path)?;
            let mode = file.metadata()?.mode();
            let mut bytes = Vec::new();
            file.take(LONGEST as u64 + 3).read_to_end(&mut bytes)?;
            Ok((bytes, mode))
        };
        let (bytes, mode) = read().map_err(|source| TokenError::File {
            path: path.to_owned(),
            source,
        })?;
        if mode & 0o007 != 0 {
            tracing::warn!(
                path = %path.display(),
                "every user of this host can read the token; chmod o= takes that away"
            );
        }
        let text = String::from_utf8(bytes).unwrap_or_default();
        Self::new(text.trim_end_matches(['\r', '\n'])).ok_or_else(|| TokenError::NoToken {
            path: path.to_owned(),
        })
    }

    /// None where the text is no token.
    fn new(text: &str) -> Option<Self> {
        let is_token = (SHORTEST..=LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self(text.into()))
    }

    /// Whether the token is given, in a time that does not depend on how much of it is right.
    fn is_given(&self, fields: &HeaderMap) -> bool {
        let mut values = fields.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let Some((scheme, given)) = value.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("Bearer") && is_equal(given.trim().as_bytes(), &self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// Looks at every byte that is given, and stops at none: only the length can be told from the time.
fn is_equal(given: &[u8], token: &str) -> bool {
    let token = token.as_bytes();
    let mut differs = u8::from(given.len() != token.len());
    for (index, byte) in given.iter().enumerate() {
        let expected = token.get(index).copied().unwrap_or(!byte);
        differs = black_box(differs | (byte ^ expected));
    }
    differs == 0
}

/// The token of the configuration. Another address than a loopback one needs one, unless that is not
/// wanted (`insecure`).
///
/// # Errors
/// [`UsageError`] where it needs one and has none; the file gives no token.
pub fn token(server: &ServerConfig, insecure: bool) -> anyhow::Result<Option<Token>> {
    if let Some(path) = &server.token_file {
        let token = Token::read(path);
        return match token {
            Err(error @ TokenError::NoToken { .. }) => Err(UsageError(error.to_string()).into()),
            token => Ok(Some(token?)),
        };
    }
    match server.listen {
        Some(address) if !address.ip().to_canonical().is_loopback() && !insecure => {
            Err(anyhow::Error::new(UsageError(format!(
                "whoever reaches {address} could read what is captured and read and write the store: \
                 name a file with a token (--token-file), or say that this is wanted (--insecure)"
            ))))
        }
        _ => Ok(None),
    }
}

/// Lets through what is asked of this host by whoever may ask. It stands before everything that is
/// served, whatever path is asked for.
#[derive(Debug)]
pub(crate) struct Guard {
    listen: IpAddr,
    token: Option<Token>,
}

impl Guard {
    /// `listen`: where the server listens; `token`: what whoever asks must give, but for `/health`,
    /// `/ready` and `/api/health`.
    pub(crate) fn new(listen: IpAddr, token: Option<Token>) -> Self {
        Self { listen, token }
    }

    /// The refusal of a request; `None`: it may be answered.
    pub(super) fn refusal<B>(&self, request: &Request<B>) -> Option<Response> {
        let fields = request.headers();
        let target = request.uri();
        if let Err((status, sentence)) = check_host(request.version(), target, fields, self.listen)
        {
            return Some(detail(status, sentence));
        }
        let token = self.token.as_ref()?;
        let may_ask = OPEN.contains(&target.path()) || token.is_given(fields);
        (!may_ask).then(|| Refusal::Unauthorized.into_response())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    #[test]
    fn only_the_token_is_taken() {
        let token = Token::new(SECRET).unwrap();
        let check = |values: &[&str], given: bool| {
            let mut fields = HeaderMap::new();
            for value in values {
                fields.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(token.is_given(&fields), given, "{values:?}");
        };
        check(&["Bearer 0123456789abcdef"], true);
        check(&["bearer  0123456789abcdef "], true);
        check(&[], false);
        check(&["Bearer"], false);
        check(&["Bearer "], false);
        check(&["0123456789abcdef"], false);
        check(&["Basic 0123456789abcdef"], false);
        check(&["Bearer 0123456789abcde"], false);
        check(&["Bearer 0123456789abcdeF"], false);
        check(&["Bearer 0123456789abcdef0"], false);
        check(&["Bearer 0123456789abcdef0123456789abcdef"], false);
        check(&["Bearer 0123456789abcdef, x"], false);
        check(&["Bearer 0123456789abcdef"; 2], false);
    }

    #[test]
    fn other_addresses_than_loopback_ones_need_a_token() {
        let check = |listen: Option<&str>, insecure, allowed| {
            let server = ServerConfig {
                listen: listen.map(|address| address.parse().unwrap()),
                token_file: None,
            };
            let found = token(&server, insecure);
            assert_eq!(found.is_ok(), allowed, "{listen:?} {insecure}");
            if let Err(error) = found {
                assert!(error.is::<UsageError>());
            }
        };
        check(None, false, true);
        check(Some("127.0.0.1:8000"), false, true);
        check(Some("[::1]:8000"), false, true);
        check(Some("[::ffff:127.0.0.1]:8000"), false, true);
        check(Some("0.0.0.0:8000"), false, false);
        check(Some("0.0.0.0:8000"), true, true);
        check(Some("192.0.2.1:8000"), false, false);
        check(Some("[2001:db8::1]:8000"), false, false);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let server = ServerConfig {
            listen: Some("0.0.0.0:8000".parse().unwrap()),
            token_file: Some(path.clone()),
        };
        assert!(token(&server, true).is_err());
        std::fs::write(path, SECRET).unwrap();
        assert_eq!(token(&server, false).unwrap(), Token::new(SECRET));
    }

    #[test]
    fn files_with_and_without_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let check = |bytes: &[u8], token: Option<&str>| {
            std::fs::write(&path, bytes).unwrap();
            let read = Token::read(&path);
            assert_eq!(
                read.as_ref().ok().map(|token| &*token.0),
                token,
                "{bytes:?}"
            );
        };
        check(b"0123456789abcdef\n", Some(SECRET));
        check(b"0123456789abcdef\r\n", Some(SECRET));
        check(&[b'x'; LONGEST], Some(&"x".repeat(LONGEST)));
        check(&[b'x'; LONGEST + 1], None);
        check(b"", None);
        check(b"0123456789abcde\n", None);
        check(b"0123456789abcdef\nmore\n", None);
        check(b"01234567 9abcdef", None);
        check(b"0123456789abcde\xff", None);
        check(b"0123456789abcdef\0", None);
        let error = Token::read(&folder.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
        let token = Token::new(SECRET).unwrap();
        assert!(!format!("{token:?}").contains(SECRET));
    }
}
