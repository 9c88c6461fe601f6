//! `POST /api/login`: the token for a cookie, so that a page can ask on. `POST /api/logout`: the cookie is
//! good for nothing any more. A browser keeps the cookie from scripts and from other sites; what is in
//! it is drawn at random and has nothing of the token.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::access::logins::{COOKIE_NAME, LASTS};
use super::access::{Denied, Peer};
use super::api::refusal::Refusal;
use super::hub::Hub;

/// Bytes of a body: a token of the longest kind, escaped.
const BODY_MOST: usize = 32 << 10;

/// The time in which it must have come.
const BODY_TIME: Duration = Duration::from_secs(10);

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// Gives a cookie for the token. Where none is asked for, there is none to give.
pub(super) async fn log_in(State(hub): State<Hub>, request: Request) -> Result<Response, Refusal> {
    let peer = request.extensions().get::<Peer>().copied();
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        // Pages of other sites cannot send this type without being asked.
        return Err(Refusal::MediaType(
            "The Content-Type must be application/json.",
        ));
    }
    let bytes = read(body).await?;
    let login: Login = serde_json::from_slice(&bytes)
        .map_err(|_other| Refusal::Broken("The body must be {\"token\": \"…\"}."))?;
    let Some(Peer(peer)) = peer else {
        return Err(Refusal::Failed("The connection is not known.".to_owned()));
    };
    match hub.guard().log_in(&login.token, peer) {
        Ok(None) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(Some(value)) => Ok(with_cookie(&value, LASTS.as_secs())),
        Err(Denied::Wrong) => Err(Refusal::Unauthorized),
        Err(Denied::TooOften(wait)) => Err(Refusal::TooOften(wait)),
        Err(Denied::NoRandom) => {
            let sentence = "This host gives no random numbers.";
            Err(Refusal::Failed(sentence.to_owned()))
        }
    }
}

/// Forgets the cookie.
pub(super) async fn log_out(State(hub): State<Hub>, fields: HeaderMap) -> Response {
    hub.guard().log_out(&fields);
    with_cookie("", 0)
}

/// 204 with the cookie. Not `Secure`: this server speaks no TLS itself, and a browser would not send it
/// back then.
fn with_cookie(value: &str, seconds: u64) -> Response {
    let cookie =
        format!("{COOKIE_NAME}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}");
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

fn is_json(fields: &HeaderMap) -> bool {
    let given = fields
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let name = given.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json")
}

async fn read(body: Body) -> Result<bytes::Bytes, Refusal> {
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, BODY_MOST)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_too_long_or_broken)) => Err(Refusal::TooLarge(format!(
            "The body is broken off, or has more than {BODY_MOST} bytes."
        ))),
        Err(_elapsed) => Err(Refusal::TooSlow),
    }
}
