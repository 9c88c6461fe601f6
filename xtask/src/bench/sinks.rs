//! `cargo xtask bench sinks`: records a second that `tapline serve` takes over HTTP and stores.
//!
//! A real server process with a fresh store on this disk, asked over loopback by threads of this
//! program on connections that stay open. A record counts when its answer (201: it is stored) has
//! been read, and in the end the server's own account must say the same number.

mod load;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;

use self::load::{Load, Sent};
use crate::{
    bench::target::{Bound, Target, print_document},
    build,
    process::{Running, Step},
    report::{print, say},
    workspace::Workspace,
};

/// Records of an array.
const ARRAY: usize = 500;
/// Connections for arrays.
const ARRAY_CONNECTIONS: usize = 8;
/// Connections for single records.
const SINGLE_CONNECTIONS: usize = 32;

/// What `cargo xtask bench sinks` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds for each case
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Threads that send
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// One case.
#[derive(Debug, Serialize)]
struct Measured {
    case: &'static str,
    connections: usize,
    records_a_request: usize,
    records: u64,
    seconds: f64,
    records_a_second: f64,
    /// CPU time of the server for each record, in microseconds.
    server_cpu_us: f64,
    /// Time from a request to its answer, in milliseconds: median, 99th of 100, longest.
    latency_ms: [f64; 3],
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When the program cannot be built or started, an answer is none that was expected, or the account
/// of the server is another than that of the clients.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let program = build::given_or_release(workspace, options.program.as_deref())?;
    say("measuring; whatever else runs here disturbs it");
    let time = Duration::from_secs(options.seconds);
    let folder = workspace.host_target.join("bench/sinks");
    let arrays = measure(
        &program,
        &folder,
        "arrays of 500",
        Load {
            connections: ARRAY_CONNECTIONS,
            threads: options.threads as usize,
            records: ARRAY,
            time,
        },
    )?;
    let singles = measure(
        &program,
        &folder,
        "single records",
        Load {
            connections: SINGLE_CONNECTIONS,
            threads: options.threads as usize,
            records: 1,
            time,
        },
    )?;
    let limit = [300_000.0, 30_000.0];
    let measured = [arrays, singles];
    let targets: Vec<Target> = measured
        .iter()
        .zip(limit)
        .map(|(case, limit)| {
            let name = format!("{} stored", case.case);
            Target::new(
                name,
                case.records_a_second,
                Bound::AtLeast,
                limit,
                "records/s",
            )
        })
        .collect();
    if options.json {
        print_document(&measured, &targets)?;
    } else {
        show(&measured, &targets);
    }
    Ok(targets.iter().all(|target| target.met))
}

fn measure(program: &Path, folder: &Path, case: &'static str, load: Load) -> Result<Measured> {
    // What an earlier measurement that broke off has left is of no use.
    fs::remove_dir_all(folder).ok();
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let (mut server, address) = start(program, folder)?;
    let before = cpu_seconds(server.id())?;
    let sent = load.send(address)?;
    let cpu = cpu_seconds(server.id())? - before;
    let mut stdout = server.take_stdout().context("the server has no stdout")?;
    let status = server.stop()?;
    let mut printed = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut printed).context("read the account")?;
    if !status.success() {
        bail!("the server ended with {status}: {printed}");
    }
    check(&printed, sent.records)?;
    fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    let Sent {
        records,
        seconds,
        mut latencies,
    } = sent;
    latencies.sort_unstable();
    let quantile = |part: f64| {
        let place = (latencies.len().saturating_sub(1)) as f64 * part;
        latencies
            .get(place as usize)
            .map_or(f64::NAN, |nanoseconds| *nanoseconds as f64 / 1e6)
    };
    Ok(Measured {
        case,
        connections: load.connections,
        records_a_request: load.records,
        records,
        seconds,
        records_a_second: records as f64 / seconds,
        server_cpu_us: cpu * 1e6 / records as f64,
        latency_ms: [quantile(0.5), quantile(0.99), quantile(1.0)],
    })
}

/// Starts a server on a free port, with a store in the folder.
pub(super) fn start(program: &Path, folder: &Path) -> Result<(Running, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .context("find a free port")?;
    let said = fs::File::create(folder.join("said")).context("keep what the server says")?;
    let mut server = Step::new(program)
        .args([
            "serve",
            "--json",
            "--listen",
            &address.to_string(),
            "--data-dir",
        ])
        .arg(folder.join("data"))
        .start(Stdio::piped(), said.into())?;
    let deadline = Instant::now() + Duration::from_secs(10);
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

/// The server's account must be that of the clients, and hold.
pub(super) fn check(printed: &str, records: u64) -> Result<()> {
    let account: serde_json::Value =
        serde_json::from_str(printed).context("read the account of the server")?;
    let stored = &account["sinks"]["sqlite"]["stored"];
    if *stored != records {
        bail!("the clients had {records} records stored, the server {stored}");
    }
    if account["identities"]["sinks.sqlite"]["holds"] != true {
        bail!("the account of the server does not hold: {account}");
    }
    Ok(())
}

/// CPU time of a process, all of its threads, user and system.
pub(super) fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("read its CPU time")?;
    // The name may have spaces and brackets of its own; 14 and 15 of `man 5 proc`.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let ticks = |index: usize| -> Result<f64> {
        let field = fields.get(index).context("its CPU time is missing")?;
        field.parse().context("its CPU time is no number")
    };
    // SAFETY: no pointers.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok((ticks(11)? + ticks(12)?) / a_second as f64)
}

fn show(measured: &[Measured], targets: &[Target]) {
    print(format_args!(
        "{:<16}{:>12}{:>12}{:>9}{:>14}{:>16}{:>28}",
        "case",
        "connections",
        "records",
        "seconds",
        "records/s",
        "server CPU us",
        "latency ms (50%, 99%, max)"
    ));
    for case in measured {
        let [median, high, longest] = case.latency_ms;
        let latency = format!("{median:.2}, {high:.2}, {longest:.1}");
        print(format_args!(
            "{:<16}{:>12}{:>12}{:>9.2}{:>14.0}{:>16.2}{latency:>28}",
            case.case,
            case.connections,
            case.records,
            case.seconds,
            case.records_a_second,
            case.server_cpu_us
        ));
    }
    for target in targets {
        print(target);
    }
}
