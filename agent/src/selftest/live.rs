//! With privileges: the real kernel programs, in a namespace of their own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::report::{Closing, Row, Way};
use super::workplace::Workplace;
use super::{Plan, found, load, score};
use crate::generate::output::Destination;
use crate::generate::packets::LOCAL;
use crate::generate::packets::run::{self, Made, STEP_NS, To, read_truth};
use crate::generate::progress::Progress;
use crate::generate::schedule::Schedule;
use crate::generate::stop::Stop;
use crate::host::namespace::Namespace;

/// The interface on which is captured, and the other end of its cable.
const CAPTURED: &str = "tapline0";
/// As above.
const WIRE: &str = "wire0";

/// Frames of shapes a second: what is tested here is what is found, not how much at once.
const FRAMES_A_SECOND: f64 = 40_000.0;

/// How long the capture may take to begin,
const BEGINS_WITHIN: Duration = Duration::from_secs(20);
/// and to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// The capture ends by itself this long after all that is sent by plan, should nothing else end it.
const LASTS: Duration = Duration::from_secs(90);

/// What is on its way when all is sent arrives within this time.
const SETTLES: Duration = Duration::from_millis(300);

/// The rows of all shapes and of the load at this hook, as they come in and as they go out.
pub(super) fn rows(plan: &Plan, hook: &str, stop: &Stop) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for way in [Way::In, Way::Out] {
        if !stop.is_told() {
            rows.extend(rows_of(plan, hook, way, stop)?);
        }
    }
    Ok(rows)
}

fn rows_of(plan: &Plan, hook: &str, way: Way, stop: &Stop) -> anyhow::Result<Vec<Row>> {
    let workplace = Workplace::new().context("cannot make a folder for temporary files")?;
    let folder = workplace.path();
    let (logs, data, told) = (
        folder.join("log"),
        folder.join("data"),
        folder.join("truth.ndjson"),
    );
    let (agent, wire) = (Namespace::new()?, Namespace::new()?);
    agent.join(CAPTURED, &wire, WIRE)?;
    for ([inner, outer], prefix) in load::CABLE {
        agent.address(CAPTURED, inner, prefix)?;
        wire.address(WIRE, outer, prefix)?;
    }
    let mut capture = Capture::start(&agent, hook, &logs, &data, lasts(plan))?;
    capture.wait_until_it_captures(stop)?;
    let (sender, interface) = match way {
        Way::In => (&wire, WIRE),
        Way::Out => (&agent, CAPTURED),
    };
    let frames = run::Plan {
        seed: plan.seed,
        shapes: plan.shapes.clone(),
        exchanges: plan.exchanges,
        count: None,
        rounds: Some(1),
        until: None,
        schedule: Schedule::Rate(FRAMES_A_SECOND),
        start: None,
        step_ns: STEP_NS,
        to: To::Interface {
            name: interface.to_owned(),
            allowed: Vec::new(),
            seen_here: way == Way::Out,
        },
        truth: Some(Destination::New(told.clone())),
    };
    sender
        .enter(|| {
            let mut progress = Progress::new(None, false);
            run::run(&frames, stop, &mut progress, &mut Made::default())
        })?
        .context("cannot send the frames")?;
    let loaded = match plan.load.is_zero() {
        true => None,
        false => Some(load::run(&agent, &wire, way, plan, stop)?),
    };
    thread::sleep(SETTLES);
    let ledger = capture.end()?;
    if stop.is_told() {
        return Ok(Vec::new());
    }
    let closing = closing(&ledger);
    let truth = read_truth(&told).context("cannot read the truth")?;
    let mut found = found::read(&logs, &data)?;
    let load_score = loaded.map(|loaded| loaded.score(&mut found));
    let scores = score::score(&truth, &found);
    let mut rows: Vec<Row> = scores
        .into_iter()
        .map(|(shape, score)| Row::new(hook, Some(way), shape, score, closing))
        .collect();
    rows.extend(load_score.map(|score| Row::new(hook, Some(way), score::LOAD, score, closing)));
    Ok(rows)
}

/// How long the capture goes on by itself: a connection that is kept has some frames for each exchange.
fn lasts(plan: &Plan) -> Duration {
    let frames = Duration::from_secs_f64(f64::from(plan.exchanges) * 10.0 / FRAMES_A_SECOND);
    LASTS + plan.load + frames
}

