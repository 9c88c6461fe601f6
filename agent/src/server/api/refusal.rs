//! Why a request is refused: a status, and `{"detail": …}` as FastAPI has it. What is wrong with a
//! value is a list of objects that name its place (`loc`); all else is one sentence.

use axum::Json;
use axum::http::header::{ACCEPT_ENCODING, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

/// A request is not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Values are wrong: 422.
    Values(Vec<Wrong>),
    /// The body is too large: 413.
    TooLarge(String),
    /// The body did not come in time: 408.
    TooSlow,
    /// The body is none that is understood: 415.
    MediaType(&'static str),
    /// The body's packing is not understood: 415.
    Encoding,
    /// The body is broken off, or not packed as it says: 400.
    Broken(&'static str),
    /// Nothing can be taken now, but soon: 429.
    Busy(&'static str),
    /// So much was wrong that nothing is looked at for this time: 429.
    TooOften(std::time::Duration),
    /// It is not there: 404.
    NotFound(&'static str),
    /// The token is missing or wrong: 401.
    Unauthorized,
    /// It cannot be done now: 503.
    Unavailable(String),
    /// The time was over before it was found: 503, and where to go on.
    NotYet {
        /// As far as was looked.
        why: String,
        /// Given back as `after`.
        next: String,
    },
    /// It failed: 500.
    Failed(String),
}

/// A value that is wrong.
#[derive(Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Wrong {
    /// One word for what is wrong.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Where: `body` or `query`, the place of the record, the field.
    pub(crate) loc: Vec<Place>,
    /// A sentence for it.
    pub(crate) msg: String,
    /// The value, if it is short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Input>,
}

/// A step on the way to a value.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Place {
    /// A name.
    Name(&'static str),
    /// A name that the request chose.
    Given(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// What was given.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Input {
    /// In the query.
    Text(String),
    /// In the body.
    Json(Box<RawValue>),
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Json(one), Self::Json(other)) => one.get() == other.get(),
            _ => false,
        }
    }
}

impl Eq for Input {}

/// Seconds after which it may be tried again.
const AGAIN_AFTER: HeaderValue = HeaderValue::from_static("1");

impl Refusal {
    /// The status of the answer.
    pub(in crate::server) fn status(&self) -> StatusCode {
        match self {
            Self::Values(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType(_) | Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::Busy(_) | Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) | Self::NotYet { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let sentence = |sentence: &str| detail(status, sentence);
        match self {
            Self::Values(wrong) => {
                let body = Json(json!({ "detail": wrong }));
                (status, body).into_response()
            }
            Self::TooLarge(why) => sentence(&why),
            Self::TooSlow => sentence("The body did not come in time."),
            Self::MediaType(why) => sentence(why),
            Self::Encoding => {
                let why = "Bodies may be plain, or packed with gzip.";
                let takes = [(ACCEPT_ENCODING, "gzip")];
                (takes, sentence(why)).into_response()
            }
            Self::Broken(why) => sentence(why),
            Self::Busy(why) => {
                let again = [(RETRY_AFTER, AGAIN_AFTER)];
                (again, sentence(why)).into_response()
            }
            Self::TooOften(wait) => {
                let again = [(RETRY_AFTER, (wait.as_secs() + 1).to_string())];
                let why = "Too many wrong tokens came from this address: try again later.";
                (again, sentence(why)).into_response()
            }
            Self::NotFound(why) => sentence(why),
            Self::Unauthorized => {
                let scheme = [(WWW_AUTHENTICATE, "Bearer")];
                let why = "This server wants a token: Authorization: Bearer TOKEN.";
                (scheme, sentence(why)).into_response()
            }
            Self::Unavailable(why) => {
                let again = [(RETRY_AFTER, AGAIN_AFTER)];
                (again, sentence(&why)).into_response()
            }
            Self::NotYet { why, next } => {
                let body = Json(json!({ "detail": why, "next": next }));
                (status, body).into_response()
            }
            Self::Failed(why) => sentence(&why),
        }
    }
}

/// For what no path has.
pub(crate) async fn nothing_here() -> Response {
    let sentence = "Not Found: /api/openapi.json says what there is.";
    detail(StatusCode::NOT_FOUND, sentence)
}

/// For a method that the path does not know; the router adds which it knows.
pub(crate) async fn method() -> Response {
    detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// One sentence.
pub(crate) fn detail(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "detail": sentence }))).into_response()
}
