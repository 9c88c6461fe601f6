//! The web server of the demo: nginx, or python3's where nginx is not to be had.

use std::{fs, net::Ipv4Addr, path::Path, process::Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt, demo::namespaces::Namespaces, process::Running, report::say, workspace::find_program,
};

/// One small site with some of every kind of answer. `@…@` is filled in.
const CONFIGURATION: &str = r#"
daemon off;
master_process off;
pid @FOLDER@/nginx.pid;
error_log @FOLDER@/error.log;
events {}
http {
    access_log off;
    client_body_temp_path @FOLDER@/body;
    proxy_temp_path @FOLDER@/proxy;
    fastcgi_temp_path @FOLDER@/fastcgi;
    uwsgi_temp_path @FOLDER@/uwsgi;
    scgi_temp_path @FOLDER@/scgi;
    server {
        listen @ADDRESS@:80;
        default_type text/html;
        location = / { return 200 "<h1>Hello</h1>\n"; }
        location /api/ {
            default_type application/json;
            if ($request_method = POST) { return 201 "{\"id\": 7}\n"; }
            if ($request_method = DELETE) { return 204; }
            return 200 "[{\"id\": 7}]\n";
        }
        location /old-page { return 302 /; }
        location /broken { return 500; }
        location / { return 404; }
    }
}
"#;

/// Starts a server on the server's side. It ends when the result is dropped.
///
/// # Errors
/// When neither server is installed or to be had, or it does not start.
pub(crate) fn start(namespaces: &Namespaces, address: Ipv4Addr, folder: &Path) -> Result<Running> {
    if find_program("nginx").is_none()
        && apt::usable()
        && let Err(error) = apt::install(&["nginx-light"], "as the demo's web server")
    {
        say(format_args!("no nginx: {error:#}"));
    }
    if let Some(nginx) = find_program("nginx") {
        let file = folder.join("nginx.conf");
        let text = CONFIGURATION
            .replace("@FOLDER@", &folder.display().to_string())
            .replace("@ADDRESS@", &address.to_string());
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        return namespaces
            .in_server(nginx)
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(folder)
            // The one of its own log that it would open before it has read the file.
            .arg("-e")
            .arg(folder.join("error.log"))
            .start(Stdio::null(), Stdio::inherit());
    }
    let Some(python) = find_program("python3") else {
        bail!("the demo needs a web server: install nginx-light or python3");
    };
    say("nginx is not here: python3's web server stands in, and most answers are errors");
    namespaces
        .in_server(python)
        .args([
            "-m",
            "http.server",
            "80",
            "--bind",
            &address.to_string(),
            "--directory",
        ])
        .arg(folder)
        .start(Stdio::null(), Stdio::null())
}
