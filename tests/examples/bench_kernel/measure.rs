//! Running a frame many times, and proving that every run took the way it was meant to take.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::frames::{self, Sender, flag};
use crate::subject::{Hook, Subject, next_sequence};
use crate::system_call::{self, Ran};
use crate::wrapper::{self, Setter};

/// Runs between two looks at the ring: records of this many heads of 512 bytes fit in it.
const BATCH: u32 = 4_000;

/// Batches that make one figure.
const BATCHES: u32 = 10;

/// A frame to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// For people.
    pub(crate) name: &'static str,
    pub(crate) sender: Sender,
    pub(crate) payload: Payload,
    /// Nanoseconds over the empty program that it may take at tc, the hook that is taken by itself.
    pub(crate) target_ns: Option<f64>,
    /// Of so many connections at random; 0: of one.
    pub(crate) scattered: u32,
}

/// What a segment carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Payload {
    /// Nothing: it acknowledges.
    None,
    /// Part of a body; its first byte.
    Body(u8),
    /// A whole request head of so many bytes.
    Request(usize),
    /// A whole response head of so many bytes.
    Response(usize),
}

/// The length of a body segment: what fits an Ethernet frame with the time stamp option.
const SEGMENT: usize = 1448;

/// What is measured, in this order.
pub(crate) const CASES: [Case; 7] = [
    case("bare ACK", Sender::Client, Payload::None, Some(15.0)),
    case(
        "body segment",
        Sender::Server,
        Payload::Body(b'x'),
        Some(20.0),
    ),
    // Begins like a method might: each is compared.
    case(
        "body segment, capital first",
        Sender::Server,
        Payload::Body(b'X'),
        None,
    ),
    case(
        "request head, 200 bytes",
        Sender::Client,
        Payload::Request(200),
        Some(150.0),
    ),
    case(
        "response head, 200 bytes",
        Sender::Server,
        Payload::Response(200),
        Some(150.0),
    ),
    case(
        "request head, 512 bytes",
        Sender::Client,
        Payload::Request(512),
        None,
    ),
    case(
        "request head, 1024 bytes",
        Sender::Client,
        Payload::Request(1024),
        None,
    ),
];

/// What counting flows may cost more: on one connection, and on many at random.
const FLOW_NS: [f64; 2] = [30.0, 90.0];

/// Connections of the scattered case.
pub(crate) const MANY: u32 = 100_000;

/// What is measured with flows counted. The numbers are those of [`CASES`], and what counting may add.
pub(crate) const FLOW_CASES: [Case; 4] = [
    case(
        "bare ACK, flows counted",
        Sender::Client,
        Payload::None,
        Some(15.0 + FLOW_NS[0]),
    ),
    case(
        "body segment, flows counted",
        Sender::Server,
        Payload::Body(b'x'),
        Some(20.0 + FLOW_NS[0]),
    ),
    case(
        "request head, 200 bytes, flows counted",
        Sender::Client,
        Payload::Request(200),
        Some(150.0 + FLOW_NS[0]),
    ),
    Case {
        scattered: MANY,
        ..case(
            "bare ACK of one of 100000 connections, flows counted",
            Sender::Client,
            Payload::None,
            Some(15.0 + FLOW_NS[1]),
        )
    },
];

const fn case(
    name: &'static str,
    sender: Sender,
    payload: Payload,
    target_ns: Option<f64>,
) -> Case {
    Case {
        name,
        sender,
        payload,
        target_ns,
        scattered: 0,
    }
}

impl Payload {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Body(first) => frames::body(first, SEGMENT),
            Self::Request(length) => frames::request_head(length),
            Self::Response(length) => frames::response_head(length),
        }
    }

    fn is_head(self) -> bool {
        matches!(self, Self::Request(_) | Self::Response(_))
    }
}

/// One case, ready to run.
pub(crate) struct Bench {
    case: Case,
    input: Vec<u8>,
    payload: usize,
    setter: Setter,
    empty: Setter,
    /// Nanoseconds a run over the empty program, one figure a round.
    over: Vec<f64>,
    /// Nanoseconds a run of the empty program behind its setter.
    base: Vec<f64>,
}

impl Bench {
    /// Makes the frame and the programs.
    ///
    /// # Errors
    /// The kernel refuses a program.
    pub(crate) fn new(case: Case, subject: &Subject) -> Result<Self> {
        let payload = case.payload.bytes();
        if let Payload::Request(length) | Payload::Response(length) = case.payload {
            ensure!(
                payload.len() == length,
                "the head of {length} bytes has {}",
                payload.len()
            );
        }
        let flags = if case.payload.is_head() {
            flag::PUSH | flag::ACK
        } else {
            flag::ACK
        };
        let frame = frames::frame(case.sender, next_sequence(case.sender), flags, &payload);
        let kind = subject.hook.kind();
        let words = subject.before(case.sender);
        let before = |next| {
            if case.scattered > 0 {
                Setter::scattered(case.scattered, next)
            } else {
                Setter::new(kind, &words, next)
            }
        };
        let setter = before(subject.program()?).context("load the program that goes before")?;
        let nothing =
            wrapper::empty(kind, subject.hook.verdict()).context("load an empty program")?;
        let empty = before(std::os::fd::AsFd::as_fd(&nothing))
            .context("load the one that goes before the empty program")?;
        Ok(Self {
            case,
            input: subject.hook.input(&frame),
            payload: payload.len(),
            setter,
            empty,
            over: Vec::new(),
            base: Vec::new(),
        })
    }

