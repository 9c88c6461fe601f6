//! How nginx is configured for measurements: one worker, one file of 1 KiB, connections that stay open.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const CONFIGURATION: &str = "
daemon off;
master_process off;
worker_processes 1;
pid @FOLDER@/nginx.pid;
error_log @ERRORS@;
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
        listen @LISTEN@ backlog=4096;
        root @FOLDER@/site;
    }
    @MORE@
}
";

/// Writes the page and the configuration into `folder`; gives the file of the latter. `listen`: where the
/// page is served; `errors`: what stands behind `error_log`; `more`: other servers.
///
/// # Errors
/// When something cannot be written.
pub(crate) fn configure(folder: &Path, listen: &str, errors: &str, more: &str) -> Result<PathBuf> {
    let site = folder.join("site");
    fs::create_dir_all(&site).with_context(|| format!("make {}", site.display()))?;
    let page = site.join("index.html");
    fs::write(&page, "x".repeat(1024)).with_context(|| format!("write {}", page.display()))?;
    let text = CONFIGURATION
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@ERRORS@", errors)
        .replace("@LISTEN@", listen)
        .replace("@MORE@", more);
    let file = folder.join("nginx.conf");
    fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    Ok(file)
}
