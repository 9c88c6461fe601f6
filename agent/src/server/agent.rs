//! `GET /api/agent`: what the process is and how it fares.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::Snapshot;
use super::api::refusal::Refusal;
use super::hub::{Hub, Mode};
use super::snapshot::{Interface, Program};
use crate::selftest::keep::Kept;
use crate::sink::counts::LossReason;

#[derive(Serialize)]
struct Agent<'a> {
    mode: Mode,
    version: &'static str,
    /// When it began to serve.
    started: String,
    now: String,
    hostname: &'a str,
    interfaces: &'a [Interface],
    process: Option<Process>,
    cpus: Vec<Cpu>,
    /// Null: not measured.
    programs: Option<&'a [Program]>,
    sinks: Vec<Sink>,
    sessions: Sessions,
    selftest: Option<&'a Kept>,
    health: Value,
    viewers: Viewers,
}

#[derive(Serialize)]
struct Process {
    cpu_seconds: f64,
    resident_bytes: u64,
    threads: u64,
}

/// Since the start.
#[derive(Serialize)]
struct Cpu {
    cpu: u32,
    packets: u64,
    bytes: u64,
    heads: u64,
    ignored: u64,
    lost: u64,
}

/// Records since the start; those of `log` are lines.
#[derive(Serialize)]
struct Sink {
    name: &'static str,
    queue: u64,
    stored: u64,
    spooled: u64,
    refused: u64,
    lost: u64,
}

#[derive(Serialize)]
struct Sessions {
    active: Option<u64>,
    /// Whose two directions met different CPUs, since the start. Null: nothing is captured.
    differing_cpus: Option<u64>,
}

#[derive(Serialize)]
struct Viewers {
    sse: usize,
    websocket: usize,
    /// Left since the start, because they took nothing of what they were sent.
    stalled: u64,
}

/// Shows it.
pub(super) async fn show(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let snapshot = hub.snapshot().await?;
    let agent = Agent {
        mode: hub.mode(),
        version: env!("CARGO_PKG_VERSION"),
        started: hub.started().to_string(),
        now: jiff::Timestamp::now().to_string(),
        hostname: hub.hostname(),
        interfaces: &snapshot.interfaces,
        process: snapshot.process.map(|process| Process {
            cpu_seconds: process.cpu_seconds,
            resident_bytes: process.resident_bytes,
            threads: process.threads,
        }),
        cpus: cpus(&snapshot),
        programs: (!snapshot.programs.is_empty()).then_some(&*snapshot.programs),
        sinks: sinks(&snapshot),
        sessions: Sessions {
            active: snapshot.sessions.map(|sessions| sessions.active),
            differing_cpus: snapshot.sessions.map(|sessions| sessions.differing_cpus),
        },
        selftest: snapshot.selftest.as_ref(),
        health: health(&hub, &snapshot),
        viewers: Viewers {
            sse: hub.live().viewers(),
            websocket: hub.tail().sockets(),
            stalled: hub.stalled().count(),
        },
    };
    Ok(Json(agent).into_response())
}

/// Of the capture, where there is one, else of the store: that has no history.
fn health(hub: &Hub, snapshot: &Snapshot) -> Value {
    if let (Mode::Serve | Mode::Watch, Some(api)) = (hub.mode(), hub.api()) {
        let reasons = api.unready();
        let state = match reasons.is_empty() {
            true => "healthy",
            false => "degraded",
        };
        return json!({"state": state, "since": null, "reasons": reasons});
    }
    let health = &snapshot.health;
    json!({
        "state": health.state(),
        "since": health.since().to_string(),
        "reasons": health.reasons(),
    })
}

fn cpus(snapshot: &Snapshot) -> Vec<Cpu> {
    let cpus = snapshot.cpus.iter().map(|cpu| Cpu {
        cpu: cpu.number,
        packets: cpu.packets(),
        bytes: cpu.counters.bytes.as_flattened().iter().sum(),
        heads: cpu.heads.iter().sum(),
        ignored: cpu.counters.ignored.iter().sum(),
        lost: cpu.lost(),
    });
    cpus.collect()
}

fn sinks(snapshot: &Snapshot) -> Vec<Sink> {
    let lines = snapshot.lines.as_ref().map(|lines| Sink {
        name: "log",
        queue: lines.queued,
        stored: lines.stored,
        spooled: 0,
        refused: 0,
        lost: lines.lost.iter().sum(),
    });
    let others = snapshot.sinks.iter().map(|(name, counts)| {
        let refused = counts.lost(LossReason::Refused) + counts.lost(LossReason::TooLarge);
        Sink {
            name,
            queue: counts.queued,
            stored: counts.stored,
            spooled: counts.spooled,
            refused,
            lost: counts.lost_in_all().saturating_sub(refused),
        }
    });
    lines.into_iter().chain(others).collect()
}
