//! One connection to the target, kept open between requests. Every step has an end.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::header;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::backoff::retry_after;
use super::body::Body;
use super::target::Target;
use super::verdict::{Answered, Refusal, Verdict, judge};

/// Making a connection does not take longer than this, however patient we are otherwise.
const CONNECT_MOST: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_MOST: usize = 4 << 20;
/// Bytes of the head of an answer.
const HEAD_MOST: usize = 64 << 10;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect to {host} port {port}")]
    Connect {
        host: String,
        port: u16,
        source: io::Error,
    },
    #[error("{host} cannot be trusted, or does not speak TLS")]
    Tls { host: String, source: io::Error },
    #[error("{what} took longer than {} s", after.as_secs_f64())]
    Late { what: Step, after: Duration },
    #[error("the connection broke before the answer was whole")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    #[error("the answer is longer than {ANSWER_MOST} bytes")]
    TooLong,
    #[error("a request cannot be made")]
    Request(#[from] hyper::http::Error),
    #[error(transparent)]
    Answered(#[from] Answered),
}

/// What took too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Connecting,
    Request,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connecting => "connecting",
            Self::Request => "a request",
        })
    }
}

impl Failure {
    /// How long the target wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered(answered) => answered.retry_after,
            _ => None,
        }
    }

    /// The refusal that this is, if what was sent is at fault: the target broke over it.
    pub(super) fn as_refusal(&self) -> Option<Refusal> {
        match self {
            Self::Answered(answered) if answered.status == 500 => Some(Refusal {
                status: 500,
                said: answered.to_string(),
            }),
            _ => None,
        }
    }

    /// The target did not take our token.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Answered(answered) if answered.is_denied())
    }
}

/// A connection that requests go over one after the other, or none yet.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    requests: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Sends the body and waits for the whole answer. A connection that turns out to have been closed
    /// since the last request is made again, once.
    pub(super) async fn post(
        &mut self,
        target: &Target,
        body: &Body,
        patience: Duration,
    ) -> Result<Verdict, Failure> {
        let kept = self.open.take().filter(|open| !open.requests.is_closed());
        if let Some(open) = kept {
            match self.post_over(open, target, body, patience).await {
                Err(Failure::Broken(_)) => {}
                other => return other,
            }
        }
        let limit = patience.min(CONNECT_MOST);
        let late = |_late| Failure::Late {
            what: Step::Connecting,
            after: limit,
        };
        let open = timeout(limit, connect(target)).await.map_err(late)??;
        self.post_over(open, target, body, patience).await
    }

    async fn post_over(
        &mut self,
        mut open: Open,
        target: &Target,
        body: &Body,
        patience: Duration,
    ) -> Result<Verdict, Failure> {
        let request = request(target, body)?;
        let exchange = async {
            open.requests.ready().await?;
            let answer = open.requests.send_request(request).await?;
            Ok::<_, hyper::Error>(answer)
        };
        let whole = async {
            let answer = exchange
                .await
                .map_err(|error| Failure::Broken(error.into()))?;
            read(answer).await
        };
        let answer = timeout(patience, whole)
            .await
            .map_err(|_late| Failure::Late {
                what: Step::Request,
                after: patience,
            })??;
        // The answer is whole: the next request may use the connection, if the target keeps it.
        self.open = Some(open);
        let wait = answer.headers().get(header::RETRY_AFTER);
        let wait = wait
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, Timestamp::now()));
        let verdict = judge(
            answer.status().as_u16(),
            wait,
            answer.body(),
            body.records as usize,
            body.form.is_array(),
            target.names(),
        );
        match verdict {
            Verdict::Failed(answered) => Err(answered.into()),
            other => Ok(other),
        }
    }
}

/// Sends one body of JSON over a connection of its own, and gives the status of the answer, whose body is
/// read and of no interest. `path`: with its query.
///
/// # Errors
/// There was no answer, or not in time.
pub(crate) async fn post_json(
    target: &Target,
    path: &str,
    body: Bytes,
    patience: Duration,
) -> Result<u16, Failure> {
    let request = start(target, path).body(Full::new(body))?;
    let whole = async {
        let mut open = connect(target).await?;
        let answer = open.requests.send_request(request).await;
        let answer = answer.map_err(|error| Failure::Broken(error.into()))?;
        Ok(read(answer).await?.status().as_u16())
    };
    let late = |_late| Failure::Late {
        what: Step::Request,
        after: patience,
    };
    timeout(patience, whole).await.map_err(late)?
}

/// The head of a request.
fn start(target: &Target, path: &str) -> hyper::http::request::Builder {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, target.authority())
        .header(
            header::USER_AGENT,
            concat!("tapline/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/json");
    match target.authorization() {
        Some(authorization) => request.header(header::AUTHORIZATION, authorization),
        None => request,
    }
}

fn request(target: &Target, body: &Body) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = start(target, &target.path(body.form.path()));
    if body.is_gzip {
        request = request.header(header::CONTENT_ENCODING, "gzip");
    }
    request.body(Full::new(body.bytes.clone()))
}

/// The answer with all of its body.
async fn read(answer: Response<hyper::body::Incoming>) -> Result<Response<Bytes>, Failure> {
    let (head, body) = answer.into_parts();
    let body = match Limited::new(body, ANSWER_MOST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Failure::TooLong),
        Err(error) => return Err(Failure::Broken(error)),
    };
    Ok(Response::from_parts(head, body))
}

async fn connect(target: &Target) -> Result<Open, Failure> {
    let stream = TcpStream::connect((target.host(), target.port()));
    let stream = stream.await.map_err(|source| Failure::Connect {
        host: target.host().to_owned(),
        port: target.port(),
        source,
    })?;
    // A body is handed over whole; waiting for more would only delay its end.
    drop(stream.set_nodelay(true));
    match target.tls() {
        None => shake_hands(stream).await,
        Some(tls) => {
            let stream = TlsConnector::from(tls.config.clone())
                .connect(tls.name.clone(), stream)
                .await
                .map_err(|source| Failure::Tls {
                    host: target.host().to_owned(),
                    source,
                })?;
            shake_hands(stream).await
        }
    }
}

async fn shake_hands<S>(stream: S) -> Result<Open, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (requests, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_MOST)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::Broken(error.into()))?;
    let driver = tokio::spawn(async move {
        // What breaks a connection is told to whoever waits for an answer.
        drop(connection.await);
    });
    Ok(Open { requests, driver })
}
