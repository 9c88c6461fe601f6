//! Conversations, and the segments they are sent in.

use agent_common::record::FIRST_POSITION;
use proptest::prelude::*;

/// A head that was sent, as it must be found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sent {
    pub(super) side: u8,
    pub(super) position: u64,
    pub(super) head: Vec<u8>,
}

/// What two endpoints say to each other, in turns: who speaks next has heard all before.
#[derive(Clone, Default)]
pub(super) struct Conversation {
    pub(super) turns: Vec<(u8, Vec<u8>)>,
    pub(super) heads: Vec<Sent>,
    ends: [u64; 2],
    /// The end of the last response could not be told from its head alone.
    unframed: bool,
}

/// A piece of one turn, as a packet carries it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) side: u8,
    pub(super) position: u64,
    pub(super) bytes: Vec<u8>,
}

pub(super) const CLIENT: u8 = 0;
pub(super) const SERVER: u8 = 1;

/// How a body is framed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    Empty,
    Length(usize),
    Chunked(usize),
}

/// One exchange, or a group of them.
#[derive(Clone, Debug)]
pub(super) enum Exchange {
    Plain {
        method: &'static str,
        request: Frame,
        response: Frame,
        padding: usize,
        bare: bool,
    },
    Head {
        response: Frame,
    },
    NotModified,
    Continue {
        body: usize,
        response: Frame,
    },
    Pipeline {
        requests: Vec<(&'static str, Frame, Frame)>,
    },
    Unasked,
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Quiet,
    UntilClose,
    Connect,
    Upgrade,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (side, bytes) in &self.turns {
            writeln!(out, "{side} {:?}", String::from_utf8_lossy(bytes))?;
        }
        Ok(())
    }
}

impl Conversation {
    pub(super) fn new() -> Self {
        Self {
            ends: [FIRST_POSITION; 2],
            ..Self::default()
        }
    }

    /// Begins a turn of `side`.
    pub(super) fn turn(&mut self, side: u8) {
        self.turns.push((side, Vec::new()));
    }

    pub(super) fn head(&mut self, head: &str) {
        let (side, _) = self.turns[self.turns.len() - 1];
        let position = self.ends[usize::from(side)];
        self.heads.push(Sent {
            side,
            position,
            head: head.as_bytes().to_vec(),
        });
        self.body(head.as_bytes());
    }

    pub(super) fn body(&mut self, bytes: &[u8]) {
        let (side, said) = self.turns.last_mut().expect("a turn");
        said.extend_from_slice(bytes);
        self.ends[usize::from(*side)] += bytes.len() as u64;
    }

    fn framed(&mut self, frame: Frame, fakes: bool) {
        match frame {
            Frame::Empty => {}
            Frame::Length(length) => self.body(&filler(length, fakes)),
            Frame::Chunked(count) => {
                for chunk in 0..count {
                    let data = filler(17 + 61 * chunk, fakes);
                    self.body(format!("{:x};ext=\"{chunk}\"\r\n", data.len()).as_bytes());
                    self.body(&data);
                    self.body(b"\r\n");
                }
                let trailer = if fakes { "GET / HTTP/1.1" } else { "a" };
                self.body(format!("0\r\nTrailer: 1\n{trailer}\r\n\r\n").as_bytes());
            }
        }
    }

    fn request(&mut self, method: &str, frame: Frame, fields: &str, bare: bool) {
        let number = self.heads.len();
        let length = frame_fields(frame);
        let head = format!("{method} /{number} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n");
        self.head(&if bare { head.replace('\r', "") } else { head });
    }

    fn response(&mut self, status: &str, frame: Frame, fields: &str, bare: bool) {
        self.unframed = matches!(frame, Frame::Chunked(_));
        let length = frame_fields(frame);
        let head = format!("HTTP/1.1 {status}\r\nServer: b\r\n{fields}{length}\r\n");
        self.head(&if bare { head.replace('\r', "") } else { head });
    }

