//! Pages of the configuration: `navigation`, `urls` and `error_rates.high_error_pages`.

use super::error::Wrong;
use super::reader::{Notes, Section, Value};
use super::tree::Node;
use super::{PagesConfig, UrlConfig};

/// Pages in one configuration, at most.
const PAGES_MAX: usize = 2000;

/// A page, or the name of one, and the pages that come next with their weights.
type Named = (String, Vec<(String, f64)>);

/// Reads `navigation`.
pub(super) fn navigation(
    section: Option<Section>,
    notes: &mut Notes<'_>,
) -> Result<Vec<Named>, Wrong> {
    let Some(mut section) = section else {
        return Ok(PagesConfig::default().navigation);
    };
    let line = section.line;
    let mut found: Vec<Named> = Vec::new();
    for (name, line, value) in section.rest() {
        let known = match name.as_str() {
            "HOME" => "home",
            "index" => "home",
            "LOGOUT" => {
                // Read all the same, so that a mistake in it is found.
                weights(value, notes)?;
                let warning = "navigation.LOGOUT has no effect: LOGOUT ends a session";
                notes.warn(line, warning);
                continue;
            }
            other => other,
        };
        if known != name {
            let warning =
                format!("navigation.{name} is taken for navigation.{known}: use that key");
            notes.warn(line, &warning);
        }
        if found.iter().any(|(key, _)| key == known) {
            let warning =
                format!("navigation.{known} is there under another name too; the first wins");
            notes.warn(line, &warning);
            continue;
        }
        let is_word = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if !is_word(known) && !is_path(known) {
            let sentence =
                format!("navigation.{name} must be home, the name of a page or its path");
            return Err(notes.wrong(line, &sentence));
        }
        found.push((known.to_owned(), weights(value, notes)?));
    }
    if !found.iter().any(|(key, _)| key == "home") {
        if found.is_empty() {
            let sentence = "navigation must have home: the pages that users open, with weights";
            return Err(notes.wrong(line, sentence));
        }
        found.extend(PagesConfig::default().navigation);
    }
    Ok(found)
}

/// Reads `urls`.
pub(super) fn urls(section: Option<Section>, notes: &Notes<'_>) -> Result<Vec<UrlConfig>, Wrong> {
    let Some(mut section) = section else {
        return Ok(Vec::new());
    };
    let mut urls: Vec<UrlConfig> = Vec::new();
    for (path, line, value) in section.rest() {
        if !is_path(&path) {
            return Err(notes.wrong(line, &format!("urls.{path} must be a path, like /products")));
        }
        let mut entry = value.section(notes)?;
        let mut share = |name: &'static str| -> Result<Option<f64>, Wrong> {
            entry.take(name).map(|value| value.share(notes)).transpose()
        };
        let success = share("success")?;
        let not_found = share("not_found")?;
        let system_error = share("system_error")?;
        let failures = not_found.unwrap_or(0.0) + system_error.unwrap_or(0.0);
        let sum = success.map_or(1.0, |success| success + failures);
        if (sum - 1.0).abs() > 0.01 || failures > 1.0 {
            let sentence = format!(
                "urls.{path}: success, not_found and system_error must sum to 1 (± 0.01), but sum to {sum}"
            );
            return Err(notes.wrong(line, &sentence));
        }
        let next_pages = match entry.take("next_pages") {
            Some(value) => weights(value, notes)?,
            None => Vec::new(),
        };
        entry.finish(notes)?;
        let told = success.is_some();
        urls.push(UrlConfig {
            path,
            success,
            not_found: not_found.or_else(|| told.then_some(0.0)),
            system_error: system_error.or_else(|| told.then_some(0.0)),
            next_pages,
        });
    }
    match urls.len() <= PAGES_MAX {
        true => Ok(urls),
        false => Err(notes.wrong(
            section.line,
            &format!("urls has more than {PAGES_MAX} pages"),
        )),
    }
}

/// Reads `error_rates.high_error_pages`: a list of `path` and `error_rate`, or paths with rates.
pub(super) fn high_error_pages(
    value: Value,
    notes: &Notes<'_>,
) -> Result<Vec<(String, f64)>, Wrong> {
    let mut pages = Vec::new();
    if matches!(value.tree.node, Node::Map(_)) {
        for (path, line, value) in value.section(notes)?.rest() {
            pages.push((line, path, value.share(notes)?));
        }
    } else {
        for item in value.items(notes)? {
            let (line, at) = (item.line(), item.path.clone());
            let mut entry = item.section(notes)?;
            let path = entry.take("path");
            let rate = entry.take("error_rate");
            entry.finish(notes)?;
            let (Some(path), Some(rate)) = (path, rate) else {
                return Err(notes.wrong(line, &format!("{at} must have a path and an error_rate")));
            };
            pages.push((path.line(), path.text(notes)?, rate.share(notes)?));
        }
    }
    for (line, path, _) in &pages {
        if !is_target(path) {
            let sentence = format!(
                "error_rates.high_error_pages has {path:?}, which is not a path like /products?categoryID=4"
            );
            return Err(notes.wrong(*line, &sentence));
        }
    }
    Ok(pages
        .into_iter()
        .map(|(_, path, rate)| (path, rate))
        .collect())
}

/// Pages with weights of which one is above 0.
fn weights(value: Value, notes: &Notes<'_>) -> Result<Vec<(String, f64)>, Wrong> {
    let (key, line) = (value.path.clone(), value.line());
    let mut pages = Vec::new();
    for (path, line, value) in value.section(notes)?.rest() {
        if !is_path(&path) {
            let sentence = format!("{key} has {path:?}, which is not a path like /products");
            return Err(notes.wrong(line, &sentence));
        }
        pages.push((path, value.weight(notes)?));
    }
    if pages.len() > PAGES_MAX {
        return Err(notes.wrong(line, &format!("{key} has more than {PAGES_MAX} pages")));
    }
    match pages.iter().any(|(_, weight)| *weight > 0.0) {
        true => Ok(pages),
        false => {
            let sentence = format!("{key} must have a page with a weight above 0");
            Err(notes.wrong(line, &sentence))
        }
    }
}

/// A path without a query, of characters that a request line may have. Braces are for `{id}`.
fn is_path(text: &str) -> bool {
    is_target(text) && !text.contains('?')
}

/// A path and perhaps a query.
fn is_target(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 1024
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"\\<>^`|".contains(&byte))
}
