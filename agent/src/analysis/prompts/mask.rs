//! What a log tells of persons, taken out of a text before it is given away.
//!
//! | found | becomes |
//! |---|---|
//! | IPv4 and IPv6 addresses, with or without a port | `address-1`, the same one each time |
//! | the user of a line of the common and combined formats; values of `user`, `user_id`, `login` … in JSON, queries and sentences (`user alice`) | `user-1`, the same one each time |
//! | e-mail addresses, also with `%40` | `e-mail` |
//! | the query and the fragment of a target: names stay, values go | `?page=…` |
//! | values of names that are secret (`password`, `token`, `cookie`, `authorization` …), and what stands behind `Bearer` and `Basic` | `secret` |
//! | words of 20 characters and more that look drawn at random (tokens, hashes, UUIDs) | `token` |
//!
//! Names of persons in paths (`/users/alice`) and in free text are not told apart from other words and
//! stay. Words are found without regular expressions, in one pass.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::analysis::insight::Part;

/// Names that are remembered; later ones have no number.
const MOST: usize = 10_000;

/// The least length of a word that may be a token.
const TOKEN: usize = 20;

/// Names whose values are users.
const USERS: [&str; 14] = [
    "user",
    "userid",
    "username",
    "uid",
    "login",
    "account",
    "accountid",
    "remoteuser",
    "customer",
    "customerid",
    "clientid",
    "owner",
    "author",
    "sub",
];

/// Names whose values are secrets.
const SECRETS: [&str; 24] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "apikey",
    "key",
    "auth",
    "authorization",
    "cookie",
    "setcookie",
    "session",
    "sessionid",
    "sid",
    "signature",
    "sig",
    "otp",
];

/// Takes out what tells of persons; the same address and the same user have the same name each time.
#[derive(Debug)]
pub struct Mask {
    off: bool,
    addresses: HashMap<IpAddr, usize>,
    users: HashMap<String, usize>,
}

impl Mask {
    /// `off`: texts stay as they are.
    #[must_use]
    pub fn new(off: bool) -> Self {
        Self {
            off,
            addresses: HashMap::new(),
            users: HashMap::new(),
        }
    }

    /// A client: an address, or the name that the log has.
    pub fn client(&mut self, text: &str) -> String {
        match self.off {
            true => text.to_owned(),
            false => self.address(text).unwrap_or_else(|| match text {
                "-" | "" => text.to_owned(),
                _ => self.user(text),
            }),
        }
    }

    /// A text of the log within an insight.
    pub fn part(&mut self, part: Part<'_>) -> String {
        match part {
            Part::Client(client) => self.client(client),
            Part::Name(name) => self.text(name),
        }
    }

    /// A line of a log, of any format.
    pub fn line(&mut self, text: &str) -> String {
        if self.off {
            return text.to_owned();
        }
        match common_user(text) {
            Some(user) => {
                let (before, name, behind) =
                    (&text[..user.start], &text[user.clone()], &text[user.end..]);
                let mut masked = self.text(before);
                masked.push_str(&self.user(name));
                masked.push_str(&self.text(behind));
                masked
            }
            None => self.text(text),
        }
    }

    /// Any other text: a target, a message.
    pub fn text(&mut self, text: &str) -> String {
        if self.off {
            return text.to_owned();
        }
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        // The name that stood before, as `name=`, `"name":` or `name `.
        let mut name = Name::None;
        // Within a query values go.
        let mut in_query = false;
        while let Some(first) = rest.chars().next() {
            let word = word_length(rest, in_query);
            if word == 0 {
                let behind = &rest[first.len_utf8()..];
                match first {
                    '?' | '#' if is_query(behind) => {
                        masked.push(first);
                        in_query = true;
                        name = Name::None;
                    }
                    '&' | ';' if in_query => {
                        masked.push(first);
                        name = Name::None;
                    }
                    '=' if in_query => {
                        masked.push('=');
                        let length = value_length(behind);
                        if length > 0 {
                            masked.push('…');
                        }
                        rest = &behind[length..];
                        continue;
                    }
                    _ => {
                        if in_query && ends_query(first) {
                            in_query = false;
                        }
                        name = name.behind(first);
                        masked.push(first);
                    }
                }
                rest = behind;
                continue;
            }
            let (found, behind) = rest.split_at(word);
            match (&name, in_query) {
                // A query without names is a value.
                (_, true) if !behind.starts_with('=') => masked.push('…'),
                (_, true) => masked.push_str(found),
                (Name::Of(Sort::Secret), _) => masked.push_str("secret"),
                (Name::Of(Sort::User), _) if !is_plain_value(found) => {
                    masked.push_str(&self.address(found).unwrap_or_else(|| self.user(found)));
                }
                _ => masked.push_str(&self.word(found)),
            }
            name = match in_query {
                true => Name::None,
                false => Name::before(found, &name),
            };
            rest = behind;
        }
        masked
    }