    /// Adds one exchange.
    pub(super) fn exchange(&mut self, exchange: &Exchange, fakes: bool) {
        match exchange {
            Exchange::Plain {
                method,
                request,
                response,
                padding,
                bare,
            } => {
                let text = if fakes { "GET / " } else { "x: yz " };
                let padding = format!("X-Padding: {}\r\n", text.repeat(padding / 6));
                self.turn(CLIENT);
                self.request(method, *request, &padding, *bare);
                self.framed(*request, fakes);
                self.turn(SERVER);
                self.response("200 OK", *response, &padding, *bare);
                self.framed(*response, fakes);
            }
            Exchange::Head { response } => {
                self.turn(CLIENT);
                self.request("HEAD", Frame::Empty, "", false);
                self.turn(SERVER);
                self.response("200 OK", *response, "", false);
            }
            Exchange::NotModified => {
                self.turn(CLIENT);
                self.request("GET", Frame::Empty, "If-None-Match: x\r\n", false);
                self.turn(SERVER);
                self.response("304 Not Modified", Frame::Length(900), "", false);
            }
            Exchange::Continue { body, response } => {
                self.turn(CLIENT);
                self.request(
                    "PUT",
                    Frame::Length(*body),
                    "Expect: 100-continue\r\n",
                    false,
                );
                self.turn(SERVER);
                self.head("HTTP/1.1 100 Continue\r\n\r\n");
                self.turn(CLIENT);
                self.body(&filler(*body, fakes));
                self.turn(SERVER);
                self.head("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
                self.response("200 OK", *response, "", false);
                self.framed(*response, fakes);
            }
            Exchange::Pipeline { requests } => {
                self.turn(CLIENT);
                for (method, request, _) in requests {
                    self.request(method, *request, "", false);
                    self.framed(*request, fakes);
                }
                self.turn(SERVER);
                for (method, _, response) in requests {
                    self.response("200 OK", *response, "", false);
                    if *method != "HEAD" {
                        self.framed(*response, fakes);
                    }
                }
            }
            // Behind an unframed body it cannot be told from body.
            Exchange::Unasked if self.unframed => {}
            Exchange::Unasked => {
                self.turn(SERVER);
                self.response("408 Request Timeout", Frame::Length(20), "", false);
                self.framed(Frame::Length(20), fakes);
            }
        }
    }

    pub(super) fn end(&mut self, end: End) {
        match end {
            End::Quiet => {}
            End::UntilClose => {
                self.turn(CLIENT);
                self.request("GET", Frame::Empty, "", false);
                self.turn(SERVER);
                self.head("HTTP/1.0 200 OK\r\n\r\n");
                self.body(&filler(4000, true));
            }
            End::Connect => {
                self.turn(CLIENT);
                self.head("CONNECT a:443 HTTP/1.1\r\n\r\n");
                self.turn(SERVER);
                self.head("HTTP/1.1 200 Connected\r\n\r\n");
                self.tunnel();
            }
            End::Upgrade => {
                self.turn(CLIENT);
                self.request("GET", Frame::Empty, "Upgrade: x\r\n", false);
                self.turn(SERVER);
                self.head("HTTP/1.1 101 Switching Protocols\r\n\r\n");
                self.tunnel();
            }
        }
    }

    fn tunnel(&mut self) {
        for side in [CLIENT, SERVER, CLIENT, SERVER] {
            self.turn(side);
            self.body(&filler(300, true));
        }
    }

    /// The segments when each turn is cut into pieces of the sizes that `size` gives.
    pub(super) fn segments(&self, mut size: impl FnMut() -> usize) -> Vec<Segment> {
        let mut ends = [FIRST_POSITION; 2];
        let mut segments = Vec::new();
        for (side, said) in &self.turns {
            let mut rest = said.as_slice();
            while !rest.is_empty() {
                let (bytes, after) = rest.split_at(size().clamp(1, rest.len()));
                let position = ends[usize::from(*side)];
                ends[usize::from(*side)] += bytes.len() as u64;
                segments.push(Segment {
                    side: *side,
                    position,
                    bytes: bytes.to_vec(),
                });
                rest = after;
            }
        }
        segments
    }
}

fn frame_fields(frame: Frame) -> String {
    match frame {
        Frame::Empty => "Content-Length: 0\r\n".to_owned(),
        Frame::Length(length) => format!("Content-Length: {length}\r\n"),
        Frame::Chunked(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
    }
}

/// A body of `length` bytes; with `fakes` it consists of heads.
pub(super) fn filler(length: usize, fakes: bool) -> Vec<u8> {
    let text = if fakes {
        "GET /fake HTTP/1.1\r\nHost: fake\r\n\r\nHTTP/1.1 200 Fake\r\nContent-Length: 7\r\n\r\n\
         POST /fake HTTP/1.1\nContent-Length: 99999\n\n0\r\n\r\nHTTP/1.1 100 Fake\r\n\r\n"
    } else {
        "(:)\r\n\r\n@, / {}\n"
    };
    text.bytes().cycle().take(length).collect()
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        Just(Frame::Empty),
        (1_usize..900).prop_map(Frame::Length),
        (0_usize..5).prop_map(Frame::Chunked),
    ]
}

fn method() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("GET"), Just("POST"), Just("QUERY"), Just("PROPFIND")]
}

