//! Pages: `navigation`, `urls` and `error_rates.high_error_pages`.

use super::{Warnings, refused};
use crate::config::ConfigError;
use crate::config::tree::{Leaf, Tree};
use crate::generate::access::config::{PagesConfig, UrlConfig, check};

/// Pages in one configuration, at most.
const PAGES_MAX: usize = 2000;

/// A page, or the name of one, and the pages that come next with their weights.
type Named = (String, Vec<(String, f64)>);

/// Reads `navigation`.
pub(super) fn navigation(
    section: Option<Leaf<'_>>,
    warnings: &mut Warnings,
) -> Result<Vec<Named>, ConfigError> {
    let Some(section) = section else {
        return Ok(PagesConfig::default().navigation);
    };
    let mut found: Vec<Named> = Vec::new();
    for (name, value) in section.branch()?.rest() {
        // Read also where it has no effect, so that a mistake in it is found.
        let pages = weights(&value, warnings)?;
        let known = match name {
            "HOME" | "index" => "home",
            "LOGOUT" => {
                warnings.add(&value, "has no effect: LOGOUT ends a session");
                continue;
            }
            other => other,
        };
        if found.iter().any(|(key, _)| key == known) {
            let goes_on =
                format!("has no effect: navigation.{known} is there under another name, and wins");
            warnings.add(&value, &goes_on);
            continue;
        }
        if known != name {
            let goes_on = format!("is taken for navigation.{known}: use that key");
            warnings.add(&value, &goes_on);
        }
        if !is_word(known) && !is_path(known) {
            return Err(refused(
                &value,
                "must be home, the name of a page or its path",
            ));
        }
        found.push((known.to_owned(), pages));
    }
    if !found.iter().any(|(key, _)| key == "home") {
        if found.is_empty() {
            return Err(refused(
                &section,
                "must have home: the pages that users open, with weights",
            ));
        }
        found.extend(PagesConfig::default().navigation);
    }
    Ok(found)
}

/// Reads `urls`.
pub(super) fn urls(
    section: Option<Leaf<'_>>,
    warnings: &mut Warnings,
) -> Result<Vec<UrlConfig>, ConfigError> {
    let Some(section) = section else {
        return Ok(Vec::new());
    };
    let mut urls: Vec<UrlConfig> = Vec::new();
    for (path, value) in section.branch()?.rest() {
        if !is_path(path) {
            return Err(refused(&value, "must be a path, like /products"));
        }
        let mut entry = value.branch()?;
        let mut share = |name: &str| -> Result<Option<f64>, ConfigError> {
            let leaf = entry.take(name);
            leaf.map(|leaf| leaf.read(check::share)).transpose()
        };
        let success = share("success")?;
        let not_found = share("not_found")?;
        let system_error = share("system_error")?;
        let failures = not_found.unwrap_or(0.0) + system_error.unwrap_or(0.0);
        let sum = success.map_or(1.0, |success| success + failures);
        if (sum - 1.0).abs() > 0.01 || failures > 1.01 {
            let sum = success.unwrap_or(0.0) + failures;
            let goes_on = format!(
                "must have success, not_found and system_error that sum to 1 (± 0.01), but they sum to {sum:.4}"
            );
            return Err(refused(&value, &goes_on));
        }
        let next_pages = match entry.take("next_pages") {
            Some(value) => weights(&value, warnings)?,
            None => Vec::new(),
        };
        entry.end()?;
        let is_told = success.is_some();
        urls.push(UrlConfig {
            path: path.to_owned(),
            success,
            not_found: not_found.or_else(|| is_told.then_some(0.0)),
            system_error: system_error.or_else(|| is_told.then_some(0.0)),
            next_pages,
        });
    }
    match urls.len() <= PAGES_MAX {
        true => Ok(urls),
        false => Err(refused(
            &section,
            &format!("must have no more than {PAGES_MAX} pages"),
        )),
    }
}

/// Reads `error_rates.high_error_pages`: a list of `path` and `error_rate`, or paths with rates.
pub(super) fn high_error_pages(leaf: &Leaf<'_>) -> Result<Vec<(String, f64)>, ConfigError> {
    let mut pages = Vec::new();
    if matches!(leaf.node.tree, Tree::Section(_)) {
        for (path, value) in leaf.branch()?.rest() {
            let rate = value.read(check::share)?;
            pages.push((value, path.to_owned(), rate));
        }
    } else {
        for item in leaf.list()? {
            let mut entry = item.branch()?;
            let path = entry.take("path");
            let rate = entry.take("error_rate");
            entry.end()?;
            let (Some(path), Some(rate)) = (path, rate) else {
                return Err(refused(&item, "must have a path and an error_rate"));
            };
            let (text, rate) = (path.read(check::text)?, rate.read(check::share)?);
            pages.push((path, text, rate));
        }
    }
    for (value, path, _) in &pages {
        if !is_target(path) {
            return Err(refused(value, &no_path(path, "/products?categoryID=4")));
        }
    }
    Ok(pages
        .into_iter()
        .map(|(_, path, rate)| (path, rate))
        .collect())
}

/// Pages with weights of which one is above 0. The name of a page is taken for its path.
fn weights(leaf: &Leaf<'_>, warnings: &mut Warnings) -> Result<Vec<(String, f64)>, ConfigError> {
    let mut pages: Vec<(String, f64)> = Vec::new();
    for (name, value) in leaf.branch()?.rest() {
        let weight = value.read(check::weight)?;
        let path = match is_word(name) {
            true => format!("/{name}"),
            false => name.to_owned(),
        };
        if !is_path(&path) {
            return Err(refused(&value, &no_path(name, "/products")));
        }
        if path != name {
            let goes_on = format!("is taken for {path:?}: write that");
            warnings.add(&value, &goes_on);
        }
        if pages.iter().any(|(other, _)| *other == path) {
            return Err(refused(&value, &format!("is there twice, as {path:?} too")));
        }
        pages.push((path, weight));
    }
    if pages.len() > PAGES_MAX {
        let goes_on = format!("must have no more than {PAGES_MAX} pages");
        return Err(refused(leaf, &goes_on));
    }
    match pages.iter().any(|(_, weight)| *weight > 0.0) {
        true => Ok(pages),
        false => Err(refused(leaf, "must have a page with a weight above 0")),
    }
}

/// Whether it may be the name of a page.
fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn no_path(path: &str, like: &str) -> String {
    format!("must be of a path like {like}, and {path:?} is none")
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
