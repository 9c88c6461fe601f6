//! Secrets are taken out of heads before anything else sees them: user information
//! (`user:password@`), the values of secret query keys ([`keys`]), and header fields that carry
//! credentials, where a user asked for them. `REDACTED` stands in their place.
//!
//! The texts of a head are borrowed on when there is nothing to redact, which costs some
//! nanoseconds; otherwise they are written to one buffer, whose memory is used again. Redacting what
//! was redacted changes nothing.

mod edit;
mod encoding;
mod keys;
mod rules;

use std::ops::Range;

use memchr::memchr;

use self::edit::Edit;
use self::keys::Keys;
use self::rules::{Form, Rules};
use super::head::{Fields, StartLine};

/// What a user can choose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedactSettings {
    /// Whether anything is redacted at all.
    pub enabled: bool,
    /// Names of keys whose values are secrets, beside the built-in ones. Case, `-` and `_` are of no
    /// meaning; no more than 64 bytes each.
    pub keys: Vec<String>,
    /// What happens to what is no secret of a query.
    pub query: Query,
}

/// What happens to queries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Query {
    /// They stay, with the values of secret keys redacted.
    Keep,
    /// They are left out, from the `?` on.
    Drop,
}

impl Default for RedactSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            keys: Vec::new(),
            query: Query::Keep,
        }
    }
}

/// The texts of a head in which secrets may stand. Bytes are from the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Texts<'a> {
    /// The start line without its line end.
    pub line: &'a [u8],
    /// The start line, taken apart.
    pub start: StartLine<'a>,
    /// The fields that lines are made of.
    pub fields: Fields<'a>,
    /// The field lines.
    pub raw_fields: &'a [u8],
    /// The head is not whole: its last text may be cut.
    pub partial: bool,
}

/// Takes the secrets out of heads, one after the other.
#[derive(Debug)]
pub struct Redactor {
    /// None: nothing is redacted.
    rules: Option<Rules>,
    asked: Vec<Asked>,
    /// A bit for each length of a name that is asked for, modulo 64: most lines are passed over by it.
    lengths: u64,
    buffer: Vec<u8>,
}

/// A header field that is read from the raw fields.
#[derive(Debug)]
struct Asked {
    name: Box<[u8]>,
    is_secret: bool,
}

impl Redactor {
    /// `asked` are the names of the fields that are read from the raw fields (`log.headers`): others are
    /// left in them as they are.
    #[must_use]
    pub fn new(settings: &RedactSettings, asked: &[String]) -> Self {
        let rules = settings.enabled.then(|| Rules {
            keys: Keys::new(&settings.keys),
            drop_query: settings.query == Query::Drop,
        });
        let lengths = asked
            .iter()
            .fold(0, |bits, name| bits | length_bit(name.len()));
        let asked = rules.iter().flat_map(|rules| {
            asked.iter().map(|name| Asked {
                name: name.as_bytes().into(),
                is_secret: rules.keys.is_secret_field(name),
            })
        });
        Self {
            asked: asked.collect(),
            rules,
            lengths,
            buffer: Vec::new(),
        }
    }

    /// The same texts without secrets.
    #[inline]
    #[must_use]
    pub fn texts<'a>(&'a mut self, texts: Texts<'a>) -> Texts<'a> {
        let Some(rules) = &self.rules else {
            return texts;
        };
        let needs_work = |text: Option<&[u8]>| text.is_some_and(Rules::concern);
        let target = match texts.start {
            StartLine::Request { target, .. } => Some(target),
            StartLine::Response { .. } => None,
        };
        let host_is_clean = texts
            .fields
            .host
            .is_none_or(|host| memchr(b'@', host).is_none());
        let fields_are_clean = !texts.partial && !self.concerns_fields(texts.raw_fields);
        let is_clean = !texts.partial
            && fields_are_clean
            && host_is_clean
            && !needs_work(target)
            && !needs_work(texts.fields.referer);
        if is_clean {
            return texts;
        }
        let asked = match fields_are_clean {
            true => &[],
            false => &self.asked[..],
        };
        self.buffer.clear();
        redact(rules, asked, self.lengths, texts, &mut self.buffer)
    }

    /// Whether there may be something to redact in the fields that are read.
    fn concerns_fields(&self, raw: &[u8]) -> bool {
        !self.asked.is_empty()
            && (self.asked.iter().any(|asked| asked.is_secret) || Rules::concern(raw))
    }
}

