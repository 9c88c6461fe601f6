//! Which configuration is meant: the file named on the command line, else that of a variable
//! (`LOG_GENERATOR_CONFIG_YAML_B64`, `LOG_GENERATOR_CONFIG_YAML`, `LOG_GENERATOR_CONFIG_PATH`, in this
//! order), else the shipped one; and what `RATE_OVERRIDE` and `LOG_DIR_OVERRIDE` change about it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::AccessConfig;
use super::check::RATE_MAX;
use super::error::{Source, Wrong};
use super::read::{Read, read};
use crate::config::FILE_MAX;

/// The configuration that is part of the program.
pub const SHIPPED: &str = include_str!("../../../../../config/access.yaml");

const BASE64: &str = "LOG_GENERATOR_CONFIG_YAML_B64";
const YAML: &str = "LOG_GENERATOR_CONFIG_YAML";
const PATH: &str = "LOG_GENERATOR_CONFIG_PATH";
const RATE: &str = "RATE_OVERRIDE";
const DIRECTORY: &str = "LOG_DIR_OVERRIDE";

/// The variables that are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `LOG_GENERATOR_CONFIG_YAML_B64`.
    pub base64: Option<OsString>,
    /// `LOG_GENERATOR_CONFIG_YAML`.
    pub yaml: Option<OsString>,
    /// `LOG_GENERATOR_CONFIG_PATH`.
    pub path: Option<OsString>,
    /// `RATE_OVERRIDE`.
    pub rate: Option<OsString>,
    /// `LOG_DIR_OVERRIDE`.
    pub directory: Option<OsString>,
}

impl Environment {
    /// Takes what is set and not empty.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Self::default();
        for (name, value) in variables {
            let place = match name.to_str() {
                Some(BASE64) => &mut found.base64,
                Some(YAML) => &mut found.yaml,
                Some(PATH) => &mut found.path,
                Some(RATE) => &mut found.rate,
                Some(DIRECTORY) => &mut found.directory,
                _ => continue,
            };
            *place = Some(value).filter(|value| !value.is_empty());
        }
        found
    }
}

/// The configuration that is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it came from.
    pub source: Source,
    /// The configuration, with what the variables changed.
    pub config: AccessConfig,
    /// What works, but should be written otherwise.
    pub warnings: Vec<Wrong>,
    /// `RATE_OVERRIDE` is 0: as fast as it goes.
    pub is_free: bool,
}

/// Reads the configuration that is meant, with the variables that go over it.
///
/// # Errors
/// It cannot be read, or something is wrong with it.
pub fn find(named: Option<&Path>, environment: &Environment) -> Result<Found, Wrong> {
    let (source, bytes) = source(named, environment)?;
    let Read { config, warnings } = read(&source, &bytes)?;
    let mut found = Found {
        source,
        config,
        warnings,
        is_free: false,
    };
    let set = [
        (BASE64, &environment.base64),
        (YAML, &environment.yaml),
        (PATH, &environment.path),
    ];
    let set = set.iter().filter(|(_, value)| value.is_some());
    // The first of them wins where no file is named.
    for (name, _) in set.skip(usize::from(named.is_none())) {
        let sentence = match (named, &environment.base64) {
            (Some(_), _) => format!("{name} is set, but the configuration is {}", found.source),
            (None, Some(_)) => format!("{name} is set, but {BASE64} wins"),
            (None, None) => format!("{name} is set, but {YAML} wins"),
        };
        found.warnings.push(Wrong::new(&sentence));
    }
    if let Some(rate) = &environment.rate {
        let number = rate.to_str().and_then(|rate| rate.trim().parse().ok());
        let number = number.filter(|rate: &f64| (0.0..=RATE_MAX).contains(rate));
        let number = number.ok_or_else(|| {
            Wrong::new(&format!(
                "{RATE} is {:?}, but must be a number of lines a second; 0: as fast as it goes",
                rate.to_string_lossy()
            ))
        })?;
        match number > 0.0 {
            true => found.config.output.rate = number,
            false => found.is_free = true,
        }
    }
    if let Some(directory) = &environment.directory {
        found.config.output.directory = PathBuf::from(directory);
    }
    Ok(found)
}

fn source(named: Option<&Path>, environment: &Environment) -> Result<(Source, Vec<u8>), Wrong> {
    if let Some(path) = named {
        return file(path);
    }
    if let Some(text) = &environment.base64 {
        let source = Source::Variable(BASE64);
        let bytes = decode(text.as_encoded_bytes())
            .ok_or_else(|| Wrong::new(&format!("{source}: it is not base64 (RFC 4648)")))?;
        return Ok((source, bytes));
    }
    if let Some(text) = &environment.yaml {
        // A text without a key can only be meant as the name of a file.
        let is_name = text
            .to_str()
            .is_some_and(|text| !text.contains([':', '{', '\n']));
        if is_name {
            return file(Path::new(text));
        }
        return Ok((Source::Variable(YAML), text.as_encoded_bytes().to_vec()));
    }
    if let Some(path) = &environment.path {
        return file(Path::new(path));
    }
    Ok((Source::Shipped, SHIPPED.as_bytes().to_vec()))
}

fn file(path: &Path) -> Result<(Source, Vec<u8>), Wrong> {
    let source = Source::File(path.to_owned());
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok((source, bytes)),
        Err(error) => Err(Wrong::new(&format!(
            "cannot read the configuration file {}: {error}",
            path.display()
        ))),
    }
}

