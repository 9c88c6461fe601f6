//! Lines of access.log in each format, and the lines of error.log that belong to them.
//!
//! | format | line |
//! |---|---|
//! | common | `%h %l %u %t "%r" %>s %b` of Apache |
//! | combined | common, then `"%{Referer}i" "%{User-Agent}i"` |
//! | vhost_combined | `%v:%p`, then combined |
//! | combined_time | combined, then `%D`: microseconds |
//! | json | one object: `ts`, `src_ip`, `user`, `method`, `target`, `version`, `host`, `status`, `response_bytes`, `total_us`, `referer`, `user_agent`; what is not there is left out |
//! | w3c | W3C extended with the fields of IIS, and `sc-bytes` at the end |
//! | simple | `YYYY-MM-DDTHH:MM:SSZ METHOD target status NNNms` |
//!
//! What can stand in a line (targets, referrers, user agents) is made and escaped once, at the start: a
//! line is put together from it without allocation.

use super::clock::Clock;
use super::config::LineFormat;
use super::hit::Hit;
use super::outcome::Outcome;
use super::world::World;

/// The line at the head of a W3C log.
const W3C_HEAD: &[u8] = b"#Version: 1.0\n#Software: tapline gen access\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken sc-bytes\n";

/// What the server says when it fails.
const FAILURES: [&str; 4] = [
    "Failed to connect to database",
    "Upstream timed out",
    "Unhandled exception",
    "Too many open files",
];

/// Texts by number, one behind the other.
#[derive(Clone, Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len() as u32);
    }

    #[inline]
    fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = match number.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.bytes
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// All texts of the lines of one format.
#[derive(Debug)]
pub struct Style {
    format: LineFormat,
    /// What stands in front of each line.
    head: Vec<u8>,
    /// From the time to the status.
    requests: Texts,
    /// By target.
    referrers: Texts,
    agents: Texts,
    /// Behind the names there is nothing.
    names: Texts,
    /// For error.log: method and target.
    plain: Texts,
}

impl Style {
    /// The texts of a world. `site`: scheme and host of its pages.
    #[must_use]
    pub fn new(format: LineFormat, world: &World, site: &str) -> Self {
        let (host, port) = host_and_port(site);
        let mut style = Self {
            format,
            head: Vec::new(),
            requests: Texts::default(),
            referrers: Texts::default(),
            agents: Texts::default(),
            names: Texts::default(),
            plain: Texts::default(),
        };
        if format == LineFormat::VhostCombined {
            style.head = format!("{host}:{port} ").into_bytes();
        }
        for target in world.site.targets() {
            let (method, path) = (target.method, &target.path);
            let (stem, query) = path.split_once('?').unwrap_or((path, "-"));
            let request = match format {
                LineFormat::Json => format!(
                    ",\"method\":\"{method}\",\"target\":\"{path}\",\"version\":\"HTTP/1.1\",\"host\":\"{}\",\"status\":",
                    json(host)
                ),
                LineFormat::W3c => format!(" 192.0.2.80 {method} {stem} {query} {port} "),
                LineFormat::Simple => format!("Z {method} {path} "),
                _ => format!("] \"{method} {path} HTTP/1.1\" "),
            };
            style.requests.push(&request);
            let referrer = match format {
                LineFormat::Json => format!(",\"referer\":\"{}{path}\"", json(site)),
                LineFormat::W3c => format!(" {site}{path} "),
                _ => format!(" \"{site}{path}\" \""),
            };
            style.referrers.push(&referrer);
            style.plain.push(&format!("{method} {path}"));
        }
        for agent in &world.agents {
            let text = match format {
                LineFormat::Json => format!(",\"user_agent\":\"{}\"}}\n", json(agent)),
                LineFormat::W3c => agent.replace(' ', "+"),
                LineFormat::CombinedTime => format!("{}\" ", apache(agent)),
                _ => format!("{}\"\n", apache(agent)),
            };
            style.agents.push(&text);
        }
        for name in &world.names {
            style.names.push(name);
        }
        style
    }

