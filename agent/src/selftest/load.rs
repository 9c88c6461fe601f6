//! Full load: real connections between the two namespaces, as fast as they go, each request stamped, each
//! answer with the stamp of its request: to a server on the host that captures by IPv4, or from a client there
//! by IPv6.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use super::Plan;
use super::report::Way;
use super::score::{Found, FoundExchange, FoundHead, FoundSession, Score};
use crate::generate::http::arrivals::Arrivals;
use crate::generate::http::load::{self, LoadPlan};
use crate::generate::http::requests::{Prepared, Request, Requests};
use crate::generate::http::tally::{Ending, Stamped};
use crate::generate::stop::Stop;
use crate::host::namespace::Namespace;

/// Connections at the same time.
const CONNECTIONS: u32 = 8;

/// What is asked for.
const TARGET: &str = "/load";

/// What answers are of, up to their stamp.
const TYPE: &str = "text/plain; stamp=";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The networks of the cable: the host that captures is the first of each, the other end the second.
pub(super) const CABLE: [([IpAddr; 2], u8); 2] = [
    (
        [
            IpAddr::V4(Ipv4Addr::new(10, 245, 0, 1)),
            IpAddr::V4(Ipv4Addr::new(10, 245, 0, 2)),
        ],
        24,
    ),
    (
        [
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0x245, 0, 0, 0, 0, 0, 1)),
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0x245, 0, 0, 0, 0, 0, 2)),
        ],
        64,
    ),
];

