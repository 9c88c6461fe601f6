//! The page of the dashboard, out of the program itself: `/` and `/assets/…`.
//!
//! The files are those that `cargo xtask dashboard` leaves in `agent/dashboard/dist`, packed by that
//! build (`.br`, `.gz`) and never here. Names of assets that hold a hash may be kept for ever; all else
//! is asked for again, with an `ETag`. Where the program was built without the page, `/` says how to
//! get it. The page holds nothing of what is captured: it asks the API, as anybody may.

use std::borrow::Cow;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::api::refusal;

/// What the build of the page left.
#[derive(RustEmbed)]
#[folder = "dashboard/dist"]
#[allow_missing = true]
struct Files;

/// The file behind `/`.
const INDEX: &str = "index.html";

const HTML: &str = "text/html; charset=utf-8";

/// What `/` shows where there is no page.
const NO_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <title>Tapline</title>\n<h1>Tapline</h1>\n\
    <p>This program was built without its dashboard. To have it, build again with Node 20 or later \
    at hand:</p>\n<pre>cargo xtask dashboard &amp;&amp; cargo xtask build</pre>\n\
    <p>Everything else works: <a href=\"/api/openapi.json\">the API</a>, \
    <a href=\"/metrics\">/metrics</a>, <a href=\"/health\">/health</a>.</p>\n</html>\n";

/// The page and its files. They are not in the description of the API: they are none of it.
pub(super) fn router() -> Router {
    Router::new()
        .route("/", get(show_page))
        .route("/assets/{*path}", get(show_asset))
        .method_not_allowed_fallback(refusal::method)
}

async fn show_page(fields: HeaderMap) -> Response {
    match file(INDEX, &fields) {
        Some(page) => page,
        None => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, HTML)], NO_PAGE).into_response(),
    }
}

async fn show_asset(Path(path): Path<String>, fields: HeaderMap) -> Response {
    match file(&format!("assets/{path}"), &fields) {
        Some(asset) => asset,
        None => refusal::nothing_here().await,
    }
}

/// A file of the page as whoever asks can read it.
fn file(path: &str, fields: &HeaderMap) -> Option<Response> {
    let plain = Files::get(path)?;
    let packed = [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(encoding, _)| is_accepted(encoding, fields))
        .find_map(|(encoding, ending)| {
            Some((Some(encoding), Files::get(&format!("{path}.{ending}"))?))
        });
    let (encoding, file) = packed.unwrap_or((None, plain));
    let tag = tag(&file);
    let mut answer = match is_known(&tag, fields) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => body(file).into_response(),
    };
    let cache = match has_hash(path) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    };
    set(CONTENT_TYPE, content_type(path));
    set(CACHE_CONTROL, cache);
    set(VARY, "Accept-Encoding");
    set(ETAG, &tag);
    if let Some(encoding) = encoding {
        set(CONTENT_ENCODING, encoding);
    }
    Some(answer)
}

/// What is embedded is sent from where it is.
fn body(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

/// Whether an encoding is named and not refused with `q=0` (RFC 9110, section 12.5.3).
fn is_accepted(encoding: &str, fields: &HeaderMap) -> bool {
    let values = fields.get_all(ACCEPT_ENCODING).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(encoding));
            let is_refused = parts
                .filter_map(|part| part.split_once('='))
                .any(|(name, weight)| {
                    name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0_f32)
                });
            is_named && !is_refused
        })
}

/// A strong tag: the first half of the SHA-256 of what is sent.
fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let digits: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{digits}\"")
}

/// Whether one of the tags that are known is this one (compared weakly: RFC 9110, section 13.1.2).
fn is_known(tag: &str, fields: &HeaderMap) -> bool {
    let values = fields.get_all(IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Whether the name changes with what is in the file: `assets/index-D8IvZs5-.js`.
fn has_hash(path: &str) -> bool {
    const LETTERS: usize = 8;
    let Some((stem, _ending)) = path
        .strip_prefix("assets/")
        .and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    let Some(at) = stem.len().checked_sub(LETTERS + 1) else {
        return false;
    };
    stem.is_char_boundary(at)
        && stem[at..].strip_prefix('-').is_some_and(|hash| {
            hash.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => HTML,
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("md" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        fields
    }

    #[test]
    fn encodings_that_are_taken() {
        let check = |values: &[&str], brotli: bool, gzip: bool| {
            let fields = fields(ACCEPT_ENCODING, values);
            assert_eq!(is_accepted("br", &fields), brotli, "{values:?}");
            assert_eq!(is_accepted("gzip", &fields), gzip, "{values:?}");
        };
        check(&[], false, false);
        check(&[""], false, false);
        check(&["identity"], false, false);
        check(&["gzip, deflate, br, zstd"], true, true);
        check(&["GZip;q=0.5"], false, true);
        check(&["br;q=0, gzip;q=1.0"], false, true);
        check(&["br; q=0.000"], false, false);
        check(&["deflate", "br"], true, false);
        check(&["brotli, xgzip"], false, false);
        check(&["br;x=0"], true, false);
    }

    #[test]
    fn tags_that_are_known() {
        let check = |values: &[&str], known: bool| {
            let fields = fields(IF_NONE_MATCH, values);
            assert_eq!(is_known("\"ab\"", &fields), known, "{values:?}");
        };
        check(&[], false);
        check(&["\"ab\""], true);
        check(&["W/\"ab\""], true);
        check(&["\"cd\", \"ab\""], true);
        check(&["*"], true);
        check(&["ab"], false);
        check(&["\"abc\""], false);
    }

    #[test]
    fn names_with_a_hash() {
        let check = |path, hash: bool| assert_eq!(has_hash(path), hash, "{path}");
        check("assets/index-D8IvZs5-.js", true);
        check("assets/index-Df12LD62.css", true);
        check("assets/a-b_icon-BYKTMii3.svg", true);
        check("assets/licences.md", false);
        check("assets/-D8IvZs5.js", false);
        check("assets/index-D8Iv\u{e4}s5.js", false);
        check("assets/\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}.js", false);
        check("assets/index", false);
        check("index.html", false);
    }

    /// Each file that was embedded is served, packed and not, and one that is known is not sent again.
    #[test]
    fn every_embedded_file_is_served() {
        let both = fields(ACCEPT_ENCODING, &["br, gzip"]);
        for path in Files::iter() {
            let plain = file(&path, &HeaderMap::new()).unwrap();
            assert_eq!(plain.status(), StatusCode::OK, "{path}");
            assert!(!plain.headers().contains_key(CONTENT_ENCODING), "{path}");
            let tag = plain.headers()[ETAG].to_str().unwrap().to_owned();
            let again = file(&path, &fields(IF_NONE_MATCH, &[&tag])).unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
            let packed = file(&path, &both).unwrap();
            let is_packed = Files::get(&format!("{path}.br")).is_some();
            assert_eq!(
                packed.headers().get(CONTENT_ENCODING).is_some(),
                is_packed,
                "{path}"
            );
        }
        assert!(file("assets/../index.html", &both).is_none());
        assert!(file("", &both).is_none());
    }

    #[test]
    fn without_a_page_it_is_said_how_to_get_one() {
        assert!(NO_PAGE.contains("cargo xtask dashboard"));
        assert!(!NO_PAGE.contains("<script") && !NO_PAGE.contains("style"));
    }
}