pub(super) fn exchange() -> impl Strategy<Value = Exchange> {
    let plain = |padding, bare| {
        (method(), frame(), frame(), padding, bare).prop_map(
            |(method, request, response, padding, bare)| Exchange::Plain {
                method,
                request,
                response,
                padding,
                bare,
            },
        )
    };
    let piped = (prop_oneof![method(), Just("HEAD")], frame(), frame()).prop_map(
        |(method, request, response)| match method {
            "HEAD" => (method, Frame::Empty, response),
            _ => (method, request, response),
        },
    );
    prop_oneof![
        4 => plain(0_usize..40, any::<bool>().boxed()),
        2 => plain(0_usize..15_800, Just(false).boxed()),
        1 => frame().prop_map(|response| Exchange::Head { response }),
        1 => Just(Exchange::NotModified),
        2 => (1_usize..900, frame()).prop_map(|(body, response)| Exchange::Continue { body, response }),
        2 => proptest::collection::vec(piped, 2..6).prop_map(|requests| Exchange::Pipeline { requests }),
        1 => Just(Exchange::Unasked),
    ]
}

/// A conversation of up to `count` exchanges.
pub(super) fn conversation(count: usize, fakes: bool) -> impl Strategy<Value = Conversation> {
    let end = prop_oneof![
        4 => Just(End::Quiet),
        1 => Just(End::UntilClose),
        1 => Just(End::Connect),
        1 => Just(End::Upgrade),
    ];
    (proptest::collection::vec(exchange(), 1..=count), end).prop_map(move |(exchanges, end)| {
        let mut conversation = Conversation::new();
        for mut exchange in exchanges {
            if !fakes {
                without_lengths_for_head(&mut exchange);
            }
            conversation.exchange(&exchange, fakes);
        }
        if fakes {
            conversation.end(end);
        }
        conversation
    })
}

/// When the request HEAD is lost, a Content-Length in its response spans what follows, and nothing on
/// the wire tells.
fn without_lengths_for_head(exchange: &mut Exchange) {
    let change = |response: &mut Frame| {
        if matches!(response, Frame::Length(_)) {
            *response = Frame::Empty;
        }
    };
    match exchange {
        Exchange::Head { response } => change(response),
        Exchange::Pipeline { requests } => {
            let heads = requests.iter_mut().filter(|request| request.0 == "HEAD");
            heads.for_each(|(_, _, response)| change(response));
        }
        _ => {}
    }
}
