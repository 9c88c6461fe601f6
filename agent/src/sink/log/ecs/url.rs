//! A request target in the parts that ECS names.

use serde::Serialize;

/// `url.*`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct Url<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// Of a target in any of its forms (RFC 9112, section 3.2), and of `Host` where the target names
    /// no authority.
    pub(super) fn of(method: Option<&str>, target: Option<&'a str>, host: Option<&'a str>) -> Self {
        let mut url = Self {
            original: target,
            ..Self::default()
        };
        let mut authority = host;
        if let Some(target) = target {
            let (rest, fragment) = split(target, '#');
            let (rest, query) = split(rest, '?');
            (url.query, url.fragment) = (query, fragment);
            if method == Some("CONNECT") {
                authority = Some(rest);
            } else if let Some((scheme, rest)) = rest
                .split_once("://")
                .filter(|(scheme, _)| is_scheme(scheme))
            {
                let end = rest.find('/').unwrap_or(rest.len());
                url.scheme = Some(scheme);
                authority = Some(&rest[..end]);
                url.path = Some(&rest[end..]).filter(|path| !path.is_empty());
            } else {
                // What is captured is in the clear.
                url.scheme = Some("http");
                url.path = Some(rest).filter(|path| path.starts_with('/'));
            }
        }
        if let Some(authority) = authority {
            (url.domain, url.port) = domain_and_port(authority);
        }
        url
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn split(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign)
        .map_or((text, None), |(before, behind)| (before, Some(behind)))
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Brackets around an IPv6 address stay, as ECS asks for.
fn domain_and_port(authority: &str) -> (Option<&str>, Option<u16>) {
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (domain, port) = match host.rsplit_once(':') {
        Some((domain, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!domain.contains(':') || domain.ends_with(']')) =>
        {
            (domain, port.parse().ok())
        }
        _ => (host, None),
    };
    (Some(domain).filter(|domain| !domain.is_empty()), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, host: Option<&str>, expected: Url<'_>) {
        let expected = Url {
            original: Some(target),
            ..expected
        };
        assert_eq!(Url::of(Some(method), Some(target), host), expected);
    }

    #[test]
    fn targets_in_their_forms() {
        let http = Url {
            scheme: Some("http"),
            ..Url::default()
        };
        let plain = Url {
            domain: Some("h"),
            path: Some("/p"),
            ..http
        };
        check("GET", "/p", Some("h"), plain);
        check(
            "GET",
            "/p",
            None,
            Url {
                domain: None,
                ..plain
            },
        );
        let port = Some(81);
        check(
            "GET",
            "/p?q?r#f#g",
            Some("h:81"),
            Url {
                port,
                query: Some("q?r"),
                fragment: Some("f#g"),
                ..plain
            },
        );
        check(
            "GET",
            "http://u:p@h:81/p",
            Some("other"),
            Url { port, ..plain },
        );
        check(
            "GET",
            "https://h?a=http://x/",
            None,
            Url {
                scheme: Some("https"),
                path: None,
                query: Some("a=http://x/"),
                ..plain
            },
        );
        check(
            "GET",
            "/p?a=http://x",
            Some("h"),
            Url {
                query: Some("a=http://x"),
                ..plain
            },
        );
        check(
            "GET",
            "/",
            Some("[::1]:81"),
            Url {
                domain: Some("[::1]"),
                port,
                path: Some("/"),
                ..http
            },
        );
        for (host, domain, port) in [
            ("[::1]", Some("[::1]"), None),
            ("::1", Some("::1"), None),
            ("h:", Some("h"), None),
            ("h:99999", Some("h"), None),
            ("h:x", Some("h:x"), None),
            ("", None, None),
        ] {
            check(
                "OPTIONS",
                "*",
                Some(host),
                Url {
                    domain,
                    port,
                    ..http
                },
            );
        }
        check(
            "CONNECT",
            "h:443",
            Some("other"),
            Url {
                domain: Some("h"),
                port: Some(443),
                ..Url::default()
            },
        );
        assert!(Url::of(None, None, None).is_empty());
    }
}
