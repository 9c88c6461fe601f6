//! The layer of the file: YAML, keys nested by section, every scalar taken as the text it is written
//! with. Refuses unknown and repeated keys, lists where a value belongs (and the reverse), merge
//! keys, files over 1 MiB, deep nesting and floods of aliases.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize as _;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    MergeKeyPolicy, MessageFormatter as _, NonFiniteFloatPolicy, Spanned, UserMessageFormatter,
};

use super::nearest::nearest;
use super::{Config, ConfigError, Key, Origin, Refusal, Setting, Value};

/// The largest file that is read, in bytes.
pub const FILE_MAX: u64 = 1 << 20;

/// Reads the settings of the file at `path`.
///
/// # Errors
/// The file cannot be read, or what [`settings_from_yaml`] refuses.
pub fn settings_from_file(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    settings_from_yaml(path, &bytes_of_file(path)?)
}

/// Reads the settings of a file's content; `path` is only for messages.
///
/// # Errors
/// Too large, not text, not YAML, an unknown key, or a value that is not one for its key.
pub fn settings_from_yaml(path: &Path, bytes: &[u8]) -> Result<Vec<Setting>, ConfigError> {
    let text = text_of(path, bytes)?;
    let reading = Reading {
        path,
        settings: RefCell::default(),
        current: RefCell::default(),
        refused: RefCell::default(),
    };
    let root = Section {
        reading: &reading,
        prefix: "",
    };
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        root.deserialize(yaml)
    });
    match (reading.refused.take(), read) {
        (Some(refused), _) => Err(refused),
        (None, Err(error)) => Err(reading.explain(&error)),
        (None, Ok(())) => Ok(reading.settings.take()),
    }
}

/// The bytes of the file at `path`: of one that is too large so many that [`text_of`] refuses them.
///
/// # Errors
/// The file cannot be read.
pub(super) fn bytes_of_file(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

/// The text of a file's content; `path` is only for messages.
///
/// # Errors
/// Too large, or not text: then with the line of the first bytes that are none.
pub(super) fn text_of<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    if bytes.len() as u64 > FILE_MAX {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            limit: FILE_MAX,
        });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to());
        ConfigError::NotText {
            path: path.to_owned(),
            line: before.filter(|byte| **byte == b'\n').count() as u64 + 1,
        }
    })
}

/// Nothing that a configuration does not need.
pub(super) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_aliases: 64,
            max_anchors: 64,
            max_documents: 1,
            max_nodes: 100_000,
            max_total_scalar_bytes: 4 << 20,
        },
        merge_keys: MergeKeyPolicy::Error,
        // Whoever reads the value says that it is none, and names the key.
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
        emit_comments: false,
    }
}

/// What has been read so far. It lies outside the deserializer, because an error that passes through
/// that is only a text.
struct Reading<'a> {
    path: &'a Path,
    settings: RefCell<Vec<Setting>>,
    /// The key whose value is being read.
    current: RefCell<Option<String>>,
    refused: RefCell<Option<ConfigError>>,
}

impl Reading<'_> {
    /// Keeps what is wrong, and gives the error that ends the reading.
    fn refuse<E: de::Error>(&self, error: ConfigError) -> E {
        *self.refused.borrow_mut() = Some(error);
        E::custom("refused")
    }

    /// Says what the library found wrong, with the key concerned where there is one.
    fn explain(&self, error: &serde_saphyr::Error) -> ConfigError {
        let error = error.without_snippet();
        let line = error
            .location()
            .map_or(1, |location| location.line().max(1));
        let path = self.path.to_owned();
        let wrong_shape = matches!(
            error,
            serde_saphyr::Error::Unexpected { .. } | serde_saphyr::Error::NullIntoString { .. }
        );
        if wrong_shape {
            let key = self.current.take().unwrap_or_else(|| "the file".to_owned());
            return ConfigError::Shape {
                path,
                line,
                refusal: Refusal::new(expected_shape(&key)),
                key,
            };
        }
        if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
            let key = Value::Text(key.clone().unwrap_or_default());
            return ConfigError::Repeated { path, line, key };
        }
        let mut message = one_line(&UserMessageFormatter.format_message(error));
        if let Some(key) = self.current.take() {
            message += &format!(" (at {key}; texts with signs in them need quotes)");
        }
        ConfigError::NotYaml {
            path,
            line,
            message,
        }
    }
}

