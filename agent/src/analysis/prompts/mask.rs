//! What a log tells of persons, taken out of a text before it is given away.
//!
//! | found | becomes |
//! |---|---|
//! | IPv4 and IPv6 addresses, with or without a port | `address-1`, the same one each time |
//! | the user of a line of the common and combined formats; values of `user`, `user_id`, `login` … in JSON, queries and sentences (`user alice`) | `user-1`, the same one each time |
//! | that user wherever else he stands as a word: `/home/alice/` | `user-1` |
//! | e-mail addresses, also with `%40` and as a part of a path | `e-mail` |
//! | user and password of an URL (`https://bob:secret@host`) | `secret` |
//! | runs of nine and more digits in a path or with dashes, numbers of cards | `number` |
//! | the query and the fragment of a target: names stay, values go | `?page=…` |
//! | values of names that are secret (`password`, `token`, `cookie`, `authorization` …), and what stands behind `Bearer` and `Basic` | `secret` |
//! | words that look drawn at random (tokens, hashes, UUIDs), keys of known shapes, JSON Web Tokens | `token` |
//!
//! Names of persons that nothing names as users, in paths (`/users/alice`) and in free text, are not told
//! apart from other words and stay. Words are found without regular expressions, in one pass.

mod names;
mod places;
mod shapes;

use std::collections::HashMap;
use std::net::IpAddr;

use crate::analysis::insight::Part;
use names::{Name, Sort, is_plain_value};
use places::{address, common_user, ends_query, is_query, value_length, word_length};
use shapes::{card_length, is_mail, is_number, is_token, is_web_token};

/// Names that are remembered; later ones have no number.
const MOST: usize = 10_000;

/// Names of users that are words of paths too.
const COMMON: [&str; 9] = [
    "admin",
    "anonymous",
    "api",
    "guest",
    "login",
    "root",
    "test",
    "user",
    "users",
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

    /// Learns the users that a line names, so that they are known in those before it too.
    pub fn learn(&mut self, line: &str) {
        drop(self.line(line));
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
            let is_within = masked.ends_with(|letter: char| letter.is_ascii_digit());
            if let Some(length) = card_length(rest).filter(|_| !is_within) {
                masked.push_str("number");
                rest = &rest[length..];
                name = Name::None;
                continue;
            }
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

    /// A word on its own: a path, a URL, or neither.
    fn word(&mut self, word: &str) -> String {
        if let Some(masked) = self.address(word) {
            return masked;
        }
        // `scheme://user:password@host`
        let authority = word.find("//").map_or(word.len(), |at| at + 2);
        let end = word[authority..]
            .find('/')
            .map_or(word.len(), |at| authority + at);
        if let Some(at) = word[authority..end].rfind('@') {
            let (before, behind) = (&word[..authority], &word[authority + at..]);
            return format!("{before}secret{}", self.pieces(behind, true));
        }
        self.pieces(word, word.contains('/'))
    }

    /// The pieces of a path.
    fn pieces(&mut self, text: &str, is_path: bool) -> String {
        let mut masked = String::with_capacity(text.len());
        for (place, piece) in text.split('/').enumerate() {
            if place > 0 {
                masked.push('/');
            }
            if is_mail(piece) {
                masked.push_str("e-mail");
            } else if is_web_token(piece) {
                masked.push_str("token");
            } else {
                masked.push_str(&self.piece(piece, is_path));
            }
        }
        masked
    }

    /// A piece of a path: each part of it.
    fn piece(&mut self, piece: &str, is_path: bool) -> String {
        let is_part = |letter: char| !matches!(letter, '.' | ':' | '@' | '%' | '+' | '~');
        let mut masked = String::with_capacity(piece.len());
        let mut rest = piece;
        if let Some((length, address)) = self.leading_address(rest) {
            masked.push_str(&address);
            rest = &rest[length..];
        }
        while !rest.is_empty() {
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let (part, behind) = rest.split_at(length);
            match self.address(part) {
                Some(address) => masked.push_str(&address),
                None if is_token(part) => masked.push_str("token"),
                None if is_number(part, is_path) => masked.push_str("number"),
                None if self.is_known_user(part) => masked.push_str(&self.user(part)),
                None => masked.push_str(part),
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

    fn is_known_user(&self, word: &str) -> bool {
        word.len() >= 3
            && self.users.contains_key(word)
            && word.contains(|letter: char| letter.is_alphabetic())
            && !COMMON
                .iter()
                .any(|common| word.eq_ignore_ascii_case(common))
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

#[cfg(test)]
mod tests;
