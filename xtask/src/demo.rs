//! `cargo xtask demo`: a web server and a client in two network namespaces, the agent between
//! them, and the lines that it writes. Nothing of the host's own network is touched.

pub(crate) mod namespaces;
mod server;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    net::Ipv4Addr,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{
    apt, build,
    demo::namespaces::{Namespaces, SERVER_INTERFACE},
    interrupt,
    report::{print, say},
    workspace::{Workspace, is_root, sudo_command},
};

/// Addresses for documentation (RFC 5737): they can belong to nobody's network.
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// How long the first line may take after everything was started.
const FIRST_LINE: Duration = Duration::from_secs(10);
/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(300);

/// What the client asks for, in turn: the method and the path.
const REQUESTS: [(&str, &str); 7] = [
    ("GET", "/"),
    ("GET", "/api/items?page=2"),
    ("POST", "/api/items"),
    ("GET", "/old-page"),
    ("DELETE", "/api/items/7"),
    ("GET", "/not-there"),
    ("GET", "/broken"),
];

/// What `cargo xtask demo` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seconds of traffic to show
    #[arg(long, default_value = "30s", value_parser = seconds)]
    duration: Duration,
}

/// Shows it until the time is up or Ctrl-C comes. Gives whether lines came.
///
/// # Errors
/// When this is not root, or something cannot be built, installed or started.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    if !is_root() {
        bail!(
            "network namespaces need root: start it with `{}`",
            sudo_command("demo")
        );
    }
    if apt::usable() {
        apt::install(&["iproute2", "curl"], "for the demo")?;
    }
    build::run(workspace)?;
    let folder = Folder::make(workspace)?;
    let namespaces = Namespaces::make(SERVER, CLIENT)?;
    // Dropped in the other order than they are made: programs, then namespaces, then files.
    let _server = server::start(&namespaces, SERVER, &folder.0)?;
    wait_for_server(&namespaces)?;

    let mut agent = namespaces
        .in_server(workspace.tapline())
        .folder(&folder.0)
        .args([
            "run",
            "-i",
            SERVER_INTERFACE,
            "--log-dir",
            "-",
            "--no-store",
        ])
        .start(Stdio::piped(), Stdio::inherit())?;
    let lines = Arc::new(AtomicU64::new(0));
    let reader = agent
        .take_stdout()
        .map(|pipe| show(pipe, Arc::clone(&lines)));

    // Requests from before the agent was ready would be missed rightly: they are not counted.
    let started = Instant::now();
    while lines.load(Ordering::Relaxed) == 0 && interrupt::signal().is_none() {
        if let Some(status) = agent.ended()? {
            bail!("the agent ended with {status}");
        }
        if started.elapsed() > FIRST_LINE {
            bail!("no line came within {} s", FIRST_LINE.as_secs());
        }
        request(&namespaces, "GET", "/")?;
    }
    say(format_args!(
        "first line after {} ms",
        started.elapsed().as_millis()
    ));
    thread::sleep(PAUSE);
    let before = lines.load(Ordering::Relaxed);

    let started = Instant::now();
    let mut requests: u64 = 0;
    for (method, path) in REQUESTS.iter().cycle() {
        if started.elapsed() >= options.duration || interrupt::signal().is_some() {
            break;
        }
        if let Some(status) = agent.ended()? {
            bail!("the agent ended with {status}");
        }
        // Ctrl-C ends the client in the middle of its request: that is no failure.
        match request(&namespaces, method, path) {
            Err(_) if interrupt::signal().is_some() => break,
            result => result?,
        }
        requests += 1;
        thread::sleep(PAUSE);
    }

    let status = agent.stop()?;
    if let Some(reader) = reader {
        reader.join().ok();
    }
    let written = lines.load(Ordering::Relaxed).saturating_sub(before);
    say(format_args!(
        "in {} s: {requests} requests sent, {} heads on the wire, {written} lines written; the \
         agent ended with {status}",
        started.elapsed().as_secs(),
        requests * 2
    ));
    Ok(status.success() && (requests == 0 || written > 0))
}

fn wait_for_server(namespaces: &Namespaces) -> Result<()> {
    let started = Instant::now();
    while let Err(error) = request(namespaces, "GET", "/") {
        if started.elapsed() > Duration::from_secs(5) || interrupt::signal().is_some() {
            return Err(error).context("reach the web server");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn request(namespaces: &Namespaces, method: &str, path: &str) -> Result<()> {
    let step = namespaces
        .in_client("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "5",
            "--output",
            "/dev/null",
        ])
        .args(["--noproxy", "*", "--request", method]);
    let step = if method == "POST" {
        step.args(["--data", "name=tap"])
    } else {
        step
    };
    step.arg(format!("http://{SERVER}{path}")).stdout()?;
    Ok(())
}

/// Passes the agent's lines on as they come, and counts them.
fn show(pipe: impl Read + Send + 'static, lines: Arc<AtomicU64>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for bytes in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            lines.fetch_add(1, Ordering::Relaxed);
            print(String::from_utf8_lossy(&bytes));
        }
    })
}

/// A folder for the server's files, gone when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn make(workspace: &Workspace) -> Result<Self> {
        let demo = workspace.root.join("target/demo");
        // What a demo that was killed left behind.
        if demo.is_dir() {
            for entry in fs::read_dir(&demo).with_context(|| format!("list {}", demo.display()))? {
                let path = entry
                    .with_context(|| format!("list {}", demo.display()))?
                    .path();
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                if name.parse().is_ok_and(|id: u32| !namespaces::is_alive(id)) {
                    fs::remove_dir_all(&path)
                        .with_context(|| format!("remove {}", path.display()))?;
                }
            }
        }
        let folder = demo.join(std::process::id().to_string());
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A number of seconds, with or without the `s`.
fn seconds(text: &str) -> Result<Duration, String> {
    text.strip_suffix('s')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|number| (1..=86_400).contains(number))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is no time like 30s, up to 86400s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_within_a_day() {
        assert_eq!(seconds("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        for text in ["", "s", "0s", "-1", "1m", "99999999999999999999s", "86401"] {
            seconds(text).unwrap_err();
        }
    }
}
