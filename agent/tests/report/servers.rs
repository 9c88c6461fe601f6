//! Lines that nginx and Apache really write, from requests with all that is odd in them. Where a server
//! is not installed, its test says nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Folder;

const PATIENCE: Duration = Duration::from_secs(20);
const END: &str = "Host: example.com\r\nConnection: close\r\n";
/// Requests that [`traffic`] makes.
const REQUESTS: u64 = 8;

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Sends bytes and reads the answer to its end.
fn ask(port: u16, request: &[u8]) {
    let begun = Instant::now();
    let mut connection = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(connection) => break connection,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(request).unwrap();
    drop(connection.read_to_end(&mut Vec::new()));
}

fn traffic(port: u16) {
    for number in 0..5 {
        let request =
            format!("GET /user/{number}?q=\"x\" HTTP/1.1\r\n{END}User-Agent: curl/8\r\n\r\n");
        ask(port, request.as_bytes());
    }
    let odd = format!(
        "GET /odd HTTP/1.1\r\n{END}User-Agent: a \"quoted\" \\ agent\r\nReferer: http://r/?\"\r\n\r\n"
    );
    ask(port, odd.as_bytes());
    let bytes = [
        b"GET /bytes HTTP/1.1\r\n",
        END.as_bytes(),
        b"User-Agent: \xe4\xc3\xa4b\r\n\r\n",
    ];
    ask(port, &bytes.concat());
    // No request at all.
    ask(port, b"\x16\x03\x01\xa5\x01\r\n\r\n");
}

fn check(folder: &Folder) {
    let (report, code) = folder.json(&["access.log"]);
    let text = String::from_utf8_lossy(&fs::read(folder.path("access.log")).unwrap()).into_owned();
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["sources"][0]["formats"][0], "COMBINED");
    assert_eq!(report["lines"]["failed"], 0, "{text}");
    assert_eq!(report["totals"]["requests"], REQUESTS, "{text}");
    let has = |table: &str, field: &str, value: &str, requests: u64| {
        let rows = report[table]["rows"].as_array().unwrap();
        let is_there = rows
            .iter()
            .any(|row| row[field] == value && row["requests"] == requests);
        assert!(is_there, "{value}: {rows:?}\n{text}");
    };
    has("endpoints", "template", "/user/{id}", 5);
    has("paths", "path", "/odd", 1);
    has("clients", "client", "127.0.0.1", REQUESTS);
    has("user_agents", "value", "curl/8", 5);
    has("user_agents", "value", r#"a "quoted" \ agent"#, 1);
    has("user_agents", "value", r"\xe4äb", 1);
    has("referrers", "value", "http://r/", 1);
}

/// Lets a server write its log, and looks at what is made of it.
fn serve(program: &str, configure: impl Fn(&str, u16) -> (String, Vec<String>)) {
    if !Path::new(program).exists() {
        return;
    }
    let folder = Folder::new(&[]);
    let port = free_port();
    let root = folder.path("").display().to_string();
    let (configuration, arguments) = configure(&root, port);
    fs::write(folder.path("server.conf"), configuration).unwrap();
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let server = Server(child.unwrap());
    traffic(port);
    // A line is written after the answer was sent.
    let begun = Instant::now();
    let count = || {
        let text = fs::read(folder.path("access.log")).unwrap_or_default();
        text.iter().filter(|byte| **byte == b'\n').count() as u64
    };
    while count() < REQUESTS && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(20));
    }
    drop(server);
    check(&folder);
}

#[test]
fn nginx() {
    serve("/usr/sbin/nginx", |root, port| {
        let configuration = format!(
            "daemon off; master_process off; pid {root}nginx.pid; error_log {root}error.log;\n\
             events {{}}\n\
             http {{ access_log {root}access.log combined; client_body_temp_path {root}b;\n\
             proxy_temp_path {root}p; fastcgi_temp_path {root}f; uwsgi_temp_path {root}u;\n\
             scgi_temp_path {root}s; server {{ listen 127.0.0.1:{port}; return 200 \"x\"; }} }}\n"
        );
        let arguments = ["-c", &format!("{root}server.conf"), "-p", root];
        (configuration, arguments.map(str::to_owned).to_vec())
    });
}

#[test]
fn apache() {
    serve("/usr/sbin/apache2", |root, port| {
        let modules = "/usr/lib/apache2/modules";
        let configuration = format!(
            "ServerRoot {root}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {root}pid\n\
             ErrorLog {root}error.log\nDocumentRoot {root}\nMutex file:{root}\n\
             LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
             LoadModule authz_core_module {modules}/mod_authz_core.so\n\
             LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\n\
             CustomLog {root}access.log combined\n"
        );
        let arguments = ["-X", "-f", &format!("{root}server.conf")];
        (configuration, arguments.map(str::to_owned).to_vec())
    });
}
