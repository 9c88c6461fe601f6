//! Whether a request comes from a page of another site: a browser sends it along with what it knows
//! of this server, so it must not change anything here, and must not open a WebSocket.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Request};

/// Whether the request would change something, or open a WebSocket, and is told by its browser to come
/// from a page of another origin. Programs that are no browsers say nothing of it, and are not refused.
///
/// A browser that says where it stands (Sec-Fetch-Site, which no page can set) is believed: behind a
/// proxy the Host of the request need not be that of the page. Others say the Origin, which must be this
/// server: its Host, with `http` or `https`.
pub(super) fn is_foreign<B>(request: &Request<B>) -> bool {
    let fields = request.headers();
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads && !asks_for_socket(fields) {
        return false;
    }
    let mut sites = fields.get_all("sec-fetch-site").iter();
    match (sites.next(), sites.next()) {
        (None, _) => {}
        (Some(site), None) => return site != "same-origin" && site != "none",
        _ => return true,
    }
    let mut origins = fields.get_all(ORIGIN).iter();
    let (origin, host) = match (origins.next(), origins.next(), fields.get(HOST)) {
        (None, _, _) => return false,
        (Some(origin), None, Some(host)) => (origin.as_bytes(), host.as_bytes()),
        _ => return true,
    };
    let of_page = [&b"http://"[..], b"https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(*scheme));
    !of_page.is_some_and(|page| page.eq_ignore_ascii_case(host))
}

/// RFC 6455, section 4.1: its handshake is a GET.
fn asks_for_socket(fields: &HeaderMap) -> bool {
    fields.contains_key("sec-websocket-key") || fields.contains_key("upgrade")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_sites_are_told_by_their_browser() {
        let check = |method: &str, fields: &[(&str, &str)], foreign: bool| {
            let mut request = Request::builder().method(method).uri("/");
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let request = request.body(()).unwrap();
            assert_eq!(is_foreign(&request), foreign, "{method} {fields:?}");
        };
        let host = ("host", "localhost:8000");
        let socket = ("sec-websocket-key", "x");
        for method in ["GET", "HEAD", "OPTIONS"] {
            check(method, &[host, ("origin", "http://example.com")], false);
            check(method, &[host, ("sec-fetch-site", "cross-site")], false);
        }
        for (method, more) in [
            ("POST", &[host][..]),
            ("DELETE", &[host]),
            ("GET", &[host, socket]),
        ] {
            let check = |fields: &[(&str, &str)], foreign| {
                check(method, &[more, fields].concat(), foreign);
            };
            check(&[], false);
            check(&[("origin", "http://localhost:8000")], false);
            check(&[("origin", "https://LOCALHOST:8000")], false);
            check(&[("origin", "http://localhost:8001")], true);
            check(&[("origin", "http://localhost")], true);
            check(&[("origin", "http://example.com")], true);
            check(&[("origin", "ftp://localhost:8000")], true);
            check(&[("origin", "localhost:8000")], true);
            check(&[("origin", "null")], true);
            check(&[("origin", "")], true);
            check(
                &[
                    ("origin", "http://localhost:8000"),
                    ("origin", "http://localhost:8000"),
                ],
                true,
            );
            check(&[("sec-fetch-site", "same-origin")], false);
            check(&[("sec-fetch-site", "none")], false);
            check(&[("sec-fetch-site", "same-site")], true);
            check(&[("sec-fetch-site", "cross-site")], true);
            check(&[("sec-fetch-site", "")], true);
            check(
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-site", "same-origin"),
                ],
                true,
            );
            // A proxy gave the request another Host.
            check(
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://tapline.example"),
                ],
                false,
            );
            check(
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://localhost:8000"),
                ],
                true,
            );
        }
    }
}
