//! nginx on loopback, with one file.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::on_cpu;
use crate::{
    bench::{capture::site::program, nginx::configure},
    interrupt,
    process::Running,
    workspace::Workspace,
};

/// It ends, and its folder goes, when it is dropped.
#[derive(Debug)]
pub(super) struct Nginx {
    // Ends before its folder goes.
    _running: Running,
    _folder: Folder,
    pub(super) url: String,
}

/// A folder, gone when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

impl Nginx {
    /// Starts it on this CPU.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub(super) fn start(workspace: &Workspace, cpu: u32) -> Result<Self> {
        let folder = workspace.host_target.join("bench/load");
        // What an earlier measurement that broke off has left is of no use.
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let port = free_port()?;
        let file = configure(&folder, &format!("127.0.0.1:{port}"), "stderr error", "")?;
        let running = on_cpu(cpu, &program("nginx")?)?
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(&folder)
            .args(["-e", "stderr"])
            .start(Stdio::null(), Stdio::inherit())?;
        let nginx = Self {
            _running: running,
            _folder: Folder(folder),
            url: format!("http://127.0.0.1:{port}/index.html"),
        };
        wait_for(port)?;
        Ok(nginx)
    }
}

/// A port of 127.0.0.1 that nobody has.
///
/// # Errors
/// There is none.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

/// Waits until somebody listens there.
///
/// # Errors
/// Nobody does.
pub(super) fn wait_for(port: u16) -> Result<()> {
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if started.elapsed() > Duration::from_secs(10) || interrupt::signal().is_some() {
            bail!("nobody listens on port {port}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