    /// What a file begins with.
    #[must_use]
    pub const fn file_head(&self) -> &'static [u8] {
        match self.format {
            LineFormat::W3c => W3C_HEAD,
            _ => b"",
        }
    }

    /// Appends the line of `hit`, whose user has this address. `clock` is the caller's, so that it can keep
    /// the texts of a second.
    #[inline]
    pub fn write(&self, clock: &mut Clock, hit: &Hit, address: &[u8], out: &mut Vec<u8>) {
        let milliseconds = clock.go_to(hit.time);
        match self.format {
            LineFormat::Json => self.json(clock, milliseconds, hit, address, out),
            LineFormat::W3c => self.w3c(clock, hit, address, out),
            LineFormat::Simple => {
                let time = clock.plain();
                out.extend_from_slice(&time[..10]);
                out.push(b'T');
                out.extend_from_slice(&time[11..]);
                out.extend_from_slice(self.requests.get(hit.target));
                number(hit.status.into(), out);
                out.push(b' ');
                number(hit.micros / 1000, out);
                out.extend_from_slice(b"ms\n");
            }
            format => {
                out.extend_from_slice(&self.head);
                out.extend_from_slice(address);
                out.extend_from_slice(b" - ");
                out.extend_from_slice(self.name(hit).unwrap_or(b"-"));
                out.extend_from_slice(b" [");
                out.extend_from_slice(clock.apache());
                out.extend_from_slice(self.requests.get(hit.target));
                number(hit.status.into(), out);
                out.push(b' ');
                match hit.body() {
                    Some(size) => number(size, out),
                    None => out.push(b'-'),
                }
                if format == LineFormat::Common {
                    out.push(b'\n');
                    return;
                }
                match hit.referrer {
                    Some(referrer) => out.extend_from_slice(self.referrers.get(referrer)),
                    None => out.extend_from_slice(b" \"-\" \""),
                }
                out.extend_from_slice(self.agents.get(hit.agent));
                if format == LineFormat::CombinedTime {
                    number(hit.micros, out);
                    out.push(b'\n');
                }
            }
        }
    }

    /// Appends what error.log says about `hit`; nothing where all went well. To be called behind
    /// [`write`](Self::write) with its clock.
    #[inline]
    pub fn write_error(&self, clock: &Clock, hit: &Hit, address: &[u8], out: &mut Vec<u8>) {
        let (level, what) = match hit.outcome {
            Outcome::ServerError => {
                let failure = hit.size as usize % FAILURES.len();
                ("ERROR", FAILURES.get(failure).copied().unwrap_or_default())
            }
            Outcome::NotFound => ("WARNING", "File does not exist"),
            Outcome::Forbidden => ("WARNING", "Access denied"),
            Outcome::Unauthorized => ("WARNING", "Login required"),
            Outcome::Success | Outcome::RedirectPermanent | Outcome::RedirectTemporary => return,
        };
        out.extend_from_slice(clock.plain());
        for part in [" - ", level, " - ", what, ": "] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(self.plain.get(hit.target));
        out.push(b' ');
        number(hit.status.into(), out);
        out.extend_from_slice(b" [client ");
        out.extend_from_slice(address);
        out.extend_from_slice(b"]\n");
    }

    #[inline]
    fn name(&self, hit: &Hit) -> Option<&[u8]> {
        hit.name.map(|name| self.names.get(name))
    }

    fn json(&self, clock: &Clock, milliseconds: u32, hit: &Hit, address: &[u8], out: &mut Vec<u8>) {
        let time = clock.plain();
        out.extend_from_slice(b"{\"ts\":\"");
        out.extend_from_slice(&time[..10]);
        out.push(b'T');
        out.extend_from_slice(&time[11..]);
        let digit = |number: u32| b'0' + (number % 10) as u8;
        out.extend_from_slice(&[
            b'.',
            digit(milliseconds / 100),
            digit(milliseconds / 10),
            digit(milliseconds),
        ]);
        out.extend_from_slice(b"Z\",\"src_ip\":\"");
        out.extend_from_slice(address);
        out.push(b'"');
        if let Some(name) = self.name(hit) {
            out.extend_from_slice(b",\"user\":\"");
            out.extend_from_slice(name);
            out.push(b'"');
        }
        out.extend_from_slice(self.requests.get(hit.target));
        number(hit.status.into(), out);
        out.extend_from_slice(b",\"response_bytes\":");
        number(hit.body().unwrap_or(0), out);
        out.extend_from_slice(b",\"total_us\":");
        number(hit.micros, out);
        if let Some(referrer) = hit.referrer {
            out.extend_from_slice(self.referrers.get(referrer));
        }
        out.extend_from_slice(self.agents.get(hit.agent));
    }

    fn w3c(&self, clock: &Clock, hit: &Hit, address: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(clock.plain());
        out.extend_from_slice(self.requests.get(hit.target));
        out.extend_from_slice(self.name(hit).unwrap_or(b"-"));
        out.push(b' ');
        out.extend_from_slice(address);
        out.push(b' ');
        out.extend_from_slice(self.agents.get(hit.agent));
        match hit.referrer {
            Some(referrer) => out.extend_from_slice(self.referrers.get(referrer)),
            None => out.extend_from_slice(b" - "),
        }
        number(hit.status.into(), out);
        out.extend_from_slice(b" 0 0 ");
        number(hit.micros / 1000, out);
        out.push(b' ');
        number(hit.body().unwrap_or(0), out);
        out.push(b'\n');
    }
}

/// Host and port of `https://example.com`.
fn host_and_port(site: &str) -> (&str, u16) {
    let (scheme, host) = site.split_once("://").unwrap_or(("https", site));
    let port = if scheme == "http" { 80 } else { 443 };
    match host.rsplit_once(':') {
        Some((name, told)) if !told.ends_with(']') => (name, told.parse().unwrap_or(port)),
        _ => (host, port),
    }
}

/// Appends a number in decimal.
#[inline]
fn number(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// As Apache writes it between quotes.
fn apache(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => escaped.extend(['\\', char::from(byte)]),
            b' '..=b'~' => escaped.push(char::from(byte)),
            _ => escaped += &format!("\\x{byte:02x}"),
        }
    }
    escaped
}

/// As it stands between the quotes of a JSON string (RFC 8259, section 7).
fn json(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => escaped.extend(['\\', letter]),
            _ if letter.is_control() => escaped += &format!("\\u{:04x}", u32::from(letter)),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
