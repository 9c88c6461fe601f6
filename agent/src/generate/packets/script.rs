//! What the two sides of a connection say: the bytes of both streams, whose turn each part is, and the heads
//! and exchanges in them. Whoever speaks has heard all that was said before.
//!
//! The memory of a script is used again for the next one.

use std::ops::Range;

/// Who speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Who opened the connection.
    Client = 0,
    /// Who answers.
    Server = 1,
}

impl Side {
    /// The name in the truth.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A part of the stream of a side that is said in one go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub side: Side,
    /// Which bytes of the stream of the side.
    pub bytes: Range<usize>,
}

/// A head that is said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SaidHead {
    /// Who says it.
    pub side: Side,
    /// Where it stands in the stream of the side, with its empty line.
    pub bytes: Range<usize>,
    /// The number of its exchange within the connection; the same in a request and what answers it.
    pub number: u64,
    /// The status of a response; `None`: it is a request.
    pub status: Option<u16>,
}

/// What becomes of an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ends {
    /// It is answered.
    Complete,
    /// It is not.
    Unanswered,
    /// It is answered, and what follows on the connection is not HTTP.
    Opaque,
}

/// A request and what answers it: places in the list of heads, and where the two messages end in the
/// streams.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SaidExchange {
    /// The request.
    pub request: usize,
    /// Where its body ends.
    pub request_end: usize,
    /// The last interim response.
    pub interim: Option<usize>,
    /// The first head that answers, interim ones too.
    pub first_answer: Option<usize>,
    /// The final response.
    pub response: Option<usize>,
    /// Where its body ends.
    pub response_end: usize,
    /// What becomes of it.
    pub ends: Ends,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Closing {
    /// The client says first that it has no more to say.
    #[default]
    ByClient,
    /// The server does.
    ByServer,
    /// The client breaks it off.
    ResetByClient,
    /// The server breaks it off.
    ResetByServer,
}

/// What the two sides of a connection say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Script {
    /// What the client and the server say.
    pub streams: [Vec<u8>; 2],
    /// In which order.
    pub turns: Vec<Turn>,
    /// The heads in it, in the order in which they are said.
    pub heads: Vec<SaidHead>,
    /// The exchanges.
    pub exchanges: Vec<SaidExchange>,
    /// How it ends.
    pub closing: Closing,
}

/// How the body of a message is framed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// There is none, and no field says so.
    None,
    /// None, though a length is named: an answer to HEAD, a 304.
    Named(usize),
    /// So many bytes.
    Length(usize),
    /// So many chunks.
    Chunked(usize),
    /// So many bytes, and the connection ends.
    UntilClose(usize),
}

/// What bodies are made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Filling {
    /// Words.
    Words,
    /// Heads that are none.
    Heads,
    /// Nothing that could begin a head: not even a word that may be a method.
    Marks,
}

/// Bodies longer than this are not made.
pub const BODY_MAX: usize = 1 << 20;

/// A request, as it is to be said.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'static str,
    /// The target, whole.
    pub target: &'a str,
    /// Its body.
    pub body: Body,
    /// Field lines behind the others, each with its line end.
    pub fields: &'a str,
}

/// A response, as it is to be said.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status, three digits.
    pub status: u16,
    /// The reason phrase.
    pub reason: &'static str,
    /// `HTTP/1.0` rather than `HTTP/1.1`.
    pub is_old: bool,
    /// Its body.
    pub body: Body,
    /// Field lines behind the others.
    pub fields: &'a str,
}

impl Script {
    /// Takes all out; the memory stays.
    pub fn clear(&mut self) {
        for stream in &mut self.streams {
            stream.clear();
        }
        self.turns.clear();
        self.heads.clear();
        self.exchanges.clear();
        self.closing = Closing::default();
    }

    /// From now on this side speaks.
    pub fn turn(&mut self, side: Side) {
        let at = self.streams[side as usize].len();
        self.turns.push(Turn {
            side,
            bytes: at..at,
        });
    }