fn expected_shape(path: &str) -> &'static str {
    match Key::from_path(path) {
        Some(key) if key.is_list() => "must be a list of plain values, like [first, second]",
        Some(_) => "must be one value, not a list or a section",
        None => "must be a section: keys and their values",
    }
}

/// Control characters escaped: the text may quote the file.
pub(super) fn one_line(text: &str) -> String {
    let escape = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A mapping of the file: the root (prefix empty) or a section (prefix `log.`).
struct Section<'a> {
    reading: &'a Reading<'a>,
    prefix: &'a str,
}

impl<'de> DeserializeSeed<'de> for Section<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Section<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a section: keys and their values")
    }

    /// An empty section sets nothing.
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Spanned<String>>()? {
            let line = name.referenced.line();
            let path = format!("{}{}", self.prefix, name.value);
            // A dot within a name would be a second way to write one key.
            let dotted = name.value.contains('.');
            if let Some(key) = Key::from_path(&path).filter(|_| !dotted) {
                *self.reading.current.borrow_mut() = Some(path);
                map.next_value_seed(Entry {
                    reading: self.reading,
                    key,
                    line,
                })?;
            } else if Key::is_section(&path) && !dotted {
                let prefix = format!("{path}.");
                *self.reading.current.borrow_mut() = Some(path);
                map.next_value_seed(Section {
                    reading: self.reading,
                    prefix: &prefix,
                })?;
            } else {
                return Err(self.reading.refuse(ConfigError::UnknownKey {
                    path: self.reading.path.to_owned(),
                    line,
                    nearest: nearest_key(&path),
                    key: Value::Text(path),
                }));
            }
            *self.reading.current.borrow_mut() = None;
        }
        Ok(())
    }
}

/// The key that was meant: one of the same name elsewhere, or one of a similar path.
fn nearest_key(path: &str) -> Option<String> {
    let paths = || Key::ALL.into_iter().map(Key::path);
    let sections = || paths().filter_map(|path| Some(path.rsplit_once('.')?.0));
    let name = path.rsplit('.').next();
    if Key::from_path(path).is_some() || Key::is_section(path) {
        let (section, name) = path.rsplit_once('.')?;
        return Some(format!("{name} in the section {section}"));
    }
    paths()
        .chain(sections())
        .find(|known| known.rsplit('.').next() == name)
        .map(str::to_owned)
        .or_else(|| nearest(path, paths().chain(sections()).map(str::to_owned)))
}

/// The value of a key.
struct Entry<'a> {
    reading: &'a Reading<'a>,
    key: Key,
    line: u64,
}

impl Entry<'_> {
    /// Checks a value at once, so that errors come in the order of the file.
    fn checked<E: de::Error>(&self, value: Value, line: u64) -> Result<Setting, E> {
        let setting = Setting {
            key: self.key,
            value,
            origin: Origin::File {
                path: self.reading.path.to_owned(),
                line,
            },
        };
        match Config::default().set(setting.key, &setting.value) {
            Ok(()) => Ok(setting),
            Err(refusal) => Err(self.reading.refuse(setting.refused(refusal))),
        }
    }

    fn keep<E: de::Error>(&self, value: Value) -> Result<(), E> {
        let setting = self.checked(value, self.line)?;
        self.reading.settings.borrow_mut().push(setting);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(expected_shape(self.key.path()))
    }

    /// A key without a value has its default.
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.key.is_list() {
            true => deserializer.deserialize_seq(self),
            false => self.keep(Value::Text(String::deserialize(deserializer)?)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<String>>()? {
            // Alone first: a bad item of a long list is named with its own line.
            let alone = Value::List(vec![item.value.clone()]);
            self.checked(alone, item.referenced.line())?;
            items.push(item.value);
        }
        self.keep(Value::List(items))
    }
}
