//! The pages of the shop: which targets each has, how requests for them end, and which page comes next.
//!
//! Everything that can stand in a request line is made once, at the start. What is drawn for a line is
//! only numbers.

mod build;
mod path;
mod texts;

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use self::build::Builder;
use self::path::{matches, stands_for};
use super::config::AccessConfig;
use super::outcome::Outcomes;
use crate::generate::draw::Weights;

/// Where users come in without a login.
const LANDINGS: [&str; 3] = ["/products", "/search", "/about"];

/// The number of a target.
pub type TargetNumber = u32;

/// The number of a page.
pub type PageNumber = u16;

/// A method and what it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// GET or POST.
    pub method: &'static str,
    /// Path and perhaps query.
    pub path: String,
    /// How requests for it end.
    pub outcomes: Outcomes,
    /// It is typed in or opened from a bookmark: no page led to it.
    pub is_typed: bool,
}

#[derive(Debug)]
struct Page {
    /// Its first target.
    first: TargetNumber,
    /// Which of its targets; `None`: it has one.
    targets: Option<Weights>,
    next: Vec<PageNumber>,
    weights: Option<Weights>,
}

/// The pages and their targets.
#[derive(Debug)]
pub struct Site {
    targets: Vec<Target>,
    pages: Vec<Page>,
    /// "/".
    pub home: PageNumber,
    /// /cart.
    pub cart: PageNumber,
    landings: [PageNumber; LANDINGS.len()],
}

impl Site {
    /// `POST /login`.
    pub const LOGIN: TargetNumber = 0;
    /// `POST /logout`.
    pub const LOGOUT: TargetNumber = 1;

    /// The site of a configuration.
    #[must_use]
    pub fn new(config: &AccessConfig) -> Self {
        Builder::new(config).build()
    }

    /// All targets, by number.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// A target by its number.
    #[inline]
    #[must_use]
    pub fn target(&self, number: TargetNumber) -> &Target {
        // Numbers come from this site; login stands in for none.
        let at = number as usize;
        &self.targets[if at < self.targets.len() { at } else { 0 }]
    }

    /// A page to come in by.
    #[inline]
    pub fn landing(&self, stream: &mut ChaCha8Rng) -> PageNumber {
        let one = crate::generate::draw::one(stream, &self.landings);
        one.copied().unwrap_or(self.home)
    }

    /// A target of a page.
    #[inline]
    pub fn open(&self, page: PageNumber, stream: &mut ChaCha8Rng) -> TargetNumber {
        let Some(page) = self.pages.get(usize::from(page)) else {
            return Self::LOGIN;
        };
        match &page.targets {
            Some(targets) => page.first + targets.draw(stream) as u32,
            None => page.first,
        }
    }

    /// The page that comes after this one.
    #[inline]
    pub fn after(&self, page: PageNumber, stream: &mut ChaCha8Rng) -> PageNumber {
        let Some(page) = self.pages.get(usize::from(page)) else {
            return self.home;
        };
        let Some(weights) = &page.weights else {
            return self.home;
        };
        let next = page.next.get(weights.draw(stream));
        next.copied().unwrap_or(self.home)
    }

    /// Pages that the configuration says something of and that no user ever opens: by the key, and as it
    /// writes them.
    #[must_use]
    pub fn never_opened(&self, config: &AccessConfig) -> Vec<(&'static str, String)> {
        let targets = || self.targets.iter().map(|target| target.path.as_str());
        let pages: BTreeSet<&str> = targets()
            .map(|target| target.split('?').next().unwrap_or_default())
            .collect();
        let is_opened = |path: &str| {
            if path.contains('?') {
                targets().any(|target| matches(target, path))
            } else {
                let is_one_of_many = path.contains(['*', '{']);
                pages.contains(path)
                    || (is_one_of_many && pages.iter().any(|page| stands_for(path, page)))
            }
        };
        let high = config.errors.high_error_pages.iter();
        let high = high.map(|(path, _)| ("error_rates.high_error_pages", path));
        let urls = config.pages.urls.iter().map(|url| ("urls", &url.path));
        high.chain(urls)
            .filter(|(_, path)| !is_opened(path))
            .map(|(key, path)| (key, path.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
