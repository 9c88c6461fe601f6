//! The server's side and the client's: two network namespaces, nginx with one small file, iperf3.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    bench::nginx::configure,
    demo::namespaces::{self, Namespaces},
    interrupt,
    process::{Running, Step},
    workspace::{Workspace, find_program},
};

/// Addresses for documentation (RFC 5737): they can belong to nobody's network.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// nginx's own count of requests, on an address that is not on the wire.
const COUNT: &str = "server {
        listen 127.0.0.1:81;
        location = /requests { stub_status; }
    }";

/// Everything that stands still during the benchmark. Fields are dropped in this order: programs,
/// namespaces, files.
#[derive(Debug)]
pub(crate) struct Site {
    _nginx: Running,
    _iperf: Running,
    namespaces: Namespaces,
    folder: Folder,
}

impl Site {
    /// Makes the namespaces and starts the servers.
    ///
    /// # Errors
    /// When something is missing or does not start.
    pub(crate) fn make(workspace: &Workspace) -> Result<Self> {
        let folder = Folder::make(workspace)?;
        let namespaces = Namespaces::make(SERVER, CLIENT)?;
        let nginx = nginx(&namespaces, &folder.0)?;
        let iperf = namespaces
            .in_server(program("iperf3")?)
            .args(["--server", "--bind", &SERVER.to_string()])
            // It tells its end as a failure.
            .start(Stdio::null(), Stdio::null())?;
        let site = Self {
            _nginx: nginx,
            _iperf: iperf,
            namespaces,
            folder,
        };
        site.wait_for_nginx()?;
        Ok(site)
    }

    /// A command on the server's side.
    pub(crate) fn in_server(&self, program: impl AsRef<std::ffi::OsStr>) -> Step {
        self.namespaces.in_server(program)
    }

    /// A command on the client's side.
    pub(crate) fn in_client(&self, program: impl AsRef<std::ffi::OsStr>) -> Step {
        self.namespaces.in_client(program)
    }

    /// An empty folder for what one run writes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn fresh_folder(&self) -> Result<PathBuf> {
        let folder = self.folder.0.join("run");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(folder)
    }

    /// How many requests nginx has served so far over the wire.
    ///
    /// # Errors
    /// When nginx does not answer as expected.
    pub(crate) fn requests(&self) -> Result<NginxCount> {
        let text = self
            .in_server("curl")
            .args(["--silent", "--show-error", "--fail", "--max-time", "5"])
            .args(["--noproxy", "*", "http://127.0.0.1:81/requests"])
            .stdout()?;
        let requests =
            served(&text).with_context(|| format!("nginx counts like this: {text:?}"))?;
        Ok(NginxCount(requests))
    }

    fn wait_for_nginx(&self) -> Result<()> {
        let started = Instant::now();
        while let Err(error) = self.requests() {
            if started.elapsed() > Duration::from_secs(5) || interrupt::signal().is_some() {
                let log = self.folder.0.join("error.log");
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(error).context(format!("reach nginx, which said: {}", said.trim()));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// nginx's count of requests at one moment, the one that asked for it included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NginxCount(u64);

impl NginxCount {
    /// Requests between an earlier count and this one, those that asked for the counts left out.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        (self.0 - earlier.0).saturating_sub(1)
    }
}

/// The third number of the line behind the one that says `requests`.
fn served(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    lines.find(|line| line.ends_with("requests") || line.ends_with("requests "))?;
    lines.next()?.split_whitespace().nth(2)?.parse().ok()
}

fn nginx(namespaces: &Namespaces, folder: &Path) -> Result<Running> {
    let errors = folder.join("error.log").display().to_string();
    let file = configure(folder, &format!("{SERVER}:80"), &errors, COUNT)?;
    namespaces
        .in_server(program("nginx")?)
        .arg("-c")
        .arg(&file)
        .arg("-p")
        .arg(folder)
        .arg("-e")
        .arg(folder.join("error.log"))
        .start(Stdio::null(), Stdio::inherit())
}

/// Where a program is that the benchmark cannot do without.
///
/// # Errors
/// When it is not installed.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    match find_program(name) {
        Some(file) => Ok(file),
        None => bail!("the benchmark needs {name}: install it"),
    }
}

/// A folder of this process, gone when the benchmark ends.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(workspace: &Workspace) -> Result<Self> {
        let all = workspace.root.join("target/bench");
        // What a benchmark that was killed left behind.
        for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.parse().is_ok_and(|id: u32| !namespaces::is_alive(id)) {
                let path = entry.path();
                fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
            }
        }
        let folder = all.join(std::process::id().to_string());
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_nginx_is_found() {
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(served(text), expected, "{text}");
        check(
            "Active connections: 1 \nserver accepts handled requests\n 65 65 254322 \n\
             Reading: 0 Writing: 1 Waiting: 0 \n",
            Some(254_322),
        );
        check("server accepts handled requests\n 65 65\n", None);
        check("server accepts handled requests\n 65 65 x\n", None);
        check("404", None);
        check("", None);
    }

    #[test]
    fn asking_does_not_count() {
        assert_eq!(NginxCount(11).since(NginxCount(10)), 0);
        assert_eq!(NginxCount(111).since(NginxCount(10)), 100);
    }
}
