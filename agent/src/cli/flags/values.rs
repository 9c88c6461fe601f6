//! Values of flags: read with the parser of their key.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use crate::cli::read::CaptureSource;
use crate::config::{Config, Key, Origin, Refusal, Setting, Value, Word};

pub(super) fn one(key: Key, flag: &'static str, text: Option<&str>) -> Option<Setting> {
    text.map(|text| Setting {
        key,
        value: Value::Text(text.to_owned()),
        origin: Origin::Flag(flag),
    })
}

pub(super) fn many(key: Key, flag: &'static str, items: &[String]) -> Option<Setting> {
    (!items.is_empty()).then(|| Setting {
        key,
        value: Value::List(items.to_vec()),
        origin: Origin::Flag(flag),
    })
}

pub(super) fn packets(text: &str) -> Result<u64, Refusal> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Refusal::new("must be a number of packets, at least 1"))
}

pub(super) fn source(path: PathBuf) -> CaptureSource {
    match path.as_os_str() == "-" {
        true => CaptureSource::Stdin,
        false => CaptureSource::File(path),
    }
}

pub(super) fn words<T: Word>() -> PossibleValuesParser {
    PossibleValuesParser::new(T::ALL.iter().map(|value| value.word()))
}

/// A text that must be a value of the key (for a list: an item of it).
#[derive(Clone)]
pub(super) struct Text(pub(super) Key);

impl clap::builder::TypedValueParser for Text {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        let key = self.0;
        let check = move |text: &str| -> Result<String, Refusal> {
            let value = match key.is_list() {
                true => Value::List(vec![text.to_owned()]),
                false => Value::Text(text.to_owned()),
            };
            Config::default().set(key, &value)?;
            Ok(text.to_owned())
        };
        check.parse_ref(command, argument, value)
    }
}
