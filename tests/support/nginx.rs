//! A real web server.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tempfile::TempDir;

use super::command::{Process, Program};
use super::namespace::Namespace;
use super::wait::within;

/// nginx in a namespace, on port 80 of both families; ended when dropped.
///
/// | path | what it answers |
/// |---|---|
/// | `/small` | a file of 6 bytes |
/// | `/large` | a file of 300,000 bytes, full of lines that look like requests |
/// | `/chunked` | the large file, compressed and chunked where the client takes gzip |
/// | `/upload/…` | takes a body, of any method, and says `204` |
/// | `/moved` | `302` |
/// | `/proxy/…` | what the upstream answers to the path behind `/proxy` |
/// | else | `404` |
#[derive(Debug)]
pub struct Nginx {
    _process: Process,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it and waits until it answers. `upstream`: the `ADDRESS:PORT` behind `/proxy/`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(namespace: &Namespace, upstream: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("files")).unwrap();
        fs::write(path.join("files/small"), "small\n").unwrap();
        fs::write(path.join("files/large"), large_body()).unwrap();
        let configuration = configuration(
            &path.display().to_string(),
            upstream.unwrap_or("127.0.0.1:9"),
        );
        fs::write(path.join("nginx.conf"), configuration).unwrap();
        let mut command = namespace.command("nginx");
        command
            .arg("-p")
            .arg(path)
            .arg("-c")
            .arg(path.join("nginx.conf"));
        command.args(["-e", "stderr"]);
        let mut process = Program::new(command).start();
        within("nginx to listen", || {
            assert!(process.runs(), "nginx ended: {}", process.stderr());
            // From a socket of its own: a capture that runs already sees a connection without a request.
            namespace.enter(|| {
                let address = SocketAddr::from(([127, 0, 0, 1], 80));
                TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()
            })
        });
        Self {
            _process: process,
            _folder: folder,
        }
    }
}

/// 300,000 bytes; each line is the start of something that is not there.
fn large_body() -> Vec<u8> {
    b"GET /not-a-request HTTP/1.1\r\nHTTP/1.1 200 Not-a-response\r\n\r\n"
        .iter()
        .copied()
        .cycle()
        .take(300_000)
        .collect()
}

fn configuration(folder: &str, upstream: &str) -> String {
    format!(
        "daemon off;
        master_process off;
        user root;
        worker_processes 1;
        pid {folder}/pid;
        error_log stderr warn;
        events {{ worker_connections 512; }}
        http {{
            access_log off;
            default_type text/plain;
            client_body_temp_path {folder}/body;
            proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi;
            scgi_temp_path {folder}/scgi;
            client_max_body_size 100m;
            large_client_header_buffers 8 32k;
            keepalive_requests 1000000;
            upstream taker {{ server unix:{folder}/taker; }}
            upstream behind {{ server {upstream}; keepalive 4; }}
            server {{
                listen 80 reuseport backlog=1024;
                listen [::]:80 ipv6only=on;
                server_name _;
                root {folder}/files;
                location /chunked {{
                    alias {folder}/files/large;
                    gzip on;
                    gzip_types *;
                }}
                location /upload/ {{ proxy_pass http://taker; proxy_http_version 1.1; }}
                location /moved {{ return 302 /small; }}
                location /proxy/ {{
                    proxy_pass http://behind/;
                    proxy_http_version 1.1;
                    proxy_set_header Connection \"\";
                }}
            }}
            server {{
                listen unix:{folder}/taker;
                return 204;
            }}
        }}
        "
    )
}