/// What the account of the capture says.
fn closing(ledger: &Value) -> Closing {
    let sum = |path: &str| -> u64 {
        let members = ledger.pointer(path).and_then(Value::as_object);
        members.map_or(0, |members| {
            members.values().filter_map(Value::as_u64).sum()
        })
    };
    let number = |path: &str| ledger.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let identities = ledger.pointer("/identities").and_then(Value::as_object);
    let holds = |identities: &serde_json::Map<String, Value>| {
        !identities.is_empty()
            && identities
                .values()
                .all(|identity| identity["holds"] == true)
    };
    Closing {
        lost: sum("/records/lost") + number("/lines/lost") + number("/sinks/sqlite/lost"),
        ledger_closed: Some(identities.is_some_and(holds)),
    }
}

/// A `tapline run` of this program; ended when dropped.
struct Capture {
    child: Child,
    said: Receiver<String>,
    /// Reads stderr to its end.
    listener: Option<JoinHandle<()>>,
    /// Reads the result.
    result: Option<JoinHandle<String>>,
    lines: Vec<String>,
}

impl Capture {
    /// Starts it in this network namespace; it ends with the calling thread.
    fn start(
        agent: &Namespace,
        hook: &str,
        logs: &Path,
        data: &Path,
        lasts: Duration,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TAPLINE_") {
                command.env_remove(name);
            }
        }
        command.args(["run", "--interface", CAPTURED, "--attach", hook]);
        command.args([
            "--format",
            "json",
            "--listen",
            "off",
            "--duration",
            &format!("{}s", lasts.as_secs()),
            "--json",
        ]);
        command
            .arg("--log-dir")
            .arg(logs)
            .arg("--data-dir")
            .arg(data);
        for net in LOCAL {
            command.args(["--local", net]);
        }
        agent.confine(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the capture")?;
        let (say, said) = sync_channel(1024);
        let stderr = child.stderr.take();
        let listener = thread::spawn(move || {
            for line in stderr
                .into_iter()
                .flat_map(|pipe| BufReader::new(pipe).lines())
            {
                // Where nobody listens any more, it is read all the same: the pipe must not fill.
                drop(line.map(|line| say.try_send(line)));
            }
        });
        let stdout = child.stdout.take();
        let result = thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut pipe) = stdout {
                drop(pipe.read_to_string(&mut text));
            }
            text
        });
        Ok(Self {
            child,
            said,
            listener: Some(listener),
            result: Some(result),
            lines: Vec::new(),
        })
    }

    /// Waits until it says that it captures.
    fn wait_until_it_captures(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let until = Instant::now() + BEGINS_WITHIN;
        loop {
            if let Ok(line) = self.said.recv_timeout(Duration::from_millis(20)) {
                let begins = line.contains("stop with Ctrl-C");
                self.lines.push(line);
                if begins {
                    return Ok(());
                }
            } else if stop.is_told() {
                bail!("stopped before the capture had begun");
            } else if self.child.try_wait()?.is_some() {
                bail!("the capture ended before it began: {}", self.last_words());
            } else if Instant::now() > until {
                bail!("the capture does not begin: {}", self.last_words());
            }
        }
    }

    /// Ends it and gives its account.
    fn end(mut self) -> anyhow::Result<Value> {
        self.signal(libc::SIGTERM);
        let until = Instant::now() + ENDS_WITHIN;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > until => bail!("the capture does not end"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let text = self.result.take().map(JoinHandle::join);
        let text = text.and_then(Result::ok).unwrap_or_default();
        if !status.success() {
            bail!("the capture failed ({status}): {}", self.last_words());
        }
        serde_json::from_str(&text).context("the capture gave no account")
    }

    fn last_words(&mut self) -> String {
        if let Some(listener) = self.listener.take() {
            // Only of a process that has ended: then its end of the pipe is closed.
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                drop(listener.join());
            }
        }
        self.lines.extend(self.said.try_iter());
        let last = self.lines.len().saturating_sub(3);
        self.lines[last..].join("; ")
    }

    fn signal(&self, signal: i32) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            // SAFETY: takes numbers only; the child is not waited for yet, so the number is still its.
            let _gone = unsafe { libc::kill(id, signal) };
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
