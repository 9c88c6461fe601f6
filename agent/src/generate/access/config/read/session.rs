//! `session`: how long stays and pauses are, and how many users there can be.

use super::{Warnings, refused};
use crate::config::ConfigError;
use crate::config::tree::Branch;
use crate::generate::access::config::SessionConfig;
use crate::generate::access::config::check::{self, whole};

/// Users at the same time, at most.
const USERS_MAX: u32 = 100_000;

/// What to use in place of the key that says both.
const BETTER: &str = "use session.min_page_view_interval and session.max_page_view_interval";

/// Reads the section.
pub(super) fn session(
    section: Option<Branch<'_>>,
    warnings: &mut Warnings,
) -> Result<SessionConfig, ConfigError> {
    let mut session = SessionConfig::default();
    let Some(mut section) = section else {
        return Ok(session);
    };
    span(
        &mut section,
        ["min_browsing_duration", "max_browsing_duration"],
        [
            &mut session.min_browsing_duration,
            &mut session.max_browsing_duration,
        ],
    )?;
    let is_told = span(
        &mut section,
        ["min_page_view_interval", "max_page_view_interval"],
        [
            &mut session.min_page_view_interval,
            &mut session.max_page_view_interval,
        ],
    )?;
    if let Some(value) = section.take("page_view_interval") {
        let mean = value.read(check::seconds)?;
        let (low, high) = (mean * 0.5, mean * 1.5);
        if is_told {
            let goes_on = format!("has no effect beside the two others: {BETTER}");
            warnings.add(&value, &goes_on);
        } else {
            (
                session.min_page_view_interval,
                session.max_page_view_interval,
            ) = (low, high);
            let goes_on = format!("is taken for pauses from {low} to {high} seconds: {BETTER}");
            warnings.add(&value, &goes_on);
        }
    }
    section.set(
        "concurrent_users",
        &mut session.concurrent_users,
        whole::<1, USERS_MAX>,
    )?;
    section.end()?;
    Ok(session)
}

/// Reads the shortest and the longest time; whether one of them is there.
fn span(
    section: &mut Branch<'_>,
    names: [&str; 2],
    places: [&mut f64; 2],
) -> Result<bool, ConfigError> {
    let [low, high] = places;
    let (first, second) = (section.take(names[0]), section.take(names[1]));
    for (leaf, place) in [(&first, &mut *low), (&second, &mut *high)] {
        if let Some(leaf) = leaf {
            *place = leaf.read(check::seconds)?;
        }
    }
    match (&first, &second) {
        (Some(leaf), _) if low > high => Err(refused(
            leaf,
            &format!("is {low}, which is more than session.{}, {high}", names[1]),
        )),
        (_, Some(leaf)) if low > high => Err(refused(
            leaf,
            &format!("is {high}, which is less than session.{}, {low}", names[0]),
        )),
        (first, second) => Ok(first.is_some() || second.is_some()),
    }
}
