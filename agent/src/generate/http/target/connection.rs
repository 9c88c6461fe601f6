//! A request, read as it comes in. Pure: bytes in, facts out.

use std::mem::MaybeUninit;

use super::site::{Asked, Site};
use crate::generate::http::answer::number;
use crate::generate::http::chunks::Chunks;

/// Fields of a head at most.
const FIELDS_MOST: usize = 100;

/// Where in a request we are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Part {
    #[default]
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    /// A body in chunks.
    Chunks(Chunks),
}

/// What came of the bytes that are there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Came {
    /// There is more to come. `is_awaited`: the client waits to be told to go on.
    More { is_awaited: bool },
    /// A request, to its end.
    Request(Asked),
    /// It is refused with this status.
    Refused(u16),
}

/// The requests of a connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    part: Part,
    asked: Asked,
}

impl Reader {
    /// Whether a request has begun, with these bytes of it not taken yet.
    pub(super) fn has_begun(&self, bytes: &[u8]) -> bool {
        !bytes.is_empty() || !matches!(self.part, Part::Head)
    }

    /// Reads on; gives how many of the bytes were taken.
    #[inline]
    pub(super) fn take(&mut self, site: &Site, bytes: &[u8]) -> (usize, Came) {
        let mut taken = 0;
        let mut is_awaited = false;
        if matches!(self.part, Part::Head) {
            match self.head(site, bytes) {
                Ok(Some((length, waits))) => (taken, is_awaited) = (length, waits),
                Ok(None) if bytes.len() >= site.limits.head as usize => {
                    return (0, Came::Refused(431));
                }
                Ok(None) => return (0, Came::More { is_awaited }),
                Err(status) => return (0, Came::Refused(status)),
            }
        }
        let rest = bytes.get(taken..).unwrap_or_default();
        match &mut self.part {
            Part::Length(left) => {
                let here = (*left).min(rest.len() as u64);
                *left -= here;
                taken += here as usize;
                if *left > 0 {
                    return (taken, Came::More { is_awaited });
                }
            }
            Part::Chunks(chunks) => {
                match chunks.take(rest) {
                    Ok(here) => taken += here,
                    Err(_) => return (taken, Came::Refused(400)),
                }
                if chunks.data() > site.limits.body {
                    return (taken, Came::Refused(413));
                }
                if !chunks.is_whole() {
                    return (taken, Came::More { is_awaited });
                }
            }
            Part::Head => {}
        }
        self.part = Part::Head;
        (taken, Came::Request(self.asked))
    }

