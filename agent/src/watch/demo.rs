//! A living sample log: `server_sample.log`, with a line every three seconds, of the endpoints that
//! the documentation names.
//!
//! | | success | 4xx | 5xx |
//! |---|---|---|---|
//! | the first 100 lines | 70 % | 24 % | 6 % |
//! | every line after | 60 % | 32 % | 8 % |
//!
//! Answers take 50 to 300 ms, refusals 50 to 200, failures 200 to 800, `/api/admin/stats` always 800
//! to 1200. The first lines lie in the past, a minute apart and the last a minute ago: none lies in
//! the future. A file that has lines already is gone on with.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha8Rng;

use crate::generate::draw::{below, between, happens, one};
use crate::generate::seed::Seed;

/// The name of the file where none is given.
pub const FILE: &str = "server_sample.log";

/// How far apart lines are, in seconds.
pub const PAUSE_S: u64 = 3;

/// Lines of a file that begins.
const FIRST: i64 = 100;

const ENDPOINTS: [&str; 8] = [
    "/api/user/login",
    "/api/user/logout",
    "/api/user/list",
    "/api/product/list",
    "/api/product/detail",
    "/api/order/create",
    "/api/order/cancel",
    SLOW,
];

/// The one that is always slow.
const SLOW: &str = "/api/admin/stats";

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// Writes the file, a line at a time.
#[derive(Debug)]
pub struct Demo {
    file: File,
    stream: ChaCha8Rng,
}

impl Demo {
    /// Opens the file, and writes its first lines where it has none.
    ///
    /// # Errors
    /// It cannot be written to, or is no regular file.
    pub fn open(path: &Path, seed: Seed, now: Timestamp) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let sentence = "it is no regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
        }
        let mut demo = Self {
            file,
            stream: seed.stream("server sample", 0),
        };
        if metadata.len() == 0 {
            let mut lines = String::new();
            for minutes in (1..=FIRST).rev() {
                let time = now.checked_sub(SignedDuration::from_mins(minutes));
                lines.push_str(&line(&mut demo.stream, time.unwrap_or(now), 0.7));
            }
            demo.file.write_all(lines.as_bytes())?;
        }
        Ok(demo)
    }

    /// Appends a line of now, and gives it without its end.
    ///
    /// # Errors
    /// The file cannot be written to.
    pub fn append(&mut self, now: Timestamp) -> io::Result<String> {
        let mut line = line(&mut self.stream, now, 0.6);
        self.file.write_all(line.as_bytes())?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

/// A line, of which `success` are answered well.
fn line(stream: &mut ChaCha8Rng, time: Timestamp, success: f64) -> String {
    let endpoint = one(stream, &ENDPOINTS).copied().unwrap_or(SLOW);
    let method = one(stream, &METHODS).copied().unwrap_or("GET");
    let (statuses, least, most): (&[u16], u32, u32) = if happens(stream, success) {
        (&[200, 201, 204], 50, 300)
    } else if happens(stream, 0.8) {
        (&[400, 401, 403, 404], 50, 200)
    } else {
        (&[500, 502, 503], 200, 800)
    };
    let place = below(stream, u32::try_from(statuses.len()).unwrap_or(1));
    let status = statuses.get(place as usize).copied().unwrap_or(200);
    let (least, most) = match endpoint {
        SLOW => (800, 1200),
        _ => (least, most),
    };
    let taken = between(stream, least, most);
    let time = time.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("{time} {method} {endpoint} {status} {taken}ms\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_that_are_documented() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let now: Timestamp = "2026-01-01T12:00:30Z".parse().unwrap();
        let mut demo = Demo::open(&path, Seed(7), now).unwrap();
        for _ in 0..2000 {
            demo.append(now).unwrap();
        }
        // A second start goes on.
        drop(Demo::open(&path, Seed(7), now).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2100);
        assert!(
            lines[0].starts_with("2026-01-01T10:20:30Z "),
            "{}",
            lines[0]
        );
        assert!(
            lines[99].starts_with("2026-01-01T11:59:30Z "),
            "{}",
            lines[99]
        );
        let mut classes = [0; 6];
        for line in &lines {
            let fields: Vec<&str> = line.split(' ').collect();
            let [time, method, endpoint, status, taken] = fields[..] else {
                panic!("{line}");
            };
            assert!(time.parse::<Timestamp>().unwrap() <= now, "{line}");
            assert!(
                METHODS.contains(&method) && ENDPOINTS.contains(&endpoint),
                "{line}"
            );
            let taken: u32 = taken.strip_suffix("ms").unwrap().parse().unwrap();
            match endpoint {
                SLOW => assert!((800..=1200).contains(&taken), "{line}"),
                _ => assert!((50..=800).contains(&taken), "{line}"),
            }
            classes[usize::from(status.parse::<u16>().unwrap() / 100)] += 1;
        }
        let share = |class: usize| f64::from(classes[class]) / 2100.0;
        assert!((0.55..0.67).contains(&share(2)), "{classes:?}");
        assert!((0.26..0.38).contains(&share(4)), "{classes:?}");
        assert!((0.04..0.12).contains(&share(5)), "{classes:?}");
    }
}
