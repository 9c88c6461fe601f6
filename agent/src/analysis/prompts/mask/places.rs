//! Where words, queries, addresses and users stand in a text, and where they end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

/// The length of a word at the begin; 0: it begins with a sign.
pub(super) fn word_length(text: &str, in_query: bool) -> usize {
    let is_sign = |letter: char| {
        letter.is_whitespace()
            || matches!(
                letter,
                '"' | '\''
                    | '`'
                    | ','
                    | ';'
                    | '('
                    | ')'
                    | '<'
                    | '>'
                    | '{'
                    | '}'
                    | '|'
                    | '='
                    | '&'
                    | '?'
                    | '\\'
            )
            || (in_query && letter == '#')
    };
    let length = text.find(is_sign).unwrap_or(text.len());
    // A hash begins a fragment, or a port (`192.0.2.1#80`).
    let fragment = text[..length].find('#').filter(|at| {
        let behind = text[at + 1..].chars().next();
        !behind.is_some_and(|letter| letter.is_ascii_digit())
    });
    let length = fragment.unwrap_or(length);
    // A colon ends a name (`user: alice`), but is part of addresses and times.
    let word = &text[..length];
    match word.find(':') {
        Some(0) => usize::from(length > 1 && word.starts_with("::")) * length,
        Some(at) if is_name(&word[..at]) => at,
        _ => length,
    }
}

/// Whether it can be a name before a colon, rather than a part of an address or a time.
fn is_name(text: &str) -> bool {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let is_hexadecimal = text.chars().all(|letter| letter.is_ascii_hexdigit());
    text.chars().all(is_of_name) && !is_hexadecimal && !matches!(text, "http" | "https")
}

/// Whether a query follows, rather than a sentence.
pub(super) fn is_query(behind: &str) -> bool {
    behind
        .chars()
        .next()
        .is_some_and(|letter| !letter.is_whitespace() && !matches!(letter, '"' | '\''))
}

pub(super) fn ends_query(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | '`' | '{' | '}')
}

/// The length of a value in a query.
pub(super) fn value_length(text: &str) -> usize {
    let ends = |letter: char| ends_query(letter) || matches!(letter, '&' | ';' | '#');
    text.find(ends).unwrap_or(text.len())
}

/// The address that a word is, without brackets, port (`:80`, `#80`) and zone.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_end_matches(['.', ',']);
    if !text.contains(['.', ':']) {
        return None;
    }
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let text = match text.rsplit_once('#') {
        Some((address, port)) if is_number(port) => address,
        _ => text,
    };
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    let text = text.trim_matches(['[', ']']);
    // `address:` before what it says; `::` at the end is part of an address.
    let cut = text
        .strip_suffix(':')
        .filter(|text| !text.ends_with(':'))
        .unwrap_or(text);
    let without_zone = cut.split('%').next().unwrap_or_default();
    let four = cut.parse::<Ipv4Addr>().map(IpAddr::V4);
    four.or_else(|_| without_zone.parse::<Ipv6Addr>().map(IpAddr::V6))
        .ok()
}

/// Where the user stands in a line of the common or combined format: the third word, before the time.
pub(super) fn common_user(line: &str) -> Option<Range<usize>> {
    let (host, rest) = line.split_once(' ')?;
    let (identity, rest) = rest.split_once(' ')?;
    // Names of users may have blanks in them.
    let length = rest.find(" [")?;
    let user = &rest[..length];
    let begin = host.len() + identity.len() + 2;
    let behind = rest.as_bytes().get(length + 2);
    let is_time = behind.is_some_and(u8::is_ascii_digit);
    let is_one = is_time
        && user != "-"
        && !user.is_empty()
        && length <= 256
        && !identity.contains(['"', '[']);
    is_one.then(|| begin..begin + length)
}
