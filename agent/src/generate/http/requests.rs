//! What is asked: one request again and again, a list in its order, or what the users of a shop ask.
//!
//! Everything that can stand in a request is checked and written once, at the start: to send one is to put
//! its pieces together. Nothing gets into a head that could end its line.

mod users;

use std::sync::Arc;

pub use users::{Users, UsersSettings, Visit};

/// The field that carries the number of a request where requests are stamped.
pub const STAMP_FIELD: &str = "X-Tapline-Stamp";

/// The parameter of the target that does.
pub const STAMP_PARAMETER: &str = "stamp";

/// A request as it was asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// The method: a token.
    pub method: String,
    /// The target: path and perhaps query, or another form.
    pub target: String,
    /// Further fields, name and value.
    pub fields: Vec<(String, String)>,
    /// The body, which requests may share; where there is none there is no Content-Length, but with POST, PUT and
    /// PATCH.
    pub body: Arc<[u8]>,
}

/// It cannot be sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The method is none.
    #[error("{0:?} is no method: it must be letters, like GET")]
    Method(String),
    /// Its answer ends otherwise than all others do.
    #[error("CONNECT cannot be asked: a tunnel has no answers")]
    Connect,
    /// The target would not stay in its line.
    #[error("{0:?} cannot be asked for: it must be visible ASCII without blanks")]
    Target(String),
    /// The field would not stay in its line.
    #[error("{0:?} is no field: it must be like Name: value")]
    Field(String),
    /// The field is written by this program.
    #[error("the field {0} is written by this program: it says how the message is framed")]
    Framing(String),
}

/// A request that is ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prepared {
    /// Up to the first place of the number; the whole head where there is none.
    before: Vec<u8>,
    /// From there to the second; behind that is the end of the head.
    between: Option<Vec<u8>>,
    body: Arc<[u8]>,
    is_head: bool,
}

impl Prepared {
    /// Checks and writes it. `host`: what stands in the Host field where `fields` have none.
    ///
    /// # Errors
    /// It cannot be sent.
    pub fn new(request: &Request, host: &str, is_stamped: bool) -> Result<Self, RequestError> {
        check_method(&request.method)?;
        check_target(&request.target)?;
        let mut first = format!("{} {}", request.method, request.target).into_bytes();
        let mut fields = Vec::new();
        let has = |name: &str| {
            let mut given = request.fields.iter();
            given.any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        if !has("Host") {
            field("Host", host, &mut fields);
        }
        if !has("User-Agent") {
            field("User-Agent", AGENT, &mut fields);
        }
        for (name, value) in &request.fields {
            check_field(name, value)?;
            field(name, value, &mut fields);
        }
        let wants_length = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
        if wants_length || !request.body.is_empty() {
            let length = request.body.len().to_string();
            field("Content-Length", &length, &mut fields);
        }
        let is_head = request.method == "HEAD";
        if !is_stamped {
            first.extend_from_slice(VERSION);
            first.extend_from_slice(&fields);
            first.extend_from_slice(b"\r\n");
            return Ok(Self {
                before: first,
                between: None,
                body: Arc::clone(&request.body),
                is_head,
            });
        }
        first.extend_from_slice(stamp_in(&request.target).as_bytes());
        let mut between = VERSION.to_vec();
        between.extend_from_slice(&fields);
        between.extend_from_slice(STAMP_FIELD.as_bytes());
        between.extend_from_slice(b": ");
        Ok(Self {
            before: first,
            between: Some(between),
            body: Arc::clone(&request.body),
            is_head,
        })
    }

    /// Bytes that it has with this number.
    #[must_use]
    pub fn bytes(&self, number: u64) -> u64 {
        let mut out = Vec::new();
        self.write(number, &mut out);
        out.len() as u64
    }

    /// Appends it.
    #[inline]
    fn write(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        if let Some(between) = &self.between {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(number).as_bytes();
            out.extend_from_slice(digits);
            out.extend_from_slice(between);
            out.extend_from_slice(digits);
            out.extend_from_slice(b"\r\n\r\n");
        }
        out.extend_from_slice(&self.body);
    }
}

/// What requests say about who asks, where nothing else is said.
const AGENT: &str = concat!("tapline/", env!("CARGO_PKG_VERSION"));

/// What stands behind a target.
const VERSION: &[u8] = b" HTTP/1.1\r\n";

/// What stands before the number behind this target.
fn stamp_in(target: &str) -> String {
    let sign = if target.contains('?') { '&' } else { '?' };
    format!("{sign}{STAMP_PARAMETER}=")
}

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(sign)
}

fn check_method(method: &str) -> Result<(), RequestError> {
    match method {
        "CONNECT" => Err(RequestError::Connect),
        _ if is_token(method) => Ok(()),
        _ => Err(RequestError::Method(method.to_owned())),
    }
}

fn check_target(target: &str) -> Result<(), RequestError> {
    let is_sent = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic());
    match is_sent {
        true => Ok(()),
        false => Err(RequestError::Target(target.to_owned())),
    }
}