/// Base64 with the letters of RFC 4648, of either alphabet; white space is skipped.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits, mut letters, mut filling) = (0_u32, 0_u32, 0_usize, 0_usize);
    for &letter in text.iter().filter(|letter| !letter.is_ascii_whitespace()) {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                filling += 1;
                continue;
            }
            _ => return None,
        };
        if filling > 0 {
            return None;
        }
        letters += 1;
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    let whole = filling == 0 || (filling <= 2 && (letters + filling).is_multiple_of(4));
    (whole && letters % 4 != 1 && held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for part in bytes.chunks(3) {
            let mut held = 0_u32;
            for place in 0..3 {
                held = held << 8 | u32::from(part.get(place).copied().unwrap_or(0));
            }
            for place in 0..4 {
                match place <= part.len() {
                    true => text.push(char::from(
                        LETTERS[(held >> (18 - 6 * place) & 63) as usize],
                    )),
                    false => text.push('='),
                }
            }
        }
        text
    }

    #[test]
    fn what_is_no_base64() {
        let check = |text: &str, expected: Option<&[u8]>| {
            assert_eq!(decode(text.as_bytes()).as_deref(), expected, "{text:?}");
        };
        check("", Some(b""));
        check("aGVsbG8=", Some(b"hello"));
        check("aGVs\nbG8=\n", Some(b"hello"));
        check("aGVsbG8", Some(b"hello"));
        for bad in [
            "a",
            "aGVsbG8==",
            "aGVsbG8=x",
            "aGVs bG8!",
            "====",
            "output: 1",
            "aGVsbG9=",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            drop(decode(&text));
        }
    }

    #[test]
    fn what_wins() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, rate: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("output: {{rate: {rate}}}\n")).unwrap();
            path
        };
        let (named, by_path, by_yaml) = (write("named", 1), write("path", 4), write("yaml", 5));
        let all = Environment {
            base64: Some(encode(b"output: {rate: 2}").into()),
            yaml: Some("output:\n  rate: 3".into()),
            path: Some(by_path.into_os_string()),
            ..Environment::default()
        };
        let check = |named: Option<&Path>, environment: &Environment, rate: f64| {
            let found = find(named, environment).unwrap();
            assert_eq!(found.config.output.rate, rate, "{environment:?}");
        };
        check(Some(&named), &all, 1.0);
        check(None, &all, 2.0);
        let mut fewer = Environment {
            base64: None,
            ..all.clone()
        };
        check(None, &fewer, 3.0);
        fewer.yaml = Some(by_yaml.into_os_string());
        check(None, &fewer, 5.0);
        fewer.yaml = None;
        check(None, &fewer, 4.0);
        fewer.path = None;
        check(None, &fewer, 10.0);
        let over = Environment {
            rate: Some("7.5".into()),
            ..all.clone()
        };
        check(Some(&named), &over, 7.5);
        let warnings = |named: Option<&Path>, environment: &Environment| -> Vec<String> {
            let found = find(named, environment).unwrap();
            found.warnings.iter().map(ToString::to_string).collect()
        };
        assert_eq!(warnings(Some(&named), &all).len(), 3);
        assert_eq!(
            warnings(None, &all),
            [
                "LOG_GENERATOR_CONFIG_YAML is set, but LOG_GENERATOR_CONFIG_YAML_B64 wins",
                "LOG_GENERATOR_CONFIG_PATH is set, but LOG_GENERATOR_CONFIG_YAML_B64 wins",
            ]
        );
        let fewer = Environment {
            base64: None,
            ..all
        };
        assert_eq!(
            warnings(None, &fewer),
            ["LOG_GENERATOR_CONFIG_PATH is set, but LOG_GENERATOR_CONFIG_YAML wins"]
        );
        let free = Environment {
            rate: Some("0".into()),
            ..Environment::default()
        };
        let found = find(None, &free).unwrap();
        assert!(found.is_free && found.config.output.rate == 10.0);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let check = |environment: Environment, part: &str| {
            let error = find(None, &environment).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        let set = |text: &str| Some(OsString::from(text));
        let none = Environment::default();
        check(
            Environment {
                base64: set("!"),
                ..none.clone()
            },
            "LOG_GENERATOR_CONFIG_YAML_B64: it is not base64",
        );
        check(
            Environment {
                yaml: set("output:\n  rat: 3"),
                ..none.clone()
            },
            "LOG_GENERATOR_CONFIG_YAML, line 2: there is no key \"output.rat\"; did you mean output.rate?",
        );
        check(
            Environment {
                path: set("/nowhere/x"),
                ..none.clone()
            },
            "/nowhere/x: No such file",
        );
        for bad in ["x", "-1", "nan", "inf", "1e9"] {
            check(
                Environment {
                    rate: set(bad),
                    ..none.clone()
                },
                "RATE_OVERRIDE is",
            );
        }
    }

    #[test]
    fn variables_are_found() {
        let variables = [
            ("LOG_DIR_OVERRIDE", "/x"),
            ("RATE_OVERRIDE", ""),
            ("PATH", "y"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let found = Environment::new(variables);
        let expected = Environment {
            directory: Some("/x".into()),
            ..Environment::default()
        };
        assert_eq!(found, expected);
        let read = find(None, &found).unwrap();
        assert_eq!(read.config.output.directory, Path::new("/x"));
    }
}
