//! From the text of a configuration to its values: the sections, each in a file of its own, and what they
//! have in common.

mod moves;
mod output;
mod pages;
mod patterns;
mod rates;
mod session;

use super::check;
use super::error::{Source, Wrong};
use super::{AccessConfig, PagesConfig, UsersConfig};
use crate::config::tree::{Branch, Leaf, tree_from_yaml};
use crate::config::{ConfigError, Refusal};

/// Texts in one list, at most.
const LIST_MAX: usize = 10_000;

/// A configuration, and what should be written otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The configuration.
    pub config: AccessConfig,
    /// What works, but should be written otherwise.
    pub warnings: Vec<Wrong>,
}

/// Reads a configuration.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(source: &Source, bytes: &[u8]) -> Result<Read, ConfigError> {
    let file = source.path();
    let tree = tree_from_yaml(&file, bytes)?;
    let mut root = Branch::root(&file, &tree)?;
    let mut warnings = Warnings::default();
    let output_section = root.section("output")?;
    let moves = root.take("state_transitions");
    let navigation = root.take("navigation");
    let errors = root.section("error_rates")?;
    let session = root.section("session")?;
    let status = root.section("status_codes")?;
    let agents = root.section("user_agents")?;
    let urls = root.take("urls");
    let traffic = root.take("traffic_patterns");
    let zone = root.take("time_zone");
    let mut users = UsersConfig {
        ip_ranges: list(&mut root, "ip_ranges", check::network)?,
        search_terms: list(&mut root, "search_terms", check::text)?,
        product_categories: list(&mut root, "product_categories", check::text)?,
        profile_tabs: list(&mut root, "profile_tabs", check::text)?,
        ..UsersConfig::default()
    };
    root.end()?;
    if let Some(mut agents) = agents {
        users.desktop = list(&mut agents, "desktop", check::text)?;
        users.mobile = list(&mut agents, "mobile", check::text)?;
        agents.end()?;
    }
    let config = AccessConfig {
        output: output::output(output_section)?,
        moves: moves::moves(moves)?,
        pages: PagesConfig {
            navigation: pages::navigation(navigation, &mut warnings)?,
            urls: pages::urls(urls, &mut warnings)?,
        },
        errors: rates::error_rates(errors, &mut warnings)?,
        session: session::session(session, &mut warnings)?,
        traffic: patterns::traffic(traffic, zone, &mut warnings)?,
        status: rates::status_codes(status)?,
        users,
    };
    Ok(Read {
        config,
        warnings: warnings.0,
    })
}

/// What works, but should be written otherwise.
#[derive(Default)]
struct Warnings(Vec<Wrong>);

impl Warnings {
    /// The sentence goes on behind the key of the value.
    fn add(&mut self, leaf: &Leaf<'_>, goes_on: &str) {
        self.0.push(refused(leaf, goes_on).into());
    }
}

/// The error for a value; the sentence goes on behind its key.
fn refused(leaf: &Leaf<'_>, goes_on: &str) -> ConfigError {
    leaf.refused(&Refusal::new(goes_on))
}

/// Takes a key that has another name, too: that one is taken with a warning.
fn take_also<'a>(
    section: &mut Branch<'a>,
    name: &str,
    other: &str,
    warnings: &mut Warnings,
) -> Option<Leaf<'a>> {
    let value = section.take(name);
    let Some(mut renamed) = section.take(other) else {
        return value;
    };
    let known = renamed.key.replace(other, name);
    if value.is_some() {
        let goes_on = format!("is another name of {known}, which is there too and wins");
        warnings.add(&renamed, &goes_on);
        return value;
    }
    warnings.add(&renamed, &format!("is taken for {known}: use that key"));
    renamed.key = known;
    Some(renamed)
}

/// The items of a list; none where the key is not there.
fn list<T>(
    section: &mut Branch<'_>,
    name: &str,
    read: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Vec<T>, ConfigError> {
    let Some(leaf) = section.take(name) else {
        return Ok(Vec::new());
    };
    let items = leaf.list()?;
    if items.len() > LIST_MAX {
        return Err(refused(
            &leaf,
            &format!("must have no more than {LIST_MAX} items"),
        ));
    }
    items.iter().map(|item| item.read(&read)).collect()
}
