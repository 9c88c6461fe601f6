//! `cargo xtask bench dashboard`: how long the answers take that the dashboard is made of, over a store with millions
//! of exchanges of the last day, while thousands arrive each second; and how soon a browser has drawn the overview.
//!
//! A real `tapline serve` over a store that `fill_store` has filled. Records arrive over HTTP; each question is asked
//! again and again on one connection, so that what is measured is the answer and not a queue before it.

mod answers;
mod arrivals;
mod capture;
mod connection;
pub(crate) mod lookers;
mod page;
mod viewers;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::answers::Answer;
use self::arrivals::Arrived;
use self::capture::WithViewers;
use self::page::Page;
use self::viewers::Viewers;
use crate::{
    bench::target::{Bound, Target},
    build, dashboard,
    process::{Running, Step},
    report::{print, say},
    workspace::Workspace,
};

/// Milliseconds that an answer may take, 99 of 100 times.
const ANSWER_MS: f64 = 200.0;

/// Percent of a core that a hundred who look on may cost.
const VIEWERS_PERCENT: f64 = 10.0;

/// Ticks that each of them has at least, in thirteen seconds.
const VIEWERS_TICKS: f64 = 10.0;

/// Refreshes that each of them has at least in that time, one every four seconds.
const VIEWERS_REFRESHES: f64 = 3.0;

/// What `cargo xtask bench dashboard` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Exchanges in the store, over the last 24 hours
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    exchanges: u64,
    /// Exchanges that arrive each second meanwhile
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    arriving: u64,
    /// How often each question is asked
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Measure these alone
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Part::ALL)]
    only: Vec<Part>,
    /// Keep the filled store in this folder, and take it where it is there already: it is copied, and the copy is used
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
    /// Do not copy it: what arrives stays in it
    #[arg(long, requires = "store")]
    in_place: bool,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// How long answers take
    Answers,
    /// What a hundred who look on cost
    Viewers,
    /// How soon the page is drawn
    Page,
    /// What those who look on cost a capture
    Capture,
}

impl Part {
    const ALL: [Self; 4] = [Self::Answers, Self::Viewers, Self::Page, Self::Capture];
}

/// The result.
#[derive(Debug, Serialize)]
struct Document {
    exchanges: u64,
    arrived: Arrived,
    answers: Vec<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viewers: Option<Viewers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<WithViewers>,
    /// Absent where it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<Page>,
    targets: Vec<Target>,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When something cannot be built or started, or an answer is none that was expected.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let program = match &options.program {
        Some(file) => {
            std::path::absolute(file).with_context(|| format!("find {}", file.display()))?
        }
        None => {
            dashboard::run_if_possible(workspace);
            build::release(workspace)?;
            workspace.tapline()
        }
    };
    let folder = workspace.host_target.join("bench/dashboard");
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let result = measure(workspace, &program, &folder, options);
    fs::remove_dir_all(&folder).ok();
    let document = result?;
    if options.json {
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        show(&document);
    }
    Ok(document.targets.iter().all(|target| target.met))
}

fn measure(
    workspace: &Workspace,
    program: &Path,
    folder: &Path,
    options: &Options,
) -> Result<Document> {
    let mut document = Document {
        exchanges: options.exchanges,
        arrived: Arrived::default(),
        answers: Vec::new(),
        viewers: None,
        capture: None,
        page: None,
        targets: Vec::new(),
    };
    if options.only.iter().any(|part| *part != Part::Capture) {
        of_store(workspace, program, folder, options, &mut document)?;
    }
    if options.only.contains(&Part::Capture) {
        document.capture = capture::measure(workspace, program)?;
    }
    document.targets = targets(&document, options);
    Ok(document)
}

/// Measures what is answered of a large store while records arrive.
fn of_store(
    workspace: &Workspace,
    program: &Path,
    folder: &Path,
    options: &Options,
    document: &mut Document,
) -> Result<()> {
    let data = match &options.store {
        Some(kept) if options.in_place => kept.clone(),
        _ => folder.join("data"),
    };
    fill(workspace, &data, options)?;
    let (mut server, address) = start(program, folder, &data)?;
    say("measuring; whatever else runs here disturbs it");
    let stop = Arc::new(AtomicBool::new(false));
    let arriving = {
        let stop = Arc::clone(&stop);
        let rate = options.arriving;
        thread::spawn(move || arrivals::send(address, rate, &stop))
    };
    // The first seconds find nothing in memory.
    thread::sleep(Duration::from_secs(3));
    let wants = |part| options.only.contains(&part);
    let viewers = wants(Part::Viewers).then(|| viewers::measure(address, server.id()));
    let answers = wants(Part::Answers).then(|| answers::ask(address, options.rounds));
    let page = wants(Part::Page).then(|| page::measure(workspace, address));
    stop.store(true, Ordering::Relaxed);
    let Ok(arrived) = arriving.join() else {
        bail!("the thread that sends records panicked");
    };
    server.stop()?;
    document.viewers = viewers.transpose()?;
    document.answers = answers.transpose()?.unwrap_or_default();
    document.page = page.transpose()?.flatten();
    document.arrived = arrived?;
    Ok(())
}

