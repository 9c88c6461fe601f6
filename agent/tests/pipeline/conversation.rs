//! Conversations between a client and a server: the bytes of each turn, and the heads in them.

use std::ops::Range;

use proptest::prelude::*;

/// Who sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// A head that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) side: Side,
    /// Where its bytes stand in the stream of its side.
    pub(crate) bytes: Range<usize>,
    pub(crate) line: String,
    /// The field lines with their line ends.
    pub(crate) fields: String,
}

/// What two endpoints say to each other, in turns: who speaks has heard all that was said before.
#[derive(Clone, Default)]
pub(crate) struct Conversation {
    pub(crate) turns: Vec<(Side, Vec<u8>)>,
    pub(crate) heads: Vec<Sent>,
    said: [usize; 2],
    /// Distinguishes the heads of several conversations.
    name: String,
    /// The end of the last response cannot be told from its head alone.
    unframed: bool,
    /// No HTTP follows any more.
    over: bool,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    None,
    Length(usize),
    /// So many chunks.
    Chunked(usize),
}

/// A request, its body and the response's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) body: Body,
    pub(crate) response: Body,
}

/// What is said.
#[derive(Clone, Debug)]
pub(crate) enum Exchange {
    /// A request and its response. `padding` makes both heads longer.
    Plain {
        request: Request,
        padding: usize,
        /// Lines end with a line feed alone.
        bare: bool,
        /// An empty line before the request line (RFC 9112, section 2.2).
        blank: bool,
    },
    /// `304`, with the length of the body that it does not have.
    NotModified,
    /// `100`, the body, `103` and the response.
    Continue { body: usize, response: Body },
    /// A request with a body that nobody wants, which is not sent, and another request.
    Refused { body: usize, response: Body },
    /// All requests in one turn, all responses in another.
    Pipeline(Vec<Request>),
    /// A response that nobody asked for.
    Unasked,
}

/// How it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Quiet,
    UntilClose,
    Connect,
    Upgrade,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (side, bytes) in &self.turns {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]);
            writeln!(out, "{side:?}: {} bytes {text:?}", bytes.len())?;
        }
        Ok(())
    }
}

impl Conversation {
    /// Puts exchanges in a row. With `fakes` bodies are full of heads.
    pub(crate) fn new(name: &str, exchanges: &[Exchange], end: End, fakes: bool) -> Self {
        let mut conversation = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        for exchange in exchanges {
            conversation.exchange(exchange, fakes);
        }
        conversation.end(end, fakes);
        conversation
    }

    pub(crate) fn turn(&mut self, side: Side) {
        self.turns.push((side, Vec::new()));
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let (side, said) = self.turns.last_mut().expect("a turn");
        said.extend_from_slice(bytes);
        self.said[*side as usize] += bytes.len();
    }

    pub(crate) fn head(&mut self, text: &str) {
        let side = self.turns.last().expect("a turn").0;
        let begin = self.said[side as usize];
        let (line, fields) = text.split_once('\n').expect("a line");
        let end = if fields.ends_with("\r\n") { 2 } else { 1 };
        self.heads.push(Sent {
            side,
            bytes: begin..begin + text.len(),
            line: line.trim_end_matches('\r').to_owned(),
            fields: fields[..fields.len() - end].to_owned(),
        });
        self.say(text.as_bytes());
    }

    fn body(&mut self, body: Body, fakes: bool) {
        match body {
            Body::None => {}
            Body::Length(length) => self.say(&filler(length, fakes)),
            Body::Chunked(count) => {
                for chunk in 0..count {
                    let data = filler(17 + 61 * chunk, fakes);
                    self.say(format!("{:x};ext=\"{chunk}\"\r\n", data.len()).as_bytes());
                    self.say(&data);
                    self.say(b"\r\n");
                }
                let trailer = if fakes { "GET / HTTP/1.1" } else { "A: b" };
                self.say(format!("0\r\nTrailer: 1\r\n{trailer}\r\n\r\n").as_bytes());
            }
        }
    }

    fn request(&mut self, method: &str, body: Body, fields: &str, bare: bool) {
        let number = self.heads.len();
        let name = &self.name;
        let length = framing(body, method == "GET");
        let head = format!("{method} /{name}-{number} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n");
        self.head(&if bare { head.replace('\r', "") } else { head });
    }

