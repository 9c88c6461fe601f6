//! A list of requests: one a line, `METHOD URL BODY`, where method and body may be left out. `#` begins a
//! remark, a body `@FILE` is what is in the file, and a URL may be a path. A file is read once, however many
//! lines name it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::Url;
use super::requests::Request;

/// Bytes of a list, and of the file of a body, at most.
const LIST_MOST: u64 = 64 << 20;

/// Bytes of all files of bodies at most.
const BODIES_MOST: u64 = 256 << 20;

/// Requests of a list at most.
const COUNT_MOST: usize = 1_000_000;

/// A list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It, or the file of a body, cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It, or the file of a body, is too large.
    #[error("{} has more than {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it may have.
        most: u64,
    },
    /// The files of bodies are too large together.
    #[error("the bodies up to {} have more than {most} bytes together", path.display())]
    Bodies {
        /// The file with which they are.
        path: PathBuf,
        /// What they may have.
        most: u64,
    },
    /// Something in it is wrong.
    #[error("{}, line {line}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// There is nothing in it.
    #[error("{} has no requests: a line is like GET http://127.0.0.1/path", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a list. `base`: where paths belong; the URLs of the list must belong there too. Gives where that
/// is.
///
/// # Errors
/// The list cannot be read, or something in it is wrong.
pub fn read_list(path: &Path, base: Option<&Url>) -> Result<(Url, Vec<Request>), ListError> {
    let bytes = read_file(path)?;
    let mut base = base.cloned();
    let mut requests = Vec::new();
    let mut bodies = Bodies::default();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let wrong = |what: String| ListError::Wrong {
            path: path.to_owned(),
            line: number + 1,
            what,
        };
        let line =
            std::str::from_utf8(line).map_err(|_bytes| wrong("it is no UTF-8".to_owned()))?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if requests.len() == COUNT_MOST {
            return Err(wrong(format!("it has more than {COUNT_MOST} requests")));
        }
        let (method, rest) = match line.split_once(char::is_whitespace) {
            // A URL has a slash, a method has none.
            Some((first, rest)) if !first.contains('/') => (first, rest.trim_start()),
            _ => ("GET", line),
        };
        let (url, body) = rest
            .split_once(char::is_whitespace)
            .map_or((rest, ""), |(url, body)| (url, body.trim_start()));
        let target = match url.starts_with('/') {
            true => url.to_owned(),
            false => {
                let url = Url::read(url)
                    .map_err(|refusal| wrong(format!("{url:?} {refusal}, or a path like /cart")))?;
                let place = base.get_or_insert_with(|| url.clone());
                if (&url.host, url.port) != (&place.host, place.port) {
                    return Err(wrong(format!(
                        "{} is not at {}: a run has one target",
                        url,
                        place.authority()
                    )));
                }
                url.target
            }
        };
        let body = match body.strip_prefix('@') {
            Some(file) => bodies.of(path.parent().unwrap_or_else(|| Path::new(".")).join(file))?,
            None => body.as_bytes().into(),
        };
        requests.push(Request {
            method: method.to_owned(),
            target,
            fields: Vec::new(),
            body,
        });
    }
    let path = path.to_owned();
    if requests.is_empty() {
        return Err(ListError::Empty { path });
    }
    match base {
        Some(base) => Ok((base, requests)),
        None => Err(ListError::Wrong {
            path,
            line: 1,
            what: "it has only paths: say where they belong, with a URL in front of --urls"
                .to_owned(),
        }),
    }
}

/// What is in the files of bodies.
#[derive(Default)]
struct Bodies {
    files: HashMap<PathBuf, Arc<[u8]>>,
    bytes: u64,
}

impl Bodies {
    fn of(&mut self, file: PathBuf) -> Result<Arc<[u8]>, ListError> {
        if let Some(body) = self.files.get(&file) {
            return Ok(Arc::clone(body));
        }
        let body: Arc<[u8]> = read_file(&file)?.into();
        self.bytes += body.len() as u64;
        if self.bytes > BODIES_MOST {
            return Err(ListError::Bodies {
                path: file,
                most: BODIES_MOST,
            });
        }
        self.files.insert(file, Arc::clone(&body));
        Ok(body)
    }
}

/// The bytes of a file.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ListError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LIST_MOST + 1).read_to_end(&mut bytes));
    match read {
        Err(source) => Err(ListError::Unreadable {
            path: path.to_owned(),
            source,
        }),
        Ok(_) if bytes.len() as u64 > LIST_MOST => Err(ListError::TooLarge {
            path: path.to_owned(),
            most: LIST_MOST,
        }),
        Ok(_) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str, base: Option<&str>) -> Result<(Url, Vec<Request>), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        fs::write(folder.path().join("body"), "from a file\n").unwrap();
        fs::write(&path, text).unwrap();
        let base = base.map(|base| Url::read(base).unwrap());
        let prefix = format!("{}/", folder.path().display());
        read_list(&path, base.as_ref()).map_err(|error| error.to_string().replace(&prefix, ""))
    }

    #[test]
    fn lines_are_requests() {
        let text =
            "# a remark\n\nhttp://h:1/a\nPOST http://h:1/b x = y \n/c\r\n  PUT /d @body\nHEAD /\n";
        let (base, requests) = read(text, None).unwrap();
        assert_eq!(base.authority(), "h:1");
        let found: Vec<(&str, &str, &[u8])> = requests
            .iter()
            .map(|one| (one.method.as_str(), one.target.as_str(), &one.body[..]))
            .collect();
        let expected: [(&str, &str, &[u8]); 5] = [
            ("GET", "/a", b""),
            ("POST", "/b", b"x = y"),
            ("GET", "/c", b""),
            ("PUT", "/d", b"from a file\n"),
            ("HEAD", "/", b""),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_of_many_lines_is_read_once() {
        let text = "/a @body\n".repeat(1000);
        let (_, requests) = read(&text, Some("http://h/")).unwrap();
        let [first, .., last] = &requests[..] else {
            panic!("{}", requests.len());
        };
        assert!(Arc::ptr_eq(&first.body, &last.body));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, base, says: &str| {
            let error = read(text, base).unwrap_err();
            assert!(error.contains(says), "{text:?}: {error}");
        };
        check("", None, "list has no requests");
        check("/a", None, "only paths");
        check(
            "/a\nhttp://h/b\nhttp://g/c",
            None,
            "list, line 3: http://g/c is not at h",
        );
        check(
            "http://h/b",
            Some("http://g/"),
            "line 1: http://h/b is not at g",
        );
        check("GET", Some("http://g/"), "\"GET\" must be a URL");
        check("GET https://h/", None, "must begin with http://");
        check("POST /a @none", Some("http://g/"), "cannot read none");
        let error = read_list(Path::new("/no/such"), None).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /no/such");
    }
}