    /// Reads a head; gives its length and whether the client waits before it sends the body. The error is
    /// a status.
    #[inline]
    fn head(&mut self, site: &Site, bytes: &[u8]) -> Result<Option<(usize, bool)>, u16> {
        let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MOST];
        let mut request = httparse::Request::new(&mut []);
        let length = match request.parse_with_uninit_headers(bytes, &mut fields) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(431),
            Err(httparse::Error::Version) => return Err(505),
            Err(_) => return Err(400),
        };
        if length > site.limits.head as usize {
            return Err(431);
        }
        let target = request.path.unwrap_or_default();
        let method = request.method.unwrap_or_default();
        if method == "CONNECT" {
            return Err(501);
        }
        let is_1_0 = request.version == Some(0);
        let mut asked = Asked {
            is_head: method == "HEAD",
            is_1_0,
            keeps: !is_1_0,
            ..site.find(target.as_bytes())
        };
        let mut is_awaited = false;
        let mut body_length: Option<u64> = None;
        let mut is_chunked = false;
        let mut hosts = 0;
        for field in request.headers.iter() {
            let (name, value) = (field.name, field.value);
            match name.len() {
                4 if name.eq_ignore_ascii_case("host") => hosts += 1,
                10 if name.eq_ignore_ascii_case("connection") => {
                    for word in value.split(|byte| *byte == b',') {
                        let word = word.trim_ascii();
                        if word.eq_ignore_ascii_case(b"close") {
                            asked.keeps = false;
                        } else if word.eq_ignore_ascii_case(b"keep-alive") && is_1_0 {
                            asked.keeps = true;
                        }
                    }
                }
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length = number(value.trim_ascii()).ok_or(400_u16)?;
                    if body_length.is_some_and(|other| other != length) {
                        return Err(400);
                    }
                    body_length = Some(length);
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    if !value.trim_ascii().eq_ignore_ascii_case(b"chunked") || is_chunked {
                        return Err(501);
                    }
                    is_chunked = true;
                }
                6 if name.eq_ignore_ascii_case("expect") => {
                    is_awaited =
                        value.trim_ascii().eq_ignore_ascii_case(b"100-continue") && !is_1_0;
                }
                _ => {}
            }
        }
        // RFC 9112, section 3.2.
        if hosts > 1 || (hosts == 0 && !is_1_0) {
            return Err(400);
        }
        self.part = match (is_chunked, body_length) {
            // Who sends both may mean something else than we do.
            (true, Some(_)) => return Err(400),
            (true, None) if is_1_0 => return Err(400),
            (true, None) => Part::Chunks(Chunks::default()),
            (false, Some(length)) if length > site.limits.body => return Err(413),
            (false, length) => Part::Length(length.unwrap_or(0)),
        };
        self.asked = asked;
        Ok(Some((length, is_awaited)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generate::http::target::config::TargetConfig;

    fn site() -> Site {
        let mut config = TargetConfig::default();
        config.limits.head = 200;
        config.limits.body = 10;
        Site::new(&config)
    }

    /// What comes of pieces: requests with what they want of the connection, and the status of the
    /// refusal at the end.
    fn read(pieces: &[&[u8]]) -> (Vec<(bool, bool)>, Option<u16>) {
        let site = site();
        let mut reader = Reader::default();
        let (mut held, mut requests) = (Vec::new(), Vec::new());
        for piece in pieces {
            held.extend_from_slice(piece);
            loop {
                let (taken, came) = reader.take(&site, &held);
                held.drain(..taken);
                match came {
                    Came::More { .. } => break,
                    Came::Request(asked) => requests.push((asked.keeps, asked.is_head)),
                    Came::Refused(status) => return (requests, Some(status)),
                }
            }
        }
        (requests, None)
    }

    fn check(text: &str, requests: &[(bool, bool)], refused: Option<u16>) {
        let expected = (requests.to_vec(), refused);
        let bytes = text.as_bytes();
        assert_eq!(read(&[bytes]), expected, "{text:?}");
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(read(&[first, second]), expected, "{text:?}: {cut}");
        }
    }

    #[test]
    fn requests() {
        let get = (true, false);
        check("GET / HTTP/1.1\r\nHost: h\r\n\r\n", &[get], None);
        check("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", &[(true, true)], None);
        check("GET / HTTP/1.0\r\n\r\n", &[(false, false)], None);
        check(
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            &[get],
            None,
        );
        check(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: a, close\r\n\r\n",
            &[(false, false)],
            None,
        );
        check(
            "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\nGET",
            &[get, get],
            None,
        );
        check(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            &[get, get],
            None,
        );
        check(
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            &[get, get],
            None,
        );
    }

    #[test]
    fn what_is_refused() {
        let refused = |text: &str, status: u16| check(text, &[], Some(status));
        refused("CONNECT a:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501);
        refused(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n",
            413,
        );
        refused(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
            400,
        );
        refused(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        );
        refused(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        );
        refused(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
            501,
        );
        refused(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nz",
            400,
        );
        refused("GET / HTTP/1.1\r\n\r\n", 400);
        refused("GET / HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n", 400);
        refused("GET / HTTP/2.0\r\n\r\n", 505);
        let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(200));
        refused(&long, 431);
        let many = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n2\r\nab\r\n0\r\n\r\n";
        refused(many, 413);
    }

    #[test]
    fn who_waits_is_told() {
        let text =
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
        let (taken, came) = Reader::default().take(&site(), text);
        assert_eq!(taken, text.len());
        assert!(matches!(came, Came::More { is_awaited: true }));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(pieces: Vec<Vec<u8>>) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            drop(read(&pieces));
        }
    }
}
