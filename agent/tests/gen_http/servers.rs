//! Servers that are asked: a real nginx, and one that keeps what it was asked.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// nginx on a port of its own; it ends with the test, whatever happens.
pub(crate) struct Nginx {
    process: Child,
    pub(crate) url: String,
    _folder: TempDir,
}

impl Nginx {
    /// `None`: it is not installed, which is said where tests that were left out are noted.
    pub(crate) fn start() -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"]
            .into_iter()
            .find(|path| fs::exists(path).unwrap_or(false));
        let Some(program) = program else {
            leave_out("gen http against nginx", "nginx is not installed");
            return None;
        };
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        fs::create_dir(folder.path().join("files")).unwrap();
        fs::write(folder.path().join("files/small"), "small\n").unwrap();
        let line = b"GET /not-a-request HTTP/1.1\r\nHTTP/1.1 200 Not-a-response\r\n\r\n";
        let large: Vec<u8> = line.iter().copied().cycle().take(300_000).collect();
        fs::write(folder.path().join("files/large"), large).unwrap();
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid {path}/pid;
             error_log stderr warn;
             events {{ worker_connections 256; }}
             http {{
                 access_log off; default_type text/plain; keepalive_requests 1000000;
                 client_body_temp_path {path}/b; proxy_temp_path {path}/p;
                 fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
                 server {{
                     listen 127.0.0.1:{port};
                     root {path}/files;
                     location /chunked {{ alias {path}/files/large; gzip on; gzip_types *; }}
                     location /upload {{ return 204; }}
                     location /moved {{ return 302 /small; }}
                     location /requests {{ stub_status; }}
                 }}
             }}"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let mut process = Command::new(program)
            .args([
                "-p",
                &path,
                "-c",
                &format!("{path}/nginx.conf"),
                "-e",
                "stderr",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "nginx does not listen"
            );
            assert!(process.try_wait().unwrap().is_none(), "nginx ended");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self {
            process,
            url: format!("http://127.0.0.1:{port}"),
            _folder: folder,
        })
    }

    /// How many requests it has served, this one among them.
    pub(crate) fn requests(&self) -> u64 {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(b"GET /requests HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, behind) = answer.split_once("requests\n").unwrap();
        let numbers: Vec<&str> = behind.split_whitespace().collect();
        numbers[2].parse().unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Notes that a test was left out and why, in the file that TAPLINE_LEFT_OUT names, else on stderr.
fn leave_out(name: &str, reason: &str) {
    let line = format!("{name}: {reason}\n");
    match std::env::var_os("TAPLINE_LEFT_OUT") {
        Some(path) => {
            let mut options = fs::OpenOptions::new();
            let mut file = options.append(true).create(true).open(path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        None => drop(std::io::stderr().write_all(format!("left out: {line}").as_bytes())),
    }
}

/// A server that answers everything with 204, and keeps the heads it was asked with.
pub(crate) fn recorder() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, keep) = (stream.unwrap(), Arc::clone(&keep));
            thread::spawn(move || record(stream, &keep));
        }
    });
    (address, seen)
}

fn record(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        let mut length = 0;
        loop {
            let before = head.len();
            if !reader.read_line(&mut head).is_ok_and(|count| count > 0) {
                return;
            }
            let line = &head[before..];
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.lock().unwrap().push(head);
        if stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}
