//! Families of rotated files: `access.log.2.gz`, `access.log.1`, `access.log` are one log, the oldest
//! first; so are `access.log-20261101.gz` and `http-20261101.log` with those of other days.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Place;

/// How names of packed files end.
const ENDINGS: [&str; 3] = [".gz", ".zst", ".zstd"];

/// How old a file of a family is by its name: what sorts first is read first.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Age {
    /// Of this day (and time), the earlier the older, and which of that day: the higher the older.
    Date(String, std::cmp::Reverse<u64>),
    /// The n-th back: the higher the older.
    Number(std::cmp::Reverse<u64>),
    /// The one that is written now.
    Now,
}

/// Puts the files of a family in the order in which they were written. Families stay in the order in
/// which their first file was named, standard input where it was.
#[must_use]
pub fn in_order(places: Vec<Place>) -> Vec<Place> {
    let mut order: Vec<PathBuf> = Vec::new();
    let mut families: BTreeMap<PathBuf, Vec<(Age, Place)>> = BTreeMap::new();
    for place in places {
        let (base, age) = match &place {
            Place::Stdin => (PathBuf::from("-"), Age::Now),
            Place::File(path) => base_and_age(path),
        };
        if !order.contains(&base) {
            order.push(base.clone());
        }
        families.entry(base).or_default().push((age, place));
    }
    let mut sorted = Vec::new();
    for base in order {
        let mut family = families.remove(&base).unwrap_or_default();
        family.sort();
        sorted.extend(family.into_iter().map(|(_, place)| place));
    }
    sorted
}

/// The other files of the family of a file, in no order.
#[must_use]
pub fn siblings(path: &Path) -> Vec<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let (own, _) = base_and_age(path);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Some(parent) = path.parent() else {
            continue;
        };
        let sibling = parent.join(entry.file_name());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && sibling != path && base_and_age(&sibling).0 == own {
            found.push(sibling);
        }
    }
    found
}

/// Whether nothing is written to a file any more: it is packed, or was renamed or copied from one that is
/// there (`access.log.1`, where there is an `access.log`).
#[must_use]
pub fn is_put_away(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (base, age) = base_and_age(path);
    ENDINGS.iter().any(|ending| name.ends_with(ending)) || (age != Age::Now && base.exists())
}

/// The name of the family, and how old this file of it is.
fn base_and_age(path: &Path) -> (PathBuf, Age) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut base: &str = &name;
    for ending in ENDINGS {
        base = base.strip_suffix(ending).unwrap_or(base);
    }
    let (base, age) = parts(base);
    (path.with_file_name(base), age)
}

fn parts(name: &str) -> (String, Age) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // access.log.1
    let mut number = None;
    let mut name = name;
    if let Some((base, last)) = name.rsplit_once('.')
        && !base.is_empty()
        && is_number(last)
        && last.len() <= 5
    {
        number = last.parse().ok();
        name = base;
    }
    // access.log-20261101, http-20261101.log, access.2026-11-01.log, access.log-20261101-1700000000
    if let Some((start, end)) = date_in(name) {
        let date: String = name[start..end]
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        let before = name[..start].trim_end_matches(['-', '.', '_']);
        let base = format!("{before}{}", &name[end..]);
        if base.is_empty() {
            return (name.to_owned(), Age::Now);
        }
        return (
            base,
            Age::Date(date, std::cmp::Reverse(number.unwrap_or(0))),
        );
    }
    match number {
        Some(number) => (name.to_owned(), Age::Number(std::cmp::Reverse(number))),
        None => (name.to_owned(), Age::Now),
    }
}

/// Where a date stands in a name: eight digits, or ten characters with dashes, behind a separator, and
/// what time stands behind it.
fn date_in(name: &str) -> Option<(usize, usize)> {
    let bytes = name.as_bytes();
    for start in 1..bytes.len() {
        if !matches!(bytes[start - 1], b'-' | b'.' | b'_') {
            continue;
        }
        let digits = |from: usize, many: usize| {
            bytes
                .get(from..from + many)
                .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
        };
        let is_century = matches!(bytes.get(start..start + 2), Some(b"19" | b"20" | b"21"));
        let dashed = is_century
            && digits(start, 4)
            && bytes.get(start + 4) == Some(&b'-')
            && digits(start + 5, 2)
            && bytes.get(start + 7) == Some(&b'-')
            && digits(start + 8, 2);
        let mut end = match (dashed, is_century && digits(start, 8)) {
            (true, _) => start + 10,
            (_, true) => start + 8,
            _ => continue,
        };
        // An hour or a time of day behind it: 2026110112, 20261101-1200, 2026-11-01_12-00-00.
        let more = bytes[end..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
            .count();
        if bytes[end..end + more].iter().any(u8::is_ascii_digit) {
            end += more;
        }
        return Some((start, end));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: &[&str]) {
        let places = names.iter().map(|name| Place::File(name.into())).collect();
        let found: Vec<String> = in_order(places).iter().map(Place::name).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_oldest_first() {
        check(
            &[
                "access.log",
                "access.log.1",
                "access.log.10.gz",
                "access.log.2.gz",
            ],
            &[
                "access.log.10.gz",
                "access.log.2.gz",
                "access.log.1",
                "access.log",
            ],
        );
        check(
            &[
                "access.log",
                "access.log-20261102",
                "access.log-20261101.gz",
            ],
            &[
                "access.log-20261101.gz",
                "access.log-20261102",
                "access.log",
            ],
        );
        check(
            &[
                "http-20261102.log",
                "http-20261101.log.zst",
                "http-20251231.log",
            ],
            &[
                "http-20251231.log",
                "http-20261101.log.zst",
                "http-20261102.log",
            ],
        );
        check(
            &["a.2026-11-02.log", "a.2026-11-01_12-00-00.log", "a.log"],
            &["a.2026-11-01_12-00-00.log", "a.2026-11-02.log", "a.log"],
        );
        check(
            &["b.log", "x/b.log.1", "a.log", "b.log.1", "x/b.log"],
            &["b.log.1", "b.log", "x/b.log.1", "x/b.log", "a.log"],
        );
        check(
            &["", ".", "1", ".1", "-20261101"],
            &["", ".", "1", ".1", "-20261101"],
        );
        check(&["ä-20261101ö.log.ü"], &["ä-20261101ö.log.ü"]);
    }
}