/// Requests that were sent.
#[derive(Debug)]
pub(super) struct Loaded {
    server: SocketAddr,
    request: Prepared,
    /// What a request and an answer are to the host that captures.
    letters: [&'static str; 2],
    stamped: Vec<Stamped>,
    /// Connections that were opened.
    connections: u64,
    /// Requests that failed.
    failed: u64,
}

/// Sends requests that pass the end of the cable in `agent` in this way, to a server at the other end.
pub(super) fn run(
    agent: &Namespace,
    wire: &Namespace,
    way: Way,
    plan: &Plan,
    stop: &Stop,
) -> anyhow::Result<Loaded> {
    let [([inner, _], _), ([_, outer], _)] = CABLE;
    let (client, host, address, letters) = match way {
        Way::In => (wire, agent, inner, ["CQ", "CR"]),
        Way::Out => (agent, wire, outer, ["SQ", "SR"]),
    };
    let listener = host
        .enter(|| TcpListener::bind((address, 0)))?
        .context("cannot listen for the load")?;
    let server = listener
        .local_addr()
        .context("cannot listen for the load")?;
    // Ends with the process: it waits for connections that do not come any more.
    thread::spawn(move || serve(&listener));
    let request = Request {
        method: "GET".to_owned(),
        target: TARGET.to_owned(),
        ..Request::default()
    };
    let prepared = Prepared::new(&request, &server.to_string(), true)?;
    let load = LoadPlan {
        address: server,
        requests: Requests::Cycle(Arc::new([prepared.clone()])),
        arrivals: Arrivals::Closed,
        connections: CONNECTIONS,
        threads: 1,
        count: None,
        duration: Some(plan.load),
        timeout: PATIENCE,
        requests_per_connection: Some(1000),
        seed: plan.seed,
        keeps_stamps: true,
    };
    let report = client.enter(|| load::run(&load, stop, |_| {}))??;
    Ok(Loaded {
        server,
        request: prepared,
        letters,
        connections: report.tally.connections,
        failed: report.tally.failed(),
        stamped: report.tally.stamped,
    })
}

impl Loaded {
    /// Takes what was found of these requests out of `found`, and holds it against them.
    pub(super) fn score(self, found: &mut Found) -> Score {
        let mut score = Score {
            failed: self.failed,
            ..Score::default()
        };
        if self.failed > 0 {
            score.example(|| format!("{} requests failed", self.failed));
        }
        let is_own = |end: SocketAddr| end == self.server;
        let mut heads: HashMap<(bool, u64, SocketAddr), u64> = HashMap::new();
        let mut roles = 0;
        let server = (Some(self.server.ip()), self.server.port());
        found.heads.retain(|head| {
            let (source, destination) = (head.source(), head.destination());
            if source != server && destination != server {
                return true;
            }
            score.written += 1;
            let (letters, to_server, client) = match head.is_request() {
                true => (self.letters[0], destination == server, source),
                false => (self.letters[1], source == server, destination),
            };
            let client = client.0.map(|ip| SocketAddr::new(ip, client.1));
            match head.stamp().zip(client) {
                Some((stamp, client))
                    if to_server && !head.is_partial() && self.is_whole(head, stamp) =>
                {
                    *heads.entry((head.is_request(), stamp, client)).or_default() += 1;
                    roles += u64::from(head.kind() == letters);
                }
                _ => {
                    score.wrong += 1;
                    score.example(|| format!("written and not sent so: {}", head.text()));
                }
            }
            false
        });
        let mut exchanges: HashMap<u64, Vec<FoundExchange>> = HashMap::new();
        found.exchanges.retain(|exchange| {
            if !is_own(exchange.destination) {
                return true;
            }
            match exchange.stamp {
                Some(stamp) => exchanges.entry(stamp).or_default().push(exchange.clone()),
                None => score.stray(exchange),
            }
            false
        });
        let answered = self.stamped.iter().filter(|stamped| is_answered(stamped));
        for stamped in answered {
            for is_request in [true, false] {
                score.sent += 1;
                let name = |client| (is_request, stamped.number, client);
                match stamped.local.and_then(|client| heads.remove(&name(client))) {
                    Some(count) => {
                        score.right += 1;
                        score.wrong += count - 1;
                    }
                    None => score.example(|| {
                        let what = if is_request { "request" } else { "answer" };
                        format!("the {what} with stamp {} is not written", stamped.number)
                    }),
                }
            }
            score.exchanges += 1;
            let found = exchanges.remove(&stamped.number).unwrap_or_default();
            if let [exchange] = &found[..]
                && exchange.outcome == "complete"
                && exchange.status == Some(200)
                && Some(exchange.source) == stamped.local
                && exchange.request_bytes == Some(self.request.bytes(stamped.number))
                && exchange.response_bytes == Some(answer_bytes(stamped.number))
            {
                score.exchanges_right += 1;
                let took = stamped.ended.saturating_sub(stamped.sent) / 1000;
                score
                    .off_us
                    .extend(exchange.total_us.map(|total| total.abs_diff(took)));
            } else {
                score.example(|| format!("{stamped:?} is stored as {found:?}"));
            }
        }
        // Of requests that had failed or were under way: sent once, and no fault to be found.
        let unanswered: Vec<u64> = self
            .stamped
            .iter()
            .filter(|stamped| !is_answered(stamped))
            .map(|stamped| stamped.number)
            .collect();
        for ((_, stamp, _), count) in heads {
            let is_known = unanswered.binary_search(&stamp).is_ok();
            score.written -= count.min(u64::from(is_known));
            roles -= count.min(u64::from(is_known));
            score.wrong += count.saturating_sub(u64::from(is_known));
        }
        for (stamp, found) in exchanges {
            let is_known = unanswered.binary_search(&stamp).is_ok();
            for exchange in found.iter().skip(usize::from(is_known)) {
                score.stray(exchange);
            }
        }
        self.score_sessions(found, &mut score);
        score.roles_right = roles.min(score.right);
        score.off_us.sort_unstable();
        score
    }
}

impl Loaded {
    /// Whether the head is all that the one with this stamp is.
    fn is_whole(&self, head: &FoundHead, stamp: u64) -> bool {
        match head.is_request() {
            true => {
                head.line() == format!("GET {TARGET}?stamp={stamp} HTTP/1.1")
                    && head.has_fields(Some(&self.server.to_string()), None)
            }
            false => {
                head.line() == "HTTP/1.1 200 OK"
                    && head.has_fields(None, Some(&format!("{TYPE}{stamp}")))
            }
        }
    }

