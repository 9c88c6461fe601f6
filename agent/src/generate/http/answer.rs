//! An answer, read as it comes in: where its head and its body end (RFC 9112, section 6.3), and whether the
//! connection can be used again. Pure: bytes in, facts out. Bodies are counted, not kept.
//!
//! Refused: what is no HTTP/1, heads of more than 64 KiB or 100 fields, lengths that are no number or
//! contradict each other, a length beside a transfer coding, a protocol switch nobody asked for, and bytes
//! behind the end of an answer, since nothing was asked that they could answer.

use std::mem::MaybeUninit;

use super::chunks::{Chunks, Malformed};

/// Bytes of a head at most.
const HEAD_MOST: usize = 64 << 10;

/// Fields of a head at most.
const FIELDS_MOST: usize = 100;

/// Interim answers (1xx) before an answer, at most.
const INTERIM_MOST: u8 = 100;

/// An answer that is there to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Its status.
    pub status: u16,
    /// Whether the connection takes another request.
    pub is_kept: bool,
    /// Bytes of its body, without what chunks add.
    pub body: u64,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is not HTTP/1.
    #[error("the answer is no HTTP/1")]
    Garbage,
    /// Its head has no end, or too many fields.
    #[error("the head of the answer is too long")]
    TooLong,
    /// It does not say, or not in one way, where it ends; or there is something behind its end.
    #[error("the framing of the answer is wrong")]
    Framing,
    /// The connection was closed before its end.
    #[error("the connection was closed before the end of the answer")]
    Closed,
}

impl From<Malformed> for Wrong {
    fn from(_malformed: Malformed) -> Self {
        Self::Framing
    }
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug)]
enum Place {
    Head,
    /// So many bytes are to come.
    Length(u64),
    Chunks(Chunks),
    UntilClose,
    Over,
}

/// An answer that is being read.
#[derive(Debug)]
pub struct Answer {
    place: Place,
    /// The answer to HEAD: its head says how long a body would be.
    is_bodiless: bool,
    /// The start of a head whose end is not there yet.
    held: Vec<u8>,
    status: u16,
    is_kept: bool,
    body: u64,
    interim: u8,
    has_begun: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            place: Place::Over,
            is_bodiless: false,
            held: Vec::new(),
            status: 0,
            is_kept: false,
            body: 0,
            interim: 0,
            has_begun: false,
        }
    }
}

impl Answer {
    /// Makes ready for the answer to a request; `to_head`: whose method is HEAD.
    #[inline]
    pub fn begin(&mut self, to_head: bool) {
        self.place = Place::Head;
        self.is_bodiless = to_head;
        self.held.clear();
        self.body = 0;
        self.interim = 0;
        self.has_begun = false;
    }

    /// Whether any byte of it was there.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Takes the next bytes. `None`: there is more to come.
    ///
    /// # Errors
    /// What is wrong with it; nothing more can be read from this connection.
    #[inline]
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Whole>, Wrong> {
        self.has_begun |= !bytes.is_empty();
        let mut rest = bytes;
        loop {
            match &mut self.place {
                Place::Head => match self.head(rest)? {
                    Some(used) => rest = rest.get(used..).unwrap_or_default(),
                    None => return Ok(None),
                },
                Place::Length(left) => {
                    let taken = (*left).min(rest.len() as u64);
                    *left -= taken;
                    self.body += taken;
                    let is_over = *left == 0;
                    rest = rest.get(taken as usize..).unwrap_or_default();
                    if !is_over {
                        return Ok(None);
                    }
                    self.place = Place::Over;
                }
                Place::Chunks(chunks) => {
                    let used = chunks.take(rest)?;
                    rest = rest.get(used..).unwrap_or_default();
                    self.body = chunks.data();
                    if !chunks.is_whole() {
                        return Ok(None);
                    }
                    self.place = Place::Over;
                }
                Place::UntilClose => {
                    self.body += rest.len() as u64;
                    return Ok(None);
                }
                Place::Over if rest.is_empty() => return Ok(Some(self.whole())),
                Place::Over => return Err(Wrong::Framing),
            }
        }
    }

    /// The other side has closed the connection.
    ///
    /// # Errors
    /// It did so before the end.
    pub fn close(&mut self) -> Result<Whole, Wrong> {
        match self.place {
            Place::UntilClose => {
                self.place = Place::Over;
                self.is_kept = false;
                Ok(self.whole())
            }
            // What has come of a head may be enough to see that it is none.
            Place::Head if !self.held.is_empty() => parse(&self.held).and(Err(Wrong::Closed)),
            _ => Err(Wrong::Closed),
        }
    }