/// What was measured, and what is asked of it.
fn targets(document: &Document, options: &Options) -> Vec<Target> {
    let answers = &document.answers;
    let mut targets: Vec<Target> = answers
        .iter()
        .map(|answer| {
            let name = format!("{}: 99 of 100", answer.name);
            Target::new(name, answer.p99_ms, Bound::AtMost, ANSWER_MS, "ms")
        })
        .collect();
    if !answers.is_empty() {
        targets.push(Target::new(
            "all answers to all questions: 99 of 100",
            answers::of_all(answers, 0.99),
            Bound::AtMost,
            ANSWER_MS,
            "ms",
        ));
    }
    if let Some(viewers) = &document.viewers {
        let name = format!("{} who look on: of a core", viewers.streams);
        let cost = viewers.cost();
        targets.push(Target::new(name, cost, Bound::AtMost, VIEWERS_PERCENT, "%"));
        targets.push(Target::new(
            "ticks that each of them had",
            viewers.ticks_at_least as f64,
            Bound::AtLeast,
            VIEWERS_TICKS,
            "ticks",
        ));
        targets.push(Target::new(
            "refreshes of the page that each of them had",
            viewers.refreshes_at_least as f64,
            Bound::AtLeast,
            VIEWERS_REFRESHES,
            "refreshes",
        ));
    }
    targets.extend(document.capture.iter().flat_map(WithViewers::targets));
    targets.extend(document.page.iter().flat_map(Page::targets));
    if options.arriving > 0 && document.arrived.records > 0 {
        targets.push(Target::new(
            "exchanges stored meanwhile",
            document.arrived.records_a_second,
            Bound::AtLeast,
            options.arriving as f64 * 0.99,
            "records/s",
        ));
    }
    targets
}

/// Builds what fills the store.
///
/// # Errors
/// It does not build.
pub(crate) fn build_filler(workspace: &Workspace) -> Result<()> {
    Step::cargo("build")
        .folder(&workspace.root)
        .args([
            "--locked",
            "--release",
            "--package",
            "tapline",
            "--example",
            "fill_store",
        ])
        .run()
}

/// Makes the store, or copies the one that is kept.
fn fill(workspace: &Workspace, data: &Path, options: &Options) -> Result<()> {
    let kept = options.store.as_deref();
    let filled = kept.unwrap_or(data);
    if !filled.exists() {
        say("filling the store");
        build_filler(workspace)?;
        Step::new(workspace.host_target.join("release/examples/fill_store"))
            .arg(filled)
            .arg(options.exchanges.to_string())
            .run()?;
    }
    if let Some(kept) = kept.filter(|_| !options.in_place) {
        fs::create_dir_all(data).with_context(|| format!("make {}", data.display()))?;
        for entry in fs::read_dir(kept).with_context(|| format!("list {}", kept.display()))? {
            let entry = entry.with_context(|| format!("list {}", kept.display()))?;
            let to = data.join(entry.file_name());
            fs::copy(entry.path(), &to).with_context(|| format!("write {}", to.display()))?;
        }
    }
    Ok(())
}

fn start(program: &Path, folder: &Path, data: &Path) -> Result<(Running, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .context("find a free port")?;
    let said = fs::File::create(folder.join("said")).context("keep what the server says")?;
    let mut server = Step::new(program)
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .arg(data)
        .start(Stdio::null(), said.into())?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        if let Some(status) = server.ended()? {
            let said = fs::read_to_string(folder.join("said")).unwrap_or_default();
            bail!("the server ended with {status}: {said}");
        }
        if Instant::now() > deadline {
            bail!("the server does not listen on {address}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok((server, address))
}

fn show(document: &Document) {
    print(format_args!(
        "{:<40}{:>10}{:>10}{:>10}{:>12}{:>10}",
        "answer", "50 % ms", "99 % ms", "max ms", "bytes", "source"
    ));
    for answer in &document.answers {
        print(format_args!(
            "{:<40}{:>10.1}{:>10.1}{:>10.1}{:>12}{:>10}",
            answer.name, answer.p50_ms, answer.p99_ms, answer.max_ms, answer.bytes, answer.source
        ));
    }
    for target in &document.targets {
        print(target);
    }
}