/// Whether a field can be sent.
///
/// # Errors
/// It would not stay in its line, or is one that this program writes.
pub fn check_field(name: &str, value: &str) -> Result<(), RequestError> {
    let stays = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    if !is_token(name) || !value.bytes().all(stays) {
        return Err(RequestError::Field(format!("{name}: {value}")));
    }
    let framing = ["Content-Length", "Transfer-Encoding", STAMP_FIELD];
    match framing.iter().find(|own| own.eq_ignore_ascii_case(name)) {
        Some(own) => Err(RequestError::Framing((*own).to_owned())),
        None => Ok(()),
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Requests {
    /// These, in turn; at least one.
    Cycle(Arc<[Prepared]>),
    /// What users ask.
    Users(Arc<Users>),
}

/// The requests of one thread, in their order.
#[derive(Debug)]
pub enum Sequence {
    /// As [`Requests::Cycle`].
    Cycle(Arc<[Prepared]>),
    /// As [`Requests::Users`].
    Users(Box<Visit>),
}

impl Sequence {
    /// From the first request on.
    #[must_use]
    pub fn new(requests: &Requests) -> Self {
        match requests {
            Requests::Cycle(prepared) => Self::Cycle(Arc::clone(prepared)),
            Requests::Users(users) => Self::Users(Box::new(Visit::new(Arc::clone(users)))),
        }
    }

    /// Appends request `number`, which must be behind the one before. Whether its method is HEAD.
    #[inline]
    pub fn write(&mut self, number: u64, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Cycle(prepared) => {
                let at = match prepared.len() as u64 {
                    0 | 1 => 0,
                    count => (number % count) as usize,
                };
                let Some(prepared) = prepared.get(at) else {
                    return false;
                };
                prepared.write(number, out);
                prepared.is_head
            }
            Self::Users(visit) => {
                visit.write(number, out);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            target: target.to_owned(),
            ..Request::default()
        }
    }

    fn written(request: &Request, is_stamped: bool, number: u64) -> String {
        let prepared = Prepared::new(request, "h:1", is_stamped).unwrap();
        let mut out = Vec::new();
        prepared.write(number, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn requests_are_written() {
        assert_eq!(
            written(&get("/a?b"), false, 5),
            format!("GET /a?b HTTP/1.1\r\nHost: h:1\r\nUser-Agent: {AGENT}\r\n\r\n")
        );
        let mut post = get("/");
        post.method = "POST".to_owned();
        post.fields = vec![
            ("host".to_owned(), "x".to_owned()),
            ("USER-AGENT".to_owned(), "y z".to_owned()),
        ];
        assert_eq!(
            written(&post, false, 5),
            "POST / HTTP/1.1\r\nhost: x\r\nUSER-AGENT: y z\r\nContent-Length: 0\r\n\r\n"
        );
        post.body = b"a=b".as_slice().into();
        assert!(written(&post, false, 5).ends_with("Content-Length: 3\r\n\r\na=b"));
        assert_eq!(
            written(&post, true, 5),
            "POST /?stamp=5 HTTP/1.1\r\nhost: x\r\nUSER-AGENT: y z\r\nContent-Length: 3\r\n\
             X-Tapline-Stamp: 5\r\n\r\na=b"
        );
        assert!(
            written(&get("/a?b"), true, u64::MAX)
                .starts_with("GET /a?b&stamp=18446744073709551615 HTTP/1.1\r\n")
        );
    }

    #[test]
    fn what_would_leave_its_line_is_refused() {
        let check = |request: &Request, says: &str| {
            let error = Prepared::new(request, "h", false).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        };
        for target in ["", "/a b", "/\r\nX: y", "/ä", "/\0"] {
            check(&get(target), "cannot be asked for");
        }
        for method in ["", "G ET", "GET\r\n", "G:"] {
            let mut request = get("/");
            request.method = method.to_owned();
            check(&request, "is no method");
        }
        let mut tunnel = get("a:1");
        tunnel.method = "CONNECT".to_owned();
        check(&tunnel, "tunnel");
        for (name, value, says) in [
            ("X", "a\r\nb", "is no field"),
            ("X", "a\nb", "is no field"),
            ("X Y", "a", "is no field"),
            ("", "a", "is no field"),
            ("content-length", "5", "Content-Length"),
            ("Transfer-Encoding", "chunked", "framed"),
        ] {
            let mut request = get("/");
            request.fields = vec![(name.to_owned(), value.to_owned())];
            check(&request, says);
        }
    }

    #[test]
    fn lists_are_asked_in_turn() {
        let prepared: Vec<Prepared> = ["/a", "/b", "/c"]
            .map(|target| Prepared::new(&get(target), "h", false).unwrap())
            .into();
        let mut sequence = Sequence::new(&Requests::Cycle(prepared.into()));
        let mut first_of = |number: u64| {
            let mut out = Vec::new();
            assert!(!sequence.write(number, &mut out));
            String::from_utf8(out).unwrap()[5..6].to_owned()
        };
        let found: String = (0..7).map(&mut first_of).collect();
        assert_eq!(found, "abcabca");
    }
}