    /// Measures once: batches of the program and of the empty one in turn.
    ///
    /// # Errors
    /// A run took another way than the one to be measured.
    pub(crate) fn round(&mut self, subject: &mut Subject) -> Result<()> {
        let (mut with, mut without) = (0, 0);
        for _ in 0..BATCHES {
            without += self.run(&self.empty, subject)?.total_ns;
            with += self.checked(subject)?.total_ns;
        }
        let runs = f64::from(BATCH * BATCHES);
        self.base.push(without as f64 / runs);
        self.over.push((with as f64 - without as f64) / runs);
        Ok(())
    }

    /// Forgets what was measured: the first round warms caches up.
    pub(crate) fn forget(&mut self) {
        self.over.clear();
        self.base.clear();
    }

    fn run(&self, setter: &Setter, subject: &Subject) -> Result<Ran> {
        let ran = system_call::run(subject.hook.kind(), setter.program(), &self.input, BATCH)
            .context("run a program")?;
        ensure!(
            ran.returned != wrapper::NOT_REACHED,
            "the jump to the program failed"
        );
        ensure!(
            ran.returned == subject.hook.verdict(),
            "the program returned {}",
            ran.returned
        );
        Ok(ran)
    }

    /// Shows the program every connection of a scattered case.
    ///
    /// # Errors
    /// A program does not run.
    pub(crate) fn warm_up(&self, subject: &mut Subject) -> Result<()> {
        for _ in 0..self.case.scattered.saturating_mul(12) / BATCH {
            self.run(&self.setter, subject)?;
            subject.drain();
        }
        Ok(())
    }

    /// A batch of the program under test on scattered connections: nearly all are found in their places.
    fn scattered(&self, subject: &mut Subject) -> Result<Ran> {
        let before = subject.counters()?;
        let ran = self.run(&self.setter, subject)?;
        let after = subject.counters()?;
        subject.drain();
        let new = after.flows - before.flows;
        ensure!(
            new <= u64::from(BATCH) / 100,
            "{new} of {BATCH} packets began a flow: the connections are not where they were"
        );
        Ok(ran)
    }

    /// A batch of the program under test, and the proof of what it did.
    fn checked(&self, subject: &mut Subject) -> Result<Ran> {
        if self.case.scattered > 0 {
            return self.scattered(subject);
        }
        let before = subject.counters()?;
        let position = subject.position(self.case.sender)?;
        let ran = self.run(&self.setter, subject)?;
        let after = subject.counters()?;
        let advanced = subject.position(self.case.sender)? - position;
        let drained = subject.drain();

        let runs = u64::from(BATCH);
        let heads = if self.case.payload.is_head() { runs } else { 0 };
        let packets = |counters: &agent_common::counters::Counters| -> u64 {
            counters.packets.iter().flatten().sum()
        };
        let bytes = self.payload as u64;
        for (what, is, should) in [
            ("packets", packets(&after) - packets(&before), runs),
            ("bytes that the stream went forward", advanced, runs * bytes),
            ("start lines", after.candidates - before.candidates, heads),
            ("records numbered", after.records - before.records, heads),
            ("records in the ring", drained.0, heads),
            ("bytes in the records", drained.1, heads * bytes),
            (
                "segments seen before",
                after.retransmitted - before.retransmitted,
                0,
            ),
            (
                "ignored",
                after.ignored.iter().sum::<u64>() - before.ignored.iter().sum::<u64>(),
                0,
            ),
            (
                "lost",
                after.lost.iter().sum::<u64>() - before.lost.iter().sum::<u64>(),
                0,
            ),
            (
                "escalated",
                after.escalated.iter().sum::<u64>() - before.escalated.iter().sum::<u64>(),
                0,
            ),
            ("new connections", after.connections - before.connections, 0),
            ("evicted connections", after.evicted - before.evicted, 0),
            ("new flows", after.flows - before.flows, 0),
        ] {
            ensure!(
                is == should,
                "{runs} runs of \"{}\" at {} gave {is} {what} where {should} were due: they did \
                 not take the way that is to be measured",
                self.case.name,
                subject.hook.name(),
            );
        }
        Ok(ran)
    }

    /// The figures of all rounds.
    pub(crate) fn result(&self, subject: &Subject) -> Value {
        let (over, base) = (sorted(&self.over), sorted(&self.base));
        json!({
            "hook": subject.hook.name(),
            "program": subject.hook.program(),
            "case": self.case.name,
            "payload_bytes": self.payload,
            "median_ns": quantile(&over, 0.5),
            "lowest_ns": quantile(&over, 0.0),
            "quarter_ns": quantile(&over, 0.25),
            "three_quarters_ns": quantile(&over, 0.75),
            "highest_ns": quantile(&over, 1.0),
            "empty_ns": quantile(&base, 0.5),
            "target_ns": self.case.target_ns.filter(|_| subject.hook == Hook::Tc),
            "rounds": over.len(),
            "runs_a_round": BATCH * BATCHES,
        })
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which so large a part of the sorted `values` lies.
fn quantile(values: &[f64], part: f64) -> f64 {
    let place = (values.len().saturating_sub(1)) as f64 * part;
    let below = values
        .get(place.floor() as usize)
        .copied()
        .unwrap_or(f64::NAN);
    let above = values
        .get(place.ceil() as usize)
        .copied()
        .unwrap_or(f64::NAN);
    below + (above - below) * place.fract()
}