    fn response(&mut self, status: &str, body: Body, fields: &str, bare: bool) {
        self.unframed = matches!(body, Body::Chunked(_));
        let number = self.heads.len();
        let name = &self.name;
        let length = framing(body, false);
        let head = format!("HTTP/1.1 {status}\r\nX: {name}-{number}\r\n{fields}{length}\r\n");
        self.head(&if bare { head.replace('\r', "") } else { head });
    }

    fn interim(&mut self, status: &str) {
        let (name, number) = (&self.name, self.heads.len());
        self.head(&format!("HTTP/1.1 {status}\r\nX: {name}-{number}\r\n\r\n"));
    }

    /// Adds one exchange.
    pub(crate) fn exchange(&mut self, exchange: &Exchange, fakes: bool) {
        match exchange {
            Exchange::Plain {
                request,
                padding,
                bare,
                blank,
            } => {
                let padding = match padding {
                    0 => String::new(),
                    _ => {
                        // Behind a loss any word may begin a request line, here as in a body.
                        let text = if fakes { "GET / " } else { "[@] / " };
                        format!("X-Padding: {}\r\n", text.repeat(padding / 6))
                    }
                };
                self.turn(Side::Client);
                if *blank {
                    self.say(b"\r\n");
                }
                self.request(request.method, request.body, &padding, *bare);
                self.body(request.body, fakes);
                self.turn(Side::Server);
                self.response("200 OK", request.response, &padding, *bare);
                if request.method != "HEAD" {
                    self.body(request.response, fakes);
                }
            }
            Exchange::NotModified => {
                self.turn(Side::Client);
                self.request("GET", Body::None, "If-None-Match: x\r\n", false);
                self.turn(Side::Server);
                self.response("304 Not Modified", Body::Length(900), "", false);
            }
            Exchange::Continue { body, response } => {
                self.turn(Side::Client);
                let expect = "Expect: 100-continue\r\n";
                self.request("PUT", Body::Length(*body), expect, false);
                self.turn(Side::Server);
                self.interim("100 Continue");
                self.turn(Side::Client);
                self.body(Body::Length(*body), fakes);
                self.turn(Side::Server);
                self.interim("103 Early Hints");
                self.response("200 OK", *response, "", false);
                self.body(*response, fakes);
            }
            Exchange::Refused { body, response } => {
                self.turn(Side::Client);
                let expect = "Expect: 100-continue\r\n";
                self.request("PUT", Body::Length(*body), expect, false);
                self.turn(Side::Server);
                self.response("401 Unauthorized", *response, "", false);
                self.body(*response, fakes);
                self.turn(Side::Client);
                self.request("GET", Body::None, "Authorization: x\r\n", false);
                self.turn(Side::Server);
                self.response("200 OK", Body::Length(3), "", false);
                self.body(Body::Length(3), fakes);
            }
            Exchange::Pipeline(requests) => {
                self.turn(Side::Client);
                for request in requests {
                    self.request(request.method, request.body, "", false);
                    self.body(request.body, fakes);
                }
                self.turn(Side::Server);
                for request in requests {
                    self.response("200 OK", request.response, "", false);
                    if request.method != "HEAD" {
                        self.body(request.response, fakes);
                    }
                }
            }
            // Behind a body that was not copied it cannot be told from body.
            Exchange::Unasked if self.unframed => {}
            Exchange::Unasked => {
                self.turn(Side::Server);
                self.response("408 Request Timeout", Body::Length(20), "", false);
                self.body(Body::Length(20), fakes);
            }
        }
    }

    /// Whether a HEAD was sent together with other requests.
    pub(crate) fn has_head_in_pipeline(&self) -> bool {
        self.turns.iter().any(|(side, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            let requests = text.matches(" HTTP/1.1\r\n").count();
            *side == Side::Client && text.contains("HEAD /") && requests > 1
        })
    }

    /// Whether nothing that follows is HTTP.
    pub(crate) fn ends_http(&self) -> bool {
        self.over
    }