fn redact<'a>(
    rules: &Rules,
    asked: &[Asked],
    lengths: u64,
    texts: Texts<'a>,
    buffer: &'a mut Vec<u8>,
) -> Texts<'a> {
    let line = redact_line(rules, &texts, buffer);
    let mut field = |value: Option<&[u8]>, form| {
        let value = value?;
        let cut = texts.partial && value.as_ptr_range().end == texts.raw_fields.as_ptr_range().end;
        let mut edit = Edit::new(value, buffer);
        rules.apply(&mut edit, 0..value.len(), form, cut);
        edit.finish()
    };
    let host = field(texts.fields.host, Form::Authority);
    let referer = field(texts.fields.referer, Form::Reference);
    let raw_fields = redact_fields(rules, asked, lengths, &texts, buffer);
    // Nothing is appended any more.
    let buffer = &buffer[..];
    let mut redacted = texts;
    if let (Some(line), StartLine::Request { method, .. }) = (line, texts.start) {
        redacted.line = &buffer[line.line];
        let target = &buffer[line.target];
        redacted.start = StartLine::Request { method, target };
    }
    if let Some(host) = host {
        redacted.fields.host = Some(&buffer[host]);
    }
    if let Some(referer) = referer {
        redacted.fields.referer = Some(&buffer[referer]);
    }
    if let Some(raw_fields) = raw_fields {
        redacted.raw_fields = &buffer[raw_fields];
    }
    redacted
}

/// Where a redacted request line stands in the buffer.
struct Line {
    line: Range<usize>,
    target: Range<usize>,
}

fn redact_line(rules: &Rules, texts: &Texts<'_>, buffer: &mut Vec<u8>) -> Option<Line> {
    let StartLine::Request { method, target } = texts.start else {
        return None;
    };
    let begin = buffer.len();
    let Some(place) = target_place(texts.line, method, target) else {
        // A line that is not made of its parts: they count.
        let mut edit = Edit::new(target, buffer);
        rules.apply(&mut edit, 0..target.len(), Form::Target, false);
        let target = edit.finish()?;
        buffer.extend_from_slice(method);
        buffer.push(b' ');
        buffer.extend_from_within(target.clone());
        let line = target.end..buffer.len();
        return Some(Line { line, target });
    };
    let behind = texts.line.len() - place.end;
    let cut = texts.partial && behind == 0;
    let ahead = place.start;
    let mut edit = Edit::new(texts.line, buffer);
    rules.apply(&mut edit, place, Form::Target, cut);
    let line = edit.finish()?;
    let target = begin + ahead..line.end - behind;
    Some(Line { line, target })
}

/// Where the target stands in the line.
fn target_place(line: &[u8], method: &[u8], target: &[u8]) -> Option<Range<usize>> {
    let rest = line.strip_prefix(method)?;
    let blank = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c))
        .count();
    let begin = method.len() + blank;
    rest[blank..]
        .starts_with(target)
        .then(|| begin..begin + target.len())
}

/// Redacts the values of the fields that are asked for.
fn redact_fields(
    rules: &Rules,
    asked: &[Asked],
    lengths: u64,
    texts: &Texts<'_>,
    buffer: &mut Vec<u8>,
) -> Option<Range<usize>> {
    if asked.is_empty() {
        return None;
    }
    let raw = texts.raw_fields;
    let mut edit = Edit::new(raw, buffer);
    let mut at = 0;
    while at < raw.len() {
        let line_end = next_line(raw, at);
        let name = memchr(b':', &raw[at..line_end]).map(|colon| at..at + colon);
        // Lines that begin with white space go on the one before (RFC 9112, section 5.2).
        let mut end = line_end;
        while matches!(raw.get(end), Some(b' ' | b'\t')) {
            end = next_line(raw, end);
        }
        let found = name.as_ref().and_then(|name| {
            let name = raw[name.clone()].trim_ascii_end();
            let may_be = lengths & length_bit(name.len()) != 0;
            asked
                .iter()
                .find(|asked| may_be && asked.name.eq_ignore_ascii_case(name))
        });
        if let (Some(name), Some(found)) = (name, found) {
            let value = trimmed(raw, name.end + 1..end);
            if found.is_secret {
                edit.redact(value);
            } else {
                let cut = texts.partial && end == raw.len() && value.end == end;
                rules.apply(&mut edit, value, Form::Any, cut);
            }
        }
        at = end;
    }
    edit.finish()
}

fn length_bit(length: usize) -> u64 {
    1 << (length % 64)
}

/// Where the line behind the one at `at` begins.
fn next_line(text: &[u8], at: usize) -> usize {
    memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length + 1)
}

/// The part without white space and line ends around it.
fn trimmed(text: &[u8], part: Range<usize>) -> Range<usize> {
    let value = text[part.clone()].trim_ascii_start();
    let begin = part.end - value.len();
    begin..begin + value.trim_ascii_end().len()
}

#[cfg(test)]
mod tests;
