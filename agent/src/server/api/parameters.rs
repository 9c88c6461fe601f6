//! The parameters of a query: `name=value&…`, percent-encoded. An unknown name, a name given twice and
//! a bad value are refused; an empty value counts as none. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::record::time;
use super::refusal::{Input, Place, Refusal, Wrong};

/// Characters of a wrong value that are given back at most.
const INPUT_MOST: usize = 100;

/// The parameters of a request. Each is taken out; what is left over is unknown.
#[derive(Debug)]
pub(crate) struct Parameters {
    known: &'static [&'static str],
    given: Vec<(String, String)>,
    wrong: Vec<Wrong>,
}

impl Parameters {
    /// Splits a query, which is what follows `?`, of a resource that knows these names.
    pub(crate) fn new(query: Option<&str>, known: &'static [&'static str]) -> Self {
        let mut parameters = Self {
            known,
            given: Vec::new(),
            wrong: Vec::new(),
        };
        for part in query.unwrap_or_default().split('&') {
            if part.is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                parameters.refuse(
                    "encoding",
                    part,
                    part,
                    "Input should be UTF-8, percent-encoded",
                );
                continue;
            };
            if parameters.given.iter().any(|(other, _)| *other == name) {
                parameters.refuse("duplicate", &name, &value, "Input should be given once");
                continue;
            }
            parameters.given.push((name, value));
        }
        parameters
    }

    /// The same, but what has another name is passed over.
    pub(crate) fn of_known(query: Option<&str>, known: &'static [&'static str]) -> Self {
        let is_known = |part: &&str| {
            let name = part.split_once('=').map_or(*part, |(name, _)| name);
            decode(name).is_some_and(|name| known.contains(&name.as_str()))
        };
        let parts = query.unwrap_or_default().split('&').filter(is_known);
        let query: Vec<&str> = parts.collect();
        Self::new(Some(&query.join("&")), known)
    }

    /// Takes a value as it is.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        debug_assert!(self.known.contains(&name), "{name} is not in the list");
        let place = self.given.iter().position(|(given, _)| given == name)?;
        let (_, value) = self.given.swap_remove(place);
        Some(value).filter(|value| !value.is_empty())
    }

    /// Takes a value and reads it; `what` completes "Input should be …".
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.refuse(
                "value_error",
                name,
                &text,
                &format!("Input should be {what}"),
            );
        }
        value
    }

    /// Takes a value that is parsed.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &str, what: &str) -> Option<T> {
        self.read(name, what, |text| text.parse().ok())
    }

    /// Takes a time.
    pub(crate) fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.read(name, "a time like 2026-01-31T12:00:00Z", time)
    }

    /// Takes a number from `least` to `most`.
    pub(crate) fn number<T: FromStr + PartialOrd + fmt::Display + Copy>(
        &mut self,
        name: &str,
        least: T,
        most: T,
    ) -> Option<T> {
        let what = format!("a number from {least} to {most}");
        self.read(name, &what, |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| digits);
            number.filter(|number| (least..=most).contains(number))
        })
    }

    /// Takes one of these words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        name: &str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let words: Vec<String> = all.iter().map(|one| format!("'{}'", word(*one))).collect();
        let what = format!("one of {}", words.join(", "));
        self.read(name, &what, |text| {
            all.iter().copied().find(|one| word(*one) == text)
        })
    }

    /// Ends the taking.
    ///
    /// # Errors
    /// What is wrong, and what nobody took.
    pub(crate) fn end(mut self) -> Result<(), Refusal> {
        for (name, value) in std::mem::take(&mut self.given) {
            self.refuse("unknown", &name, &value, "There is no such parameter");
        }
        match self.wrong.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Values(self.wrong)),
        }
    }

    fn refuse(&mut self, kind: &'static str, name: &str, value: &str, msg: &str) {
        let shown = |text: &str| text.chars().take(INPUT_MOST).collect::<String>();
        self.wrong.push(Wrong {
            kind,
            loc: vec![Place::Name("query"), Place::Given(shown(name))],
            msg: msg.to_owned(),
            input: Some(Input::Text(shown(value))),
        });
    }
}

/// `+` is a space, `%2B` is `+`. None where it is no encoding of UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [&str; 7] = ["a", "b", "c", "d", "e", "limit", "start_time"];

    fn wrong(parameters: Parameters) -> String {
        match parameters.end() {
            Ok(()) => String::new(),
            Err(Refusal::Values(wrong)) => serde_json::to_string(&wrong).unwrap(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_decoded() {
        let mut parameters = Parameters::new(Some("a=x%20y+z%2B&b=&c&d=%C3%A4"), &KNOWN);
        assert_eq!(parameters.text("a").as_deref(), Some("x y z+"));
        assert_eq!(parameters.text("b"), None);
        assert_eq!(parameters.text("c"), None);
        assert_eq!(parameters.text("d").as_deref(), Some("ä"));
        assert_eq!(parameters.text("e"), None);
        assert_eq!(wrong(parameters), "");
        assert_eq!(wrong(Parameters::new(None, &KNOWN)), "");
        let mut parameters = Parameters::of_known(Some("x=1&a=7&x=2&%ff&y"), &KNOWN);
        assert_eq!(parameters.text("a").as_deref(), Some("7"));
        assert_eq!(wrong(parameters), "");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |query: &str, says: &str| {
            let mut parameters = Parameters::new(Some(query), &KNOWN);
            let _limit: Option<u32> = parameters.number("limit", 1, 1000);
            let _time = parameters.time("start_time");
            let said = wrong(parameters);
            assert!(said.contains(says) && !said.is_empty(), "{query}: {said}");
        };
        check(
            "limit=0",
            "[\"query\",\"limit\"],\"msg\":\"Input should be a number from 1 to 1000\"",
        );
        check("limit=1001", "limit");
        check("limit=+1", "limit");
        check("limit=-1", "limit");
        check("limit=1e2", "limit");
        check("limit=99999999999999999999", "limit");
        check("start_time=yesterday", "start_time");
        check("limit=1&limit=2", "given once");
        check("limits=1", "There is no such parameter");
        check("limit=%zz", "percent-encoded");
        check("limit=%ff", "percent-encoded");
        check("limit=%2", "percent-encoded");
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in "\\PC{0,80}|[a-z=&%0-9+]{0,80}") {
            let mut parameters = Parameters::new(Some(&query), &KNOWN);
            let _skip: Option<u64> = parameters.number("a", 0, u64::MAX);
            drop(parameters.end());
        }
    }
}