    fn end(&mut self, end: End, fakes: bool) {
        self.over = !matches!(end, End::Quiet);
        match end {
            End::Quiet => {}
            End::UntilClose => {
                self.turn(Side::Client);
                self.request("GET", Body::None, "", false);
                self.turn(Side::Server);
                self.head("HTTP/1.0 200 OK\r\n\r\n");
                self.say(&filler(4000, fakes));
            }
            End::Connect => {
                self.turn(Side::Client);
                self.head("CONNECT a:443 HTTP/1.1\r\n\r\n");
                self.turn(Side::Server);
                self.head("HTTP/1.1 200 Connected\r\n\r\n");
                self.tunnel(fakes);
            }
            End::Upgrade => {
                self.turn(Side::Client);
                self.request("GET", Body::None, "Upgrade: x\r\n", false);
                self.turn(Side::Server);
                self.head("HTTP/1.1 101 Switching Protocols\r\n\r\n");
                self.tunnel(fakes);
            }
        }
    }

    fn tunnel(&mut self, fakes: bool) {
        for side in [Side::Client, Side::Server, Side::Client, Side::Server] {
            self.turn(side);
            self.say(&filler(300, fakes));
        }
    }
}

fn framing(body: Body, quiet: bool) -> String {
    match body {
        Body::None if quiet => String::new(),
        Body::None => "Content-Length: 0\r\n".to_owned(),
        Body::Length(length) => format!("content-length: {length}\r\n"),
        Body::Chunked(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
    }
}

/// A body of `length` bytes; with `fakes` it consists of heads.
pub(crate) fn filler(length: usize, fakes: bool) -> Vec<u8> {
    let text = if fakes {
        "GET /fake HTTP/1.1\r\nHost: fake\r\n\r\nHTTP/1.1 200 Fake\r\nContent-Length: 7\r\n\r\n\
         POST /fake HTTP/1.1\r\nContent-Length: 99999\r\n\r\n0\r\n\r\nHTTP/1.1 100 Fake\r\n\r\n"
    } else {
        // Nothing that may stand in a method: after a loss any word may begin a request line.
        "[@]: {;}\r\n\r\n (;), \0\u{e9};"
    };
    text.bytes().cycle().take(length).collect()
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        2 => Just(Body::None),
        3 => (1_usize..900).prop_map(Body::Length),
        1 => (900_usize..9000).prop_map(Body::Length),
        2 => (0_usize..5).prop_map(Body::Chunked),
    ]
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let method = prop_oneof![
        4 => Just("GET"),
        2 => Just("POST"),
        1 => Just("HEAD"),
        1 => Just("QUERY"),
        1 => Just("PROPFIND"),
        1 => Just("VERSION-CONTROL"),
        1 => Just("FROBNICATE"),
    ];
    (method, body(), body()).prop_map(|(method, body, response)| Request {
        method,
        body: match method {
            "GET" | "HEAD" => Body::None,
            _ => body,
        },
        response,
    })
}

/// One of which no packet may be missing: without the answer nobody knows that the body never came.
pub(crate) fn refused() -> impl Strategy<Value = Exchange> {
    (1_usize..3000, body()).prop_map(|(body, response)| Exchange::Refused { body, response })
}

pub(crate) fn exchange() -> impl Strategy<Value = Exchange> {
    let plain = |padding, bare, blank| {
        (request(), padding, bare, blank).prop_map(|(request, padding, bare, blank)| {
            Exchange::Plain {
                request,
                padding,
                bare,
                blank,
            }
        })
    };
    let pipeline = proptest::collection::vec(request(), 2..6);
    prop_oneof![
        4 => plain(0_usize..40, Just(false).boxed(), Just(false).boxed()),
        1 => plain(0_usize..40, any::<bool>().boxed(), any::<bool>().boxed()),
        2 => plain(0_usize..15_800, Just(false).boxed(), Just(false).boxed()),
        1 => Just(Exchange::NotModified),
        2 => (1_usize..900, body()).prop_map(|(body, response)| Exchange::Continue { body, response }),
        2 => pipeline.prop_map(Exchange::Pipeline),
        1 => Just(Exchange::Unasked),
    ]
}

pub(crate) fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Quiet),
        1 => Just(End::UntilClose),
        1 => Just(End::Connect),
        1 => Just(End::Upgrade),
    ]
}
