//! Who may ask: whoever has the token, where there is one, or a cookie that was given for it; and only
//! by names of this host, where the server listens on a loopback address. Pages of other sites change
//! nothing.

mod failures;
pub(super) mod logins;
mod site;

use std::fmt;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};

use self::failures::Failures;
use self::logins::{Logins, is_equal};
use super::api::refusal::{Refusal, detail};
use super::headers;
use super::routes::check_host;
use crate::config::ServerConfig;
use crate::exit::UsageError;

/// Characters of a token: fewer can be guessed.
const SHORTEST: usize = 16;
/// A file with more is no token.
const LONGEST: usize = 4096;

/// Whether a path is answered to everybody: it tells nothing of what was captured. There are those that
/// are asked by whoever watches over the process, the page with its files, and the way in.
pub(super) fn is_open(path: &str) -> bool {
    const OPEN: [&str; 6] = [
        "/",
        "/health",
        "/ready",
        "/api/health",
        "/api/login",
        "/api/logout",
    ];
    OPEN.contains(&path) || path.starts_with("/assets/")
}

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
        let given = values.next().and_then(|value| value.to_str().ok());
        let (Some((scheme, given)), None) =
            (given.and_then(|text| text.split_once(' ')), values.next())
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("Bearer") && self.is(given.trim())
    }

    fn is(&self, given: &str) -> bool {
        is_equal(given.as_bytes(), self.0.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
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
pub(crate) struct Guard {
    listen: IpAddr,
    token: Option<Token>,
    /// Names of the host are all that is asked about.
    by_host_alone: bool,
    logins: Mutex<Logins>,
    failures: Mutex<Failures>,
}

/// Where a request came from; every request has it with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Peer(pub(super) IpAddr);

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
    /// It is not the token.
    Wrong,
    /// So many were wrong before that none is looked at for this time.
    TooOften(Duration),
    /// There is no random number to be had.
    NoRandom,
}

impl Guard {
    /// `listen`: where the server listens; `token`: what whoever asks must give, but for what tells
    /// nothing ([`is_open`]).
    pub(crate) fn new(listen: IpAddr, token: Option<Token>) -> Self {
        Self {
            listen,
            token,
            by_host_alone: false,
            logins: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Of a server that has nothing to hide, and its own rules for pages of other sites.
    pub(crate) fn of_hosts(listen: IpAddr) -> Self {
        Self {
            by_host_alone: true,
            ..Self::new(listen, None)
        }
    }

    /// The refusal of a request; `None`: it may be answered.
    pub(super) fn refusal<B>(&self, request: &Request<B>) -> Option<Response> {
        let fields = request.headers();
        let target = request.uri();
        if let Err((status, sentence)) = check_host(request.version(), target, fields, self.listen)
        {
            return Some(detail(status, sentence));
        }
        if !self.by_host_alone && site::is_foreign(request) {
            let sentence = "A page of another site may not do this.";
            return Some(detail(StatusCode::FORBIDDEN, sentence));
        }
        let may_ask = is_open(target.path()) || self.knows(fields, Instant::now());
        (!may_ask).then(|| Refusal::Unauthorized.into_response())
    }

    /// Puts the fields into an answer that every one has.
    pub(super) fn finish(&self, answer: &mut Response) {
        if !self.by_host_alone {
            headers::add(answer.headers_mut());
        }
    }

    /// Whether there is no token, or it is given, or a cookie for it.
    fn knows(&self, fields: &HeaderMap, now: Instant) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        // The token is too long to be guessed. Were it not looked at after wrong ones, whoever sends such
        // would shut out all at the same address: everybody, where a proxy stands in front.
        token.is_given(fields) || lock(&self.logins).has(fields, now)
    }

    /// Gives the value of a cookie for the token; `None`: there is no token, and none is needed.
    pub(super) fn log_in(&self, given: &str, peer: IpAddr) -> Result<Option<String>, Denied> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let now = Instant::now();
        if let Some(wait) = lock(&self.failures).wait(peer, now) {
            return Err(Denied::TooOften(wait));
        }
        if !token.is(given) {
            lock(&self.failures).add(peer, now);
            return Err(Denied::Wrong);
        }
        let mut random = [0; 32];
        rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut random)
            .map_err(|_no_source| Denied::NoRandom)?;
        Ok(Some(lock(&self.logins).add(random, now)))
    }

    /// The cookie of a request is good for nothing any more.
    pub(super) fn log_out(&self, fields: &HeaderMap) {
        lock(&self.logins).remove(fields, Instant::now());
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Guard")
            .field("listen", &self.listen)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
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
