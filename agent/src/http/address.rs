//! Where requests to an API go: the parts of an http or https address. Refuses what would be dropped
//! (a query, a fragment) and what does not belong there (a user, a password).

use hyper::http::uri::{Authority, Scheme, Uri};

/// The parts of an address of an API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    /// It begins with https.
    pub(crate) is_encrypted: bool,
    /// Host and port, as they were given.
    pub(crate) authority: Authority,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Without a slash at its end.
    pub(crate) path: String,
}

impl Address {
    /// Reads an address; what it must be, where it is none.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url
            .parse()
            .map_err(|_wrong| "it must be like http://127.0.0.1:8000/api")?;
        let is_encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err("it must begin with http:// or https://"),
        };
        // A fragment is dropped by the parser.
        if uri.query().is_some() || url.contains('#') {
            return Err("it must have neither ? nor #");
        }
        let authority = uri.authority().cloned().ok_or("it must name a host")?;
        if authority.as_str().contains('@') {
            return Err("a user and a password do not belong in it; use a file with a token");
        }
        let host = authority.host();
        let behind = authority.as_str().strip_prefix(host).unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
            .to_owned();
        if host.is_empty() {
            return Err("it must name a host");
        }
        let port = match behind.strip_prefix(':') {
            None if is_encrypted => 443,
            None => 80,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0 && !behind.starts_with(":+"))
                .ok_or("its port must be from 1 to 65535")?,
        };
        Ok(Self {
            is_encrypted,
            host,
            port,
            path: uri.path().trim_end_matches('/').to_owned(),
            authority,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses() {
        let check = |url: &str, host: &str, port: u16, path: &str| {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{url}");
            assert_eq!(address.path, path, "{url}");
            assert_eq!(
                address.is_encrypted,
                url.to_ascii_lowercase().starts_with("https")
            );
        };
        check("http://127.0.0.1:8000/api", "127.0.0.1", 8000, "/api");
        check("http://localhost:8000/api/", "localhost", 8000, "/api");
        check("http://collector", "collector", 80, "");
        check(
            "https://collector.example.com",
            "collector.example.com",
            443,
            "",
        );
        check("https://collector:8443/a/b//", "collector", 8443, "/a/b");
        check("http://[::1]:8000/api", "::1", 8000, "/api");
        check("HTTP://host/", "host", 80, "");
        for (url, what) in [
            ("", "like"),
            ("collector:8000", "http://"),
            ("/api", "http://"),
            ("ftp://host/", "http://"),
            ("http://", "like"),
            ("http://:80/", "host"),
            ("http://user:password@host/", "token"),
            ("http://host/?a=b", "neither"),
            ("http://host/#a", "neither"),
            ("http://host:0/", "port"),
            ("http://host:70000/", "port"),
            ("http://host:x/", "port"),
            ("http://host:+80/", "port"),
            ("http://a b/", "like"),
        ] {
            let refused = Address::parse(url).unwrap_err();
            assert!(refused.contains(what), "{url}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(url in "\\PC{0,60}", rest in "[a-z:/@?#\\[\\]0-9.]{0,30}") {
            drop(Address::parse(&url));
            drop(Address::parse(&format!("http://{rest}")));
        }
    }
}
