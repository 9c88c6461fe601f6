//! What is said on a connection of each shape.

use rand_chacha::ChaCha8Rng;

use super::Shape;
use crate::generate::draw::{below, between, one};
use crate::generate::packets::script::{Body, Closing, Filling, Request, Response, Script, Side};

/// Says a connection of a shape.
pub(in super::super) struct Writer<'a> {
    pub(in super::super) script: &'a mut Script,
    pub(in super::super) stream: &'a mut ChaCha8Rng,
    /// The stamp of the first exchange.
    pub(in super::super) stamp: u64,
    /// The number of the connection within its round.
    pub(in super::super) index: u64,
    /// Exchanges of a connection that is kept.
    pub(in super::super) exchanges: u32,
    pub(in super::super) target: String,
}

const OK: Response<'static> = Response {
    status: 200,
    reason: "OK",
    is_old: false,
    body: Body::None,
    fields: "",
};

impl Writer<'_> {
    /// The script of this shape. UDP and ICMP have none.
    pub(in super::super) fn write(&mut self, shape: Shape) {
        let filling = match shape {
            Shape::Lookalike | Shape::Connect | Shape::Upgrade => Filling::Heads,
            Shape::Lossy => Filling::Marks,
            _ => Filling::Words,
        };
        match shape {
            Shape::Split => {
                for _ in 0..2 {
                    self.plain("GET", Body::None, 200, Body::Length(20), filling);
                }
            }
            Shape::Pipelined => self.pipelined(filling),
            Shape::Targets => self.targets(filling),
            Shape::Connect => self.connect(filling),
            Shape::Keepalive => {
                for _ in 0..self.exchanges.max(1) {
                    let length = below(self.stream, 400) as usize;
                    self.plain("GET", Body::None, 200, Body::Length(length), filling);
                }
            }
            Shape::Interim => {
                for _ in 0..3 {
                    self.interim(filling);
                }
            }
            Shape::Upgrade => {
                self.some(1, filling);
                let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
                self.ask("GET", "/socket", Body::None, fields, filling);
                let switching = Response {
                    status: 101,
                    reason: "Switching Protocols",
                    fields,
                    ..OK
                };
                self.answer_last(&switching, filling);
                self.script.tunnel(700, filling);
            }
            Shape::UntilClose => {
                self.ask("GET", "/old", Body::None, "", filling);
                let length = between(self.stream, 0, 9000) as usize;
                let old = Response {
                    is_old: true,
                    body: Body::UntilClose(length),
                    ..OK
                };
                self.answer_last(&old, filling);
                self.script.closing = Closing::ByServer;
            }
            Shape::Reset => {
                self.some(2, filling);
                if self.index.is_multiple_of(3) {
                    self.ask("GET", "/never", Body::None, "", filling);
                }
                self.script.closing = match self.index % 2 {
                    0 => Closing::ResetByClient,
                    _ => Closing::ResetByServer,
                };
            }
            Shape::Long => {
                for _ in 0..3 {
                    let length = between(self.stream, 2000, 15_000) as usize;
                    let fields = format!("Cookie: {}\r\n", "c".repeat(length));
                    self.ask("GET", "/long", Body::None, &fields, filling);
                    let length = between(self.stream, 2000, 15_000) as usize;
                    let fields = format!("Set-Cookie: {}\r\n", "s".repeat(length));
                    let response = Response {
                        body: Body::Length(100),
                        fields: &fields,
                        ..OK
                    };
                    self.answer_last(&response, filling);
                }
            }
            Shape::Lookalike => {
                for turn in 0..4 {
                    let length = between(self.stream, 100, 5000) as usize;
                    let body = match turn % 2 {
                        0 => Body::Length(length),
                        _ => Body::Chunked(1 + length / 200),
                    };
                    self.plain("POST", body, 200, body, filling);
                }
            }
            Shape::Lossy => {
                for _ in 0..8 {
                    let length = between(self.stream, 300, 3000) as usize;
                    self.plain("GET", Body::None, 200, Body::Length(length), filling);
                }
            }
            Shape::Udp | Shape::Icmp => {}
            _ => {
                let count = between(self.stream, 3, 6);
                self.some(count, filling);
            }
        }
    }

    /// So many exchanges of any kind.
    fn some(&mut self, count: u32, filling: Filling) {
        for _ in 0..count {
            let length = between(self.stream, 1, 4000) as usize;
            let small = between(self.stream, 1, 600) as usize;
            match below(self.stream, 8) {
                0 => self.plain(
                    "POST",
                    Body::Length(length),
                    201,
                    Body::Length(small),
                    filling,
                ),
                1 => self.plain(
                    "PUT",
                    Body::Chunked(1 + length / 400),
                    204,
                    Body::None,
                    filling,
                ),
                2 => self.plain("HEAD", Body::None, 200, Body::Named(length), filling),
                3 => self.plain("GET", Body::None, 304, Body::None, filling),
                4 => self.plain("DELETE", Body::None, 404, Body::Length(small), filling),
                5 => self.plain(
                    "GET",
                    Body::None,
                    200,
                    Body::Chunked(1 + length / 300),
                    filling,
                ),
                _ => self.plain("GET", Body::None, 200, Body::Length(length), filling),
            }
        }
    }

    /// A request and its response.
    fn plain(
        &mut self,
        method: &'static str,
        body: Body,
        status: u16,
        answer: Body,
        filling: Filling,
    ) {
        self.ask(method, "/item", body, "", filling);
        let response = Response {
            status,
            reason: reason(status),
            body: answer,
            ..OK
        };
        self.answer_last(&response, filling);
    }

    fn ask(
        &mut self,
        method: &'static str,
        path: &str,
        body: Body,
        fields: &str,
        filling: Filling,
    ) {
        self.script.turn(Side::Client);
        self.ask_on(method, path, body, fields, filling);
    }

    /// A request in the turn at hand.
    fn ask_on(
        &mut self,
        method: &'static str,
        path: &str,
        body: Body,
        fields: &str,
        filling: Filling,
    ) {
        let stamp = self.stamp + self.script.exchanges.len() as u64;
        self.target.clear();
        self.target.push_str(path);
        self.target.push_str("?stamp=");
        self.target.push_str(itoa::Buffer::new().format(stamp));
        let request = Request {
            method,
            target: &self.target,
            body,
            fields,
        };
        self.script.request(stamp, &request, filling);
    }

    fn answer_last(&mut self, response: &Response<'_>, filling: Filling) {
        self.script.turn(Side::Server);
        let index = self.script.exchanges.len().saturating_sub(1);
        self.answer(index, response, filling);
    }

    fn answer(&mut self, index: usize, response: &Response<'_>, filling: Filling) {
        self.script
            .response(index, self.stamp + index as u64, response, filling);
    }

    fn pipelined(&mut self, filling: Filling) {
        for _ in 0..2 {
            let first = self.script.exchanges.len();
            let count = between(self.stream, 2, 24) as usize;
            self.script.turn(Side::Client);
            let mut answers = Vec::with_capacity(count);
            for _ in 0..count {
                let length = between(self.stream, 1, 900) as usize;
                match below(self.stream, 5) {
                    0 => {
                        self.ask_on("POST", "/pipe", Body::Length(length), "", filling);
                        answers.push((200, Body::Length(length)));
                    }
                    1 => {
                        self.ask_on("HEAD", "/pipe", Body::None, "", filling);
                        answers.push((200, Body::Named(length)));
                    }
                    2 => {
                        self.ask_on("GET", "/pipe", Body::None, "", filling);
                        answers.push((200, Body::Chunked(1 + length / 200)));
                    }
                    _ => {
                        self.ask_on("GET", "/pipe", Body::None, "", filling);
                        answers.push((200, Body::Length(length)));
                    }
                }
            }
            self.script.turn(Side::Server);
            for (place, (status, body)) in answers.into_iter().enumerate() {
                let response = Response {
                    status,
                    reason: reason(status),
                    body,
                    ..OK
                };
                self.answer(first + place, &response, filling);
            }
        }
    }

    fn interim(&mut self, filling: Filling) {
        let length = between(self.stream, 1, 3000) as usize;
        let fields = format!("Content-Length: {length}\r\nExpect: 100-continue\r\n");
        self.ask("PUT", "/upload", Body::None, &fields, filling);
        let index = self.script.exchanges.len() - 1;
        let stamp = self.stamp + index as u64;
        self.script.turn(Side::Server);
        self.script.interim(index, stamp, 100, "Continue");
        self.script.turn(Side::Client);
        self.script.late_body(length, filling);
        self.script.turn(Side::Server);
        if below(self.stream, 2) == 0 {
            self.script.interim(index, stamp, 103, "Early Hints");
        }
        let response = Response {
            status: 201,
            reason: reason(201),
            body: Body::Length(30),
            ..OK
        };
        self.answer(index, &response, filling);
    }

    fn targets(&mut self, filling: Filling) {
        const PATHS: [&str; 6] = [
            "http://www.example.test/a/b",
            "http://[2001:2::1]:8080/",
            "/%20%c3%a9/;p=1/@:!$&'()*+,",
            "//double//slash",
            "/a?b=c&d=%26",
            "https://www.example.test/over/a/proxy",
        ];
        const METHODS: [&str; 6] = [
            "GET",
            "PROPFIND",
            "REPORT",
            "M-SEARCH",
            "FROBNICATE",
            "PATCH",
        ];
        for path in PATHS {
            let method = one(self.stream, &METHODS).copied().unwrap_or("GET");
            if path.contains('?') {
                // The stamp behind what is asked already.
                let stamp = self.stamp + self.script.exchanges.len() as u64;
                self.script.turn(Side::Client);
                let target = format!("{path}&stamp={stamp}");
                let request = Request {
                    method,
                    target: &target,
                    body: Body::Length(0),
                    fields: "",
                };
                self.script.request(stamp, &request, filling);
            } else {
                self.ask(method, path, Body::Length(0), "", filling);
            }
            let response = Response {
                body: Body::Length(17),
                ..OK
            };
            self.answer_last(&response, filling);
        }
        let stamp = self.stamp + self.script.exchanges.len() as u64;
        self.script.turn(Side::Client);
        let request = Request {
            method: "OPTIONS",
            target: "*",
            body: Body::None,
            fields: "",
        };
        self.script.request(stamp, &request, filling);
        let response = Response {
            status: 204,
            reason: reason(204),
            ..OK
        };
        self.answer_last(&response, filling);
    }

    fn connect(&mut self, filling: Filling) {
        let stamp = self.stamp;
        self.script.turn(Side::Client);
        let target = format!("{stamp}.test:443");
        let request = Request {
            method: "CONNECT",
            target: &target,
            body: Body::None,
            fields: "",
        };
        self.script.request(stamp, &request, filling);
        if self.index % 3 == 2 {
            // Refused: the connection goes on with HTTP.
            let refused = Response {
                status: 405,
                reason: reason(405),
                body: Body::Length(9),
                ..OK
            };
            self.answer_last(&refused, filling);
            self.some(2, Filling::Words);
            return;
        }
        let established = Response {
            reason: "Connection Established",
            ..OK
        };
        self.answer_last(&established, filling);
        self.script.tunnel(900, filling);
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Odd",
    }
}
