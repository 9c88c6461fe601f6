//! `GET /openapi.json` and `GET /docs`: what can be asked for, for programs and for people. The page
//! loads nothing from elsewhere.

use axum::http::HeaderName;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

/// The description, in OpenAPI 3.1. The tests hold it against the routes.
pub(super) const DESCRIPTION: &str = include_str!("openapi.json");

/// The version of what it describes, which `GET /` tells too.
pub(super) const VERSION: &str = "1.0.0";

/// The page that shows it and lets it be tried.
pub(super) const PAGE: &str = include_str!("docs.html");

/// Nothing but the page itself, and what it asks this server.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn description() -> Response {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}

pub(super) async fn page() -> Response {
    let headers: [(HeaderName, &str); 2] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, PAGE).into_response()
}
