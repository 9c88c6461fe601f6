//! The languages of reports: every text that a person reads stands in one table, in all of them.

mod texts;
mod warnings;

use std::ffi::OsStr;
pub use texts::Texts;
pub use warnings::said;

use crate::config::{Word, words};

words! {
    /// The language of a report.
    Language {
        /// English.
        English = "en",
        /// Korean.
        Korean = "ko",
    }
}

impl Language {
    /// The language that the environment asks for: `LC_ALL`, `LC_MESSAGES` and `LANG`, of which the
    /// first counts that is there and not empty.
    #[must_use]
    pub fn of_environment<'a>(variable: impl Fn(&str) -> Option<&'a OsStr>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .filter_map(variable)
            .find(|value| !value.is_empty());
        let text = set.and_then(OsStr::to_str).unwrap_or_default();
        match text.split(['_', '.', '@']).next() {
            Some("ko" | "korean") => Self::Korean,
            _ => Self::English,
        }
    }

    /// Its texts.
    #[must_use]
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::English => &Texts::ENGLISH,
            Self::Korean => &Texts::KOREAN,
        }
    }
}

/// Puts values into a text: `{name}` is replaced by the value of that name. A name without a value
/// stays as it is; values are not looked at again.
#[must_use]
pub fn fill(text: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            filled.push('{');
            rest = behind;
            continue;
        };
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => filled.push_str(value),
            None => filled.push_str(&format!("{{{name}}}")),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in braces, in their order of the alphabet.
    fn names(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> = text
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}'))
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn both_languages_say_the_same_things() {
        for (key, english, korean) in Texts::PAIRS {
            assert!(!english.is_empty() && !korean.is_empty(), "{key}");
            assert_eq!(names(english), names(korean), "{key}");
            assert!(
                !english.contains(['\n', '\t']) || key.starts_with("prompt"),
                "{key}"
            );
        }
    }

    #[test]
    fn values_are_put_in_once() {
        let values = [("a", "{b}".to_owned()), ("b", "2".to_owned())];
        assert_eq!(fill("x {a} y {b}{a}", &values), "x {b} y 2{b}");
        assert_eq!(fill("{c} {", &values), "{c} {");
        assert_eq!(fill("", &values), "");
    }

    #[test]
    fn the_environment_names_the_language() {
        let check = |set: &[(&str, &str)], expected: Language| {
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsStr::new(*value))
            };
            assert_eq!(Language::of_environment(variable), expected, "{set:?}");
        };
        check(&[], Language::English);
        check(&[("LANG", "ko_KR.UTF-8")], Language::Korean);
        check(&[("LC_ALL", ""), ("LANG", "ko")], Language::Korean);
        check(&[("LC_ALL", "C"), ("LANG", "ko")], Language::English);
    }
}