    /// Says a request in the turn at hand. `stamp` is its number in the whole run.
    pub fn request(&mut self, stamp: u64, request: &Request<'_>, filling: Filling) {
        let begin = self.begin();
        self.text(request.method);
        self.text(" ");
        self.text(request.target);
        self.text(" HTTP/1.1\r\nHost: ");
        self.number(stamp);
        self.text(".test\r\nUser-Agent: tapline/1 (packets)\r\n");
        self.framing(request.body);
        self.text(request.fields);
        self.text("\r\n");
        let head = self.head(begin, None);
        self.body(request.body, filling);
        let end = self.said(Side::Client);
        self.exchanges.push(SaidExchange {
            request: head,
            request_end: end,
            interim: None,
            first_answer: None,
            response: None,
            response_end: 0,
            ends: Ends::Unanswered,
        });
    }

    /// Says the body of the last request, which waited for an interim response.
    pub fn late_body(&mut self, length: usize, filling: Filling) {
        self.body(Body::Length(length), filling);
        let end = self.said(Side::Client);
        if let Some(exchange) = self.exchanges.last_mut() {
            exchange.request_end = end;
        }
    }

    /// Says an interim response to the exchange `index`.
    pub fn interim(&mut self, index: usize, stamp: u64, status: u16, reason: &'static str) {
        let response = Response {
            status,
            reason,
            is_old: false,
            body: Body::None,
            fields: "",
        };
        let head = self.answer(stamp, &response, index);
        if let Some(exchange) = self.exchanges.get_mut(index) {
            exchange.interim = Some(head);
            exchange.first_answer.get_or_insert(head);
        }
    }

    /// Says the response to the exchange `index`.
    pub fn response(
        &mut self,
        index: usize,
        stamp: u64,
        response: &Response<'_>,
        filling: Filling,
    ) {
        let head = self.answer(stamp, response, index);
        self.body(response.body, filling);
        let end = self.said(Side::Server);
        if let Some(exchange) = self.exchanges.get_mut(index) {
            exchange.first_answer.get_or_insert(head);
            exchange.response = Some(head);
            exchange.response_end = end;
            exchange.ends = Ends::Complete;
        }
    }

    /// What follows on the connection is not HTTP: both sides say so many bytes, twice.
    pub fn tunnel(&mut self, length: usize, filling: Filling) {
        if let Some(exchange) = self.exchanges.last_mut() {
            exchange.ends = Ends::Opaque;
        }
        for side in [Side::Client, Side::Server, Side::Client, Side::Server] {
            self.turn(side);
            self.fill(length, filling);
        }
    }

    /// Says so many bytes in the turn at hand.
    pub fn say(&mut self, length: usize, filling: Filling) {
        self.fill(length, filling);
    }

    /// Bytes that a side has said.
    #[must_use]
    pub fn said(&self, side: Side) -> usize {
        self.streams[side as usize].len()
    }

    /// The bytes of a head.
    #[must_use]
    pub fn bytes_of(&self, head: &SaidHead) -> &[u8] {
        let stream = &self.streams[head.side as usize];
        stream.get(head.bytes.clone()).unwrap_or_default()
    }

    fn answer(&mut self, stamp: u64, response: &Response<'_>, index: usize) -> usize {
        let begin = self.begin();
        self.text(if response.is_old {
            "HTTP/1.0 "
        } else {
            "HTTP/1.1 "
        });
        self.number(response.status.into());
        self.text(" ");
        self.text(response.reason);
        self.text("\r\nServer: tapline\r\nContent-Type: text/plain; stamp=");
        self.number(stamp);
        self.text("\r\n");
        self.framing(response.body);
        self.text(response.fields);
        self.text("\r\n");
        let head = self.head(begin, Some(response.status));
        if let (Some(head), Some(exchange)) = (self.heads.last_mut(), self.exchanges.get(index)) {
            head.number = exchange.request as u64;
        }
        head
    }

    fn begin(&self) -> usize {
        self.turns.last().map_or(0, |turn| turn.bytes.end)
    }