    /// A word on its own.
    fn word(&mut self, word: &str) -> String {
        if let Some(masked) = self.address(word) {
            return masked;
        }
        if is_mail(word) {
            return "e-mail".to_owned();
        }
        // Paths and the like: each part.
        let is_part = |letter: char| !matches!(letter, '/' | '.' | ':' | '@' | '%' | '+' | '~');
        let mut masked = String::with_capacity(word.len());
        let mut rest = word;
        while !rest.is_empty() {
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let (part, behind) = rest.split_at(length);
            match (self.address(part), is_token(part)) {
                (Some(address), _) => masked.push_str(&address),
                (None, true) => masked.push_str("token"),
                (None, false) => masked.push_str(part),
            }
            // Addresses have dots and colons in them.
            let sign = behind.chars().next();
            masked.extend(sign);
            rest = &behind[sign.map_or(0, char::len_utf8)..];
            if let Some((length, address)) = self.leading_address(rest) {
                masked.push_str(&address);
                rest = &rest[length..];
            }
        }
        masked
    }

    /// An address at the begin of a text, and its length.
    fn leading_address(&mut self, text: &str) -> Option<(usize, String)> {
        let is_of_address =
            |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '.' | ':');
        let length = text
            .find(|letter| !is_of_address(letter))
            .unwrap_or(text.len());
        let found = self.address(&text[..length])?;
        Some((length, found))
    }

    /// The name of an address; `None`: it is none.
    fn address(&mut self, text: &str) -> Option<String> {
        let address = address(text)?;
        let count = self.addresses.len();
        Some(match self.addresses.get(&address) {
            Some(number) => format!("address-{number}"),
            None if count >= MOST => "address".to_owned(),
            None => {
                self.addresses.insert(address, count + 1);
                format!("address-{}", count + 1)
            }
        })
    }

    /// The name of a user.
    fn user(&mut self, text: &str) -> String {
        let count = self.users.len();
        match self.users.get(text) {
            Some(number) => format!("user-{number}"),
            None if count >= MOST => "user".to_owned(),
            None => {
                self.users.insert(text.to_owned(), count + 1);
                format!("user-{}", count + 1)
            }
        }
    }
}

/// The address that a word is, without brackets, port (`:80`, `#80`) and zone.
fn address(text: &str) -> Option<IpAddr> {
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

/// What the name before a value says of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Name {
    /// Nothing.
    None,
    /// A name, and it is not sure yet that a value follows.
    Candidate(Sort),
    /// A value follows.
    Of(Sort),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sort {
    User,
    Secret,
}

impl Name {
    /// A word may be the name of what follows.
    fn before(word: &str, before: &Self) -> Self {
        let mut name: String = word
            .chars()
            .filter(|letter| !matches!(letter, '_' | '-' | '.'))
            .collect();
        name.make_ascii_lowercase();
        if matches!(name.as_str(), "bearer" | "basic") {
            return Self::Of(Sort::Secret);
        }
        if USERS.contains(&name.as_str()) {
            return Self::Candidate(Sort::User);
        }
        let is_secret = SECRETS.contains(&name.as_str())
            || name.ends_with("token")
            || name.ends_with("password")
            || name.ends_with("secret")
            || name.ends_with("apikey");
        match (is_secret, before) {
            (true, _) => Self::Candidate(Sort::Secret),
            // A user's name follows `user`, not `user for`.
            (false, _) => Self::None,
        }
    }

    /// What a sign behind the name makes of it.
    fn behind(self, sign: char) -> Self {
        match (self, sign) {
            (Self::Candidate(sort), '=' | ':') => Self::Of(sort),
            // `user alice` is one, `token expired` is not.
            (Self::Candidate(Sort::User), ' ') => Self::Of(Sort::User),
            (Self::Candidate(_), '"' | '\'') => self,
            (Self::Of(_), ' ' | '"' | '\'' | '=' | ':') => self,
            _ => Self::None,
        }
    }
}

/// The length of a word at the begin; 0: it begins with a sign.
fn word_length(text: &str, in_query: bool) -> usize {
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
fn is_query(behind: &str) -> bool {
    behind
        .chars()
        .next()
        .is_some_and(|letter| !letter.is_whitespace() && !matches!(letter, '"' | '\''))
}

fn ends_query(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | '`' | '{' | '}')
}

/// The length of a value in a query.
fn value_length(text: &str) -> usize {
    let ends = |letter: char| ends_query(letter) || matches!(letter, '&' | ';' | '#');
    text.find(ends).unwrap_or(text.len())
}

/// Words that stand where a user would, and are none.
fn is_plain_value(word: &str) -> bool {
    matches!(
        word,
        "-" | "null"
            | "none"
            | "true"
            | "false"
            | "for"
            | "is"
            | "not"
            | "was"
            | "has"
            | "agent"
            | "in"
            | "from"
            | "logged"
    )
}

fn is_mail(word: &str) -> bool {
    let halves = word.split_once('@').or_else(|| word.split_once("%40"));
    let ok = |part: &str| !part.is_empty() && !part.contains(['/', ':']);
    halves.is_some_and(|(name, domain)| ok(name) && ok(domain) && domain.contains('.'))
}

/// Whether it looks drawn at random: long, of letters and digits, and of both.
fn is_token(word: &str) -> bool {
    let is_of_token =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '=' | '+');
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    word.len() >= TOKEN && word.chars().all(is_of_token) && digits >= 4 && letters >= 4
}

/// Where the user stands in a line of the common or combined format: the third word, before the time.
fn common_user(line: &str) -> Option<std::ops::Range<usize>> {
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

#[cfg(test)]
mod tests;
