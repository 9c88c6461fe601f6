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
use crate::{bench::capture::site::program, interrupt, process::Running, workspace::Workspace};

const CONFIGURATION: &str = "
daemon off;
master_process off;
worker_processes 1;
pid @FOLDER@/nginx.pid;
error_log stderr error;
events { worker_connections 16384; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    open_file_cache max=16;
    client_body_temp_path @FOLDER@/body;
    proxy_temp_path @FOLDER@/proxy;
    fastcgi_temp_path @FOLDER@/fastcgi;
    uwsgi_temp_path @FOLDER@/uwsgi;
    scgi_temp_path @FOLDER@/scgi;
    default_type text/html;
    server {
        listen 127.0.0.1:@PORT@ backlog=4096;
        root @FOLDER@/site;
    }
}
";

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
        let site = folder.join("site");
        fs::create_dir_all(&site).with_context(|| format!("make {}", site.display()))?;
        fs::write(site.join("index.html"), "x".repeat(1024)).context("write a page")?;
        let port = free_port()?;
        let text = CONFIGURATION
            .replace("@FOLDER@", &folder.display().to_string())
            .replace("@PORT@", &port.to_string());
        let file = folder.join("nginx.conf");
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
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