    fn head(&mut self, begin: usize, status: Option<u16>) -> usize {
        let index = self.heads.len();
        if let Some(turn) = self.turns.last() {
            self.heads.push(SaidHead {
                side: turn.side,
                bytes: begin..turn.bytes.end,
                number: index as u64,
                status,
            });
        }
        index
    }

    fn framing(&mut self, body: Body) {
        match body {
            Body::None | Body::UntilClose(_) => {}
            Body::Named(length) | Body::Length(length) => {
                self.text("Content-Length: ");
                self.number(length.min(BODY_MAX) as u64);
                self.text("\r\n");
            }
            Body::Chunked(_) => self.text("Transfer-Encoding: chunked\r\n"),
        }
    }

    fn body(&mut self, body: Body, filling: Filling) {
        match body {
            Body::None | Body::Named(_) => {}
            Body::Length(length) | Body::UntilClose(length) => self.fill(length, filling),
            Body::Chunked(count) => {
                for chunk in 0..count {
                    let length = 31 + 67 * (chunk % 40);
                    self.text(&format!("{length:x}\r\n"));
                    self.fill(length, filling);
                    self.text("\r\n");
                }
                self.text("0\r\n\r\n");
            }
        }
    }

    fn fill(&mut self, length: usize, filling: Filling) {
        let pattern: &[u8] = match filling {
            Filling::Words => b"the quick brown fox jumps over the lazy dog, and then it goes home;\n",
            Filling::Heads => {
                b"GET /not-a-request HTTP/1.1\r\nHost: nobody.test\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\
                  POST /not-a-request HTTP/1.1\r\nContent-Length: 99999\r\n\r\n0\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
            }
            Filling::Marks => b"[@]: {;}\r\n\r\n (;), \0;",
        };
        let mut left = length.min(BODY_MAX);
        while left > 0 {
            let part = left.min(pattern.len());
            self.bytes(&pattern[..part]);
            left -= part;
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        let mut digits = itoa::Buffer::new();
        self.bytes(digits.format(number).as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(turn) = self.turns.last_mut() {
            self.streams[turn.side as usize].extend_from_slice(bytes);
            turn.bytes.end += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stands_where_it_is_told() {
        let mut script = Script::default();
        script.turn(Side::Client);
        let request = Request {
            method: "PUT",
            target: "/a?stamp=5",
            body: Body::None,
            fields: "Expect: 100-continue\r\n",
        };
        script.request(5, &request, Filling::Words);
        script.turn(Side::Server);
        script.interim(0, 5, 100, "Continue");
        script.turn(Side::Client);
        script.late_body(10, Filling::Words);
        script.turn(Side::Server);
        let response = Response {
            status: 200,
            reason: "OK",
            is_old: false,
            body: Body::Chunked(2),
            fields: "",
        };
        script.response(0, 5, &response, Filling::Heads);
        let texts: Vec<String> = script
            .heads
            .iter()
            .map(|head| String::from_utf8_lossy(script.bytes_of(head)).into_owned())
            .collect();
        assert!(texts[0].starts_with("PUT /a?stamp=5 HTTP/1.1\r\nHost: 5.test\r\n"));
        assert!(texts[1].starts_with("HTTP/1.1 100 Continue\r\n"));
        assert!(texts[2].starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(
            texts.iter().all(|text| text.ends_with("\r\n\r\n")),
            "{texts:?}"
        );
        let exchange = &script.exchanges[0];
        assert_eq!(exchange.request_end, script.said(Side::Client));
        assert_eq!(exchange.response_end, script.said(Side::Server));
        assert_eq!(
            (exchange.interim, exchange.first_answer),
            (Some(1), Some(1))
        );
        assert_eq!(
            (exchange.response, exchange.ends),
            (Some(2), Ends::Complete)
        );
        for side in [Side::Client, Side::Server] {
            let turns = script.turns.iter().filter(|turn| turn.side == side);
            let ends: Vec<usize> = turns.map(|turn| turn.bytes.end).collect();
            assert_eq!(ends.last(), Some(&script.said(side)));
        }
        assert_eq!(script.turns.len(), 4);
        script.clear();
        assert_eq!(script, Script::default());
    }
}
