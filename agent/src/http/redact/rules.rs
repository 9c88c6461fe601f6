//! What is a secret in a request target or a reference: user information, and the values of secret
//! keys.
//!
//! Keys stand behind `?`, `&`, `;` and `#`, also where these are percent encoded (an address as the
//! value of a key); `=`, likewise, ends a key. A secret's value goes up to the next `&` or `#` that
//! is encoded no deeper than its `=`, and to the next `;` of which that holds when a key and `=`
//! follow: behind any other, it may be the value that goes on. So `?` and `=` are part of a value.
//! The path is never touched.

use std::ops::Range;

use memchr::{memchr_iter, memchr2, memchr3, memrchr};

use super::edit::Edit;
use super::encoding::unit;
use super::keys::Keys;

/// What a text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A request target (RFC 9112, section 3.2): one that begins with `/` has no authority.
    Target,
    /// The value of `Referer`: an absolute or a relative reference (RFC 3986, section 4).
    Reference,
    /// The value of `Host`: an authority alone.
    Authority,
    /// The value of any field: it may hold addresses somewhere.
    Any,
}

/// What is redacted.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) keys: Keys,
    /// The whole query, and fragment, are left out.
    pub(super) drop_query: bool,
}

impl Rules {
    /// Whether there may be something to redact in a text that is whole: only then is it looked at.
    #[inline]
    pub(super) fn concern(text: &[u8]) -> bool {
        memchr3(b'?', b'@', b'#', text).is_some()
    }

    /// Redacts a part of the text. `cut`: the end of the part is missing, so that what looks like a
    /// host may be the beginning of user information.
    pub(super) fn apply(&self, edit: &mut Edit<'_, '_>, part: Range<usize>, form: Form, cut: bool) {
        let text = &edit.text[part.clone()];
        let query = memchr2(b'?', b'#', text).map_or(part.end, |at| part.start + at);
        let hierarchy = part.start..query;
        let cut = cut && query == part.end;
        match form {
            Form::Any => addresses(edit, hierarchy, cut),
            Form::Authority => user_information(edit, hierarchy, false),
            Form::Target | Form::Reference => {
                if let Some(authority) = authority(edit.text, hierarchy.clone(), form) {
                    let cut = cut && authority.end == hierarchy.end;
                    user_information(edit, authority, cut);
                }
            }
        }
        if self.drop_query {
            edit.remove(query..part.end);
        } else if query < part.end {
            self.query(edit, query + 1..part.end);
        }
    }

    /// Redacts the values of secret keys. `part` begins with a key.
    fn query(&self, edit: &mut Edit<'_, '_>, part: Range<usize>) {
        // What lies behind the part does not count.
        let text = &edit.text[..part.end];
        let mut at = part.start;
        // Where the key begins, while its `=` is still to come.
        let mut key = Some(at);
        while let Some(sign) = next_sign(text, &mut at) {
            if sign.mark != Mark::Equals {
                key = Some(at);
            } else if let Some(begin) = key.take()
                && self.keys.is_secret(&text[begin..sign.begin])
            {
                let end = value_end(text, at, sign.level);
                edit.redact(at..end);
                at = end;
            }
        }
    }
}

/// What divides a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mark {
    Equals,
    Ampersand,
    Semicolon,
    Question,
    Hash,
}

/// A mark, where it stands, and how often it was encoded.
#[derive(Clone, Copy, Debug)]
struct Sign {
    mark: Mark,
    begin: usize,
    level: usize,
}

/// The bytes that may be a sign, or begin one.
const SIGNS: [bool; 256] = {
    let mut signs = [false; 256];
    let mut index = 0;
    while index < 6 {
        signs[b"=&;?#%"[index] as usize] = true;
        index += 1;
    }
    signs
};

/// The next sign from `at`, which then is behind it.
#[inline]
fn next_sign(text: &[u8], at: &mut usize) -> Option<Sign> {
    while let Some(&byte) = text.get(*at) {
        if !SIGNS[usize::from(byte)] {
            *at += 1;
            continue;
        }
        let begin = *at;
        let (byte, level, width) = if byte == b'%' {
            let unit = unit(text, begin);
            (unit.byte, unit.level, unit.width)
        } else {
            (byte, 0, 1)
        };
        *at += width;
        let mark = match byte {
            b'=' => Mark::Equals,
            b'&' => Mark::Ampersand,
            b';' => Mark::Semicolon,
            b'?' => Mark::Question,
            b'#' => Mark::Hash,
            _ => continue,
        };
        return Some(Sign { mark, begin, level });
    }
    None
}

/// Where the value ends whose `=` was encoded `level` times.
fn value_end(text: &[u8], begin: usize, level: usize) -> usize {
    let mut at = begin;
    // The last `;` that may be the end.
    let mut semicolon = None;
    while let Some(sign) = next_sign(text, &mut at) {
        if sign.level > level {
            continue;
        }
        match sign.mark {
            Mark::Ampersand | Mark::Hash => return sign.begin,
            Mark::Semicolon => semicolon = Some(sign.begin),
            Mark::Equals => {
                if let Some(end) = semicolon {
                    return end;
                }
            }
            Mark::Question => {}
        }
    }
    text.len()
}

/// Where the authority stands (RFC 3986, section 3.2): behind `scheme://`, or at the beginning of what
/// is no path.
fn authority(text: &[u8], part: Range<usize>, form: Form) -> Option<Range<usize>> {
    let text = &text[part.clone()];
    let begin = match text {
        [b'/', b'/', ..] if form == Form::Reference => 2,
        [b'/' | b'*', ..] | [] => return None,
        _ => {
            let scheme = text
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                .count();
            let is_absolute = text[scheme..].starts_with(b"://");
            if is_absolute { scheme + 3 } else { 0 }
        }
    };
    let length = memchr::memchr(b'/', &text[begin..]).unwrap_or(text.len() - begin);
    let begin = part.start + begin;
    Some(begin..begin + length)
}

/// Redacts the user information of an authority.
fn user_information(edit: &mut Edit<'_, '_>, authority: Range<usize>, cut: bool) {
    if cut {
        edit.redact(authority);
    } else if let Some(at) = memrchr(b'@', &edit.text[authority.clone()]) {
        edit.redact(authority.start..authority.start + at);
    }
}

/// Redacts the user information of every address in the part: what stands between `//` and what no
/// authority holds.
fn addresses(edit: &mut Edit<'_, '_>, part: Range<usize>, cut: bool) {
    let text = &edit.text[..part.end];
    let mut done = part.start;
    for slash in memchr_iter(b'/', &edit.text[part.clone()]).map(|at| part.start + at) {
        if slash < done || text.get(slash + 1) != Some(&b'/') {
            continue;
        }
        let begin = slash + 2;
        let length = text[begin..]
            .iter()
            .position(|byte| b"/<>\"', \t\r\n".contains(byte))
            .unwrap_or(part.end - begin);
        done = begin + length;
        user_information(edit, begin..done, cut && done == part.end);
    }
}