    /// A session for each connection that was opened, with the requests that went over it.
    fn score_sessions(&self, found: &mut Found, score: &mut Score) {
        let mut asked: HashMap<SocketAddr, Asked> = HashMap::new();
        for stamped in &self.stamped {
            if let Some(client) = stamped.local {
                let asked = asked.entry(client).or_default();
                asked.requests += 1;
                asked.unanswered += u64::from(!is_answered(stamped));
                asked.payload[0] += self.request.bytes(stamped.number);
                asked.payload[1] += answer_bytes(stamped.number);
            }
        }
        let mut seen = HashSet::new();
        score.sessions = self.connections;
        found.sessions.retain(|session| {
            if is_of_neighbours(session) {
                return false;
            }
            if session.destination != self.server && session.source != self.server {
                return true;
            }
            let told = asked.get(&session.source).copied();
            // Of a request without an answer nobody knows whether it was on the wire.
            let is_right = match told {
                Some(asked) if asked.unanswered > 0 => true,
                told => {
                    let told = told.unwrap_or_default();
                    session.http_requests == told.requests && session.payload == told.payload
                }
            };
            if session.destination != self.server
                || session.protocol != "TCP"
                || !seen.insert(session.source)
            {
                score.strays += 1;
                score.example(|| format!("stored and not sent: {session:?}"));
            } else if is_right {
                score.sessions_right += 1;
            } else {
                score.example(|| format!("of {told:?} requests is stored: {session:?}"));
            }
            false
        });
        if score.sessions_right != score.sessions {
            let (right, all) = (score.sessions_right, score.sessions);
            score.example(|| format!("{all} connections opened, {right} stored as they were"));
        }
    }
}

/// Whether an end of the cable asks for the other's address there (IPv6).
fn is_of_neighbours(session: &FoundSession) -> bool {
    let [_, (ends, _)] = CABLE;
    session.protocol.starts_with("ICMP") && ends.contains(&session.source.ip())
}

/// What went over a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    requests: u64,
    unanswered: u64,
    /// Bytes of the requests, and of their answers.
    payload: [u64; 2],
}

fn is_answered(stamped: &Stamped) -> bool {
    matches!(stamped.ending, Ending::Answered(_))
}

/// Answers on every connection that comes.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            // The client counts connections that end early.
            drop(answer_all(stream));
        });
    }
}

/// Answers each request with its stamp. Requests have no bodies and come one after the other.
fn answer_all(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut bytes, mut answer) = (Vec::new(), Vec::new());
    let mut room = [0; 4096];
    loop {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut room)? {
                0 => return Ok(()),
                count => bytes.extend_from_slice(&room[..count]),
            }
        };
        let head = &bytes[..end];
        let stamp = memchr::memmem::find(head, b"stamp=").map_or(&[][..], |at| &head[at + 6..]);
        let digits = stamp
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        answer.clear();
        write_answer(&stamp[..digits], &mut answer);
        stream.write_all(&answer)?;
        bytes.drain(..end);
    }
}

/// What is answered to the request with this stamp.
fn write_answer(stamp: &[u8], answer: &mut Vec<u8>) {
    for part in [
        b"HTTP/1.1 200 OK\r\nContent-Type: ",
        TYPE.as_bytes(),
        stamp,
        b"\r\nContent-Length: 200\r\n\r\n",
    ] {
        answer.extend_from_slice(part);
    }
    answer.resize(answer.len() + 200, b'.');
}

fn answer_bytes(stamp: u64) -> u64 {
    let mut answer = Vec::new();
    write_answer(stamp.to_string().as_bytes(), &mut answer);
    answer.len() as u64
}

#[cfg(test)]
mod tests;
