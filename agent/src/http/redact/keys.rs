//! The names of query keys whose values are secrets, and how a name on the wire is told to be one.
//!
//! Upper and lower case are one; `-`, `_`, `+`, spaces and control characters do not count, so that
//! `access_token`, `Access-Token` and `accessToken` are one name; percent encoding is undone, also
//! where it was done several times. A name with brackets or dots is secret when one of its parts is:
//! `token[]`, `token[0]`, `user[password]`, `user.password`.

use super::encoding::unit;

/// What OpenTelemetry redacts by default (`url.query`), and the names that Beyla adds.
const BUILT_IN: [&str; 43] = [
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Goog-Signature",
    "SAMLResponse",
    "access_token",
    "api_key",
    "apikey",
    "assertion",
    "card",
    "cc",
    "client_secret",
    "cvv",
    "id_token",
    "invite_token",
    "jwt",
    "mfa_code",
    "otp",
    "pan",
    "pass",
    "password",
    "pwd",
    "refresh_token",
    "reset_token",
    "secret",
    "session",
    "sid",
    "signature",
    "ssn",
    "tax_id",
    "token",
    "totp",
    "verification_code",
    "verify_token",
    // What the same secrets are called elsewhere.
    "passwd",
    "passphrase",
    "auth_token",
    "session_id",
    "private_key",
    "X-Goog-Credential",
];

/// Header fields that carry credentials, beside those that are named like a secret key.
const CREDENTIALS: [&str; 6] = [
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Auth-Token",
    "X-CSRF-Token",
];

/// The longest name, as it is compared.
const LONGEST: usize = 64;

/// A set of names.
#[derive(Debug)]
pub(super) struct Keys {
    /// As they are compared, the shorter ones first.
    names: Vec<Box<[u8]>>,
    /// By length: a bit for each first byte, and where the names of that length begin.
    by_length: [(u64, usize); LONGEST + 2],
}

impl Keys {
    /// The built-in names and `added`. Names that say nothing or are too long are passed over.
    pub(super) fn new(added: &[String]) -> Self {
        let all = BUILT_IN.into_iter().chain(added.iter().map(String::as_str));
        let mut names: Vec<Box<[u8]>> = Vec::new();
        for name in all {
            let mut part = Part::new();
            name.bytes().for_each(|byte| part.push(byte));
            if (1..=LONGEST).contains(&part.length) {
                names.push(part.name().into());
            }
        }
        names.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
        names.dedup();
        let by_length = std::array::from_fn(|length| {
            let begin = names.partition_point(|name| name.len() < length);
            let same = names[begin..]
                .iter()
                .take_while(|name| name.len() == length);
            (same.fold(0, |bits, name| bits | first_bit(name[0])), begin)
        });
        Self { names, by_length }
    }

    /// Whether the value of this key, as it stands on the wire, is a secret.
    #[inline]
    pub(super) fn is_secret(&self, key: &[u8]) -> bool {
        let mut part = Part::new();
        let mut at = 0;
        while let Some(&byte) = key.get(at) {
            let (byte, width) = match byte {
                b'%' => {
                    let unit = unit(key, at);
                    (unit.byte, unit.width)
                }
                _ => (byte, 1),
            };
            at += width;
            if matches!(byte, b'[' | b']' | b'.') {
                if self.has(part.name()) {
                    return true;
                }
                part.length = 0;
            } else {
                part.push(byte);
            }
        }
        self.has(part.name())
    }

    /// Whether a header field of this name carries a secret.
    pub(super) fn is_secret_field(&self, name: &str) -> bool {
        let bytes = name.as_bytes();
        let behind_x = match bytes {
            [b'x' | b'X', b'-', rest @ ..] => rest,
            _ => bytes,
        };
        CREDENTIALS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
            || self.is_secret(bytes)
            || self.is_secret(behind_x)
    }

    #[inline]
    fn has(&self, name: &[u8]) -> bool {
        let Some(&first) = name.first() else {
            return false;
        };
        let Some(&(firsts, begin)) = self.by_length.get(name.len()) else {
            return false;
        };
        firsts & first_bit(first) != 0
            && self.names[begin..]
                .iter()
                .take_while(|known| known.len() == name.len())
                .any(|known| **known == *name)
    }
}

/// Bytes that differ may share a bit: it only rules out.
#[inline]
fn first_bit(byte: u8) -> u64 {
    1 << (byte & 63)
}

/// A part of a name, as it is compared.
struct Part {
    bytes: [u8; LONGEST + 1],
    length: usize,
}

impl Part {
    #[inline]
    fn new() -> Self {
        Self {
            bytes: [0; LONGEST + 1],
            length: 0,
        }
    }

    /// What is too long has no place and is no name that is known.
    #[inline]
    fn push(&mut self, byte: u8) {
        let counts = byte > b' ' && !matches!(byte, b'-' | b'_' | b'+');
        if counts && let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
            self.length += 1;
        }
    }

    #[inline]
    fn name(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        let keys = Keys::new(&["my.own".to_owned(), "Ticket".to_owned(), "-_".to_owned()]);
        for name in BUILT_IN {
            assert!(keys.is_secret(name.as_bytes()), "{name}");
            assert!(keys.is_secret(name.to_uppercase().as_bytes()), "{name}");
        }
        for name in [
            "%74oken",
            "%74%6F%6b%65%6e",
            "%2574oken",
            "%25252574oken",
            "token[]",
            "token[0]",
            "token%5B%5D",
            "user[password]",
            "user.password",
            "accessToken",
            "Access-Token",
            "x-amz_signature",
            "%20token",
            "+token",
            "\0pwd",
            "ticket",
            "TICKET[a][b]",
        ] {
            assert!(keys.is_secret(name.as_bytes()), "{name}");
        }
        for name in [
            "", "a", "tokens", "toke", "xtoken", "page", "%", "%7", "%zz", "[", "[]", "-", "i",
            "%74oke", "passage", "%25", "%2525",
        ] {
            assert!(!keys.is_secret(name.as_bytes()), "{name}");
        }
        let long = "token".repeat(100);
        assert!(!keys.is_secret(long.as_bytes()));
        assert!(!keys.is_secret(&[b'a'; 64]) && !keys.is_secret(&[b'a'; 65]));
    }

    #[test]
    fn fields_of_secrets() {
        let keys = Keys::new(&[]);
        for name in [
            "authorization",
            "PROXY-AUTHORIZATION",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "ApiKey",
            "X-Auth-Token",
            "X-Amz-Security-Token",
        ] {
            assert!(keys.is_secret_field(name), "{name}");
        }
        for name in ["X-Request-Id", "Forwarded", "Referer", "Host", "X-", ""] {
            assert!(!keys.is_secret_field(name), "{name}");
        }
    }
}