    const fn whole(&self) -> Whole {
        Whole {
            status: self.status,
            is_kept: self.is_kept,
            body: self.body,
        }
    }

    /// Bytes of `bytes` that belong to the head, where its end is there.
    #[inline]
    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Wrong> {
        if self.held.is_empty() {
            return match parse(bytes)? {
                Some(head) => self.enter(&head).map(|()| Some(head.length)),
                None => self.hold(bytes).map(|()| None),
            };
        }
        let before = self.held.len();
        self.hold(bytes)?;
        // A head ends with a line: nothing can be new without one.
        if !bytes.contains(&b'\n') && self.held.len() < HEAD_MOST {
            return Ok(None);
        }
        match parse(&self.held)? {
            Some(head) => {
                self.held.clear();
                self.enter(&head)?;
                Ok(Some(head.length.saturating_sub(before)))
            }
            None if self.held.len() >= HEAD_MOST => Err(Wrong::TooLong),
            None => Ok(None),
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        // What is behind a head is in the same bytes, but no more than one piece of them.
        let room = HEAD_MOST.saturating_sub(self.held.len());
        if room == 0 {
            return Err(Wrong::TooLong);
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Goes on behind a head.
    #[inline]
    fn enter(&mut self, head: &Head) -> Result<(), Wrong> {
        match head.status {
            // Nobody asked for another protocol.
            101 => return Err(Wrong::Framing),
            100..=199 => {
                self.interim += 1;
                return match self.interim > INTERIM_MOST {
                    true => Err(Wrong::Framing),
                    false => Ok(()),
                };
            }
            _ => {}
        }
        self.status = head.status;
        self.is_kept = head.is_kept;
        self.place = match head.body {
            _ if self.is_bodiless || matches!(head.status, 204 | 304) => Place::Over,
            Body::Length(0) => Place::Over,
            Body::Length(length) => Place::Length(length),
            Body::Chunked => Place::Chunks(Chunks::default()),
            Body::UntilClose => Place::UntilClose,
        };
        Ok(())
    }
}

/// What a head says.
struct Head {
    length: usize,
    status: u16,
    is_kept: bool,
    body: Body,
}

#[derive(Clone, Copy)]
enum Body {
    Length(u64),
    Chunked,
    UntilClose,
}

/// A head, if its end is there.
#[inline]
fn parse(bytes: &[u8]) -> Result<Option<Head>, Wrong> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MOST];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut fields,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Wrong::TooLong),
        Err(_) => return Err(Wrong::Garbage),
    };
    let status = response.code.filter(|status| *status >= 100);
    let status = status.ok_or(Wrong::Garbage)?;
    let is_1_1 = response.version == Some(1);
    let mut head = Head {
        length,
        status,
        is_kept: is_1_1,
        body: Body::UntilClose,
    };
    let mut has_coding = false;
    let mut has_length = false;
    for field in response.headers.iter() {
        let name = field.name;
        // By length first: few fields have the length of one that matters.
        match name.len() {
            10 if name.eq_ignore_ascii_case("connection") => {
                for word in words(field.value) {
                    if word.eq_ignore_ascii_case(b"close") {
                        head.is_kept = false;
                    } else if word.eq_ignore_ascii_case(b"keep-alive") && !is_1_1 {
                        head.is_kept = true;
                    }
                }
            }
            14 if name.eq_ignore_ascii_case("content-length") => {
                for word in words(field.value) {
                    let length = number(word).ok_or(Wrong::Framing)?;
                    head.body = match head.body {
                        Body::Length(other) if has_length && other != length => {
                            return Err(Wrong::Framing);
                        }
                        Body::Chunked => Body::Chunked,
                        _ => Body::Length(length),
                    };
                    has_length = true;
                }
                // An empty value.
                if !has_length {
                    return Err(Wrong::Framing);
                }
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                has_coding = true;
                let last = words(field.value).last().unwrap_or_default();
                head.body = match last.eq_ignore_ascii_case(b"chunked") {
                    true => Body::Chunked,
                    false => Body::UntilClose,
                };
            }
            _ => {}
        }
    }
    if has_coding && (has_length || !is_1_1) {
        return Err(Wrong::Framing);
    }
    Ok(Some(head))
}

/// The items of a list (RFC 9110, section 5.6.1).
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty())
}

/// What digits say, and nothing but digits; `None` also for a number that no message has (over 18 digits).
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then_some(u64::from(digit & 15))?;
        Some(number * 10 + digit)
    })
}

#[cfg(test)]
mod tests;
