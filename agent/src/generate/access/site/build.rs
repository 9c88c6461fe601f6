//! Makes the site of a configuration: its pages and targets with their numbers, how requests end, and which
//! page comes next.

use std::collections::HashMap;

use super::path::{is_product, matches, stands_for, with_stars};
use super::texts::texts;
use super::{LANDINGS, Page, PageNumber, Site, Target, TargetNumber};
use crate::generate::access::config::{AccessConfig, UrlConfig};
use crate::generate::access::outcome::{Outcome, Outcomes};
use crate::generate::draw::Weights;

/// A site that is being made: pages lead to others, of which each is made once.
pub(super) struct Builder<'a> {
    config: &'a AccessConfig,
    navigation: HashMap<&'a str, &'a [(String, f64)]>,
    numbers: HashMap<String, PageNumber>,
    /// The paths of pages, by number.
    paths: Vec<String>,
    targets: Vec<Target>,
    pages: Vec<Page>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(config: &'a AccessConfig) -> Self {
        let navigation = config.pages.navigation.iter();
        Self {
            config,
            navigation: navigation
                .map(|(name, pages)| (name.as_str(), pages.as_slice()))
                .collect(),
            numbers: HashMap::new(),
            paths: Vec::new(),
            targets: Vec::new(),
            pages: Vec::new(),
        }
    }

    pub(super) fn build(mut self) -> Site {
        for path in ["/login", "/logout"] {
            let outcomes = self.outcomes(path, path, self.url(path));
            self.targets.push(Target {
                method: "POST",
                path: path.to_owned(),
                outcomes,
                is_typed: false,
            });
        }
        let home = self.number("/");
        let cart = self.number("/cart");
        let landings = LANDINGS.map(|path| self.number(path));
        // Pages that are found on the way are behind those that are done.
        let mut done = 0;
        while let Some(path) = self.paths.get(done).cloned() {
            done += 1;
            let url = self.url(&path);
            let next = self.next(&path, url);
            let numbers: Vec<PageNumber> = next.iter().map(|(path, _)| self.number(path)).collect();
            let texts = texts(&self.config.users, &path);
            let first = self.targets.len() as TargetNumber;
            for (text, _) in &texts {
                let outcomes = self.outcomes(&path, text, url);
                self.targets.push(Target {
                    method: "GET",
                    path: text.clone(),
                    outcomes,
                    is_typed: path == "/",
                });
            }
            let several = texts.len() > 1;
            let weights = texts.into_iter().map(|(_, weight)| weight);
            self.pages.push(Page {
                first,
                targets: several.then(|| Weights::new(weights).ok()).flatten(),
                next: numbers,
                weights: Weights::new(next.iter().map(|(_, weight)| *weight)).ok(),
            });
        }
        Site {
            targets: self.targets,
            pages: self.pages,
            home,
            cart,
            landings,
        }
    }

    /// The number of a page, a new one if need be. The configuration has far fewer pages than numbers.
    fn number(&mut self, path: &str) -> PageNumber {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = PageNumber::try_from(self.paths.len()).unwrap_or(0);
        self.numbers.insert(path.to_owned(), number);
        self.paths.push(path.to_owned());
        number
    }

    /// What `urls` says of a page: best under its own name, then with the same wildcards.
    fn url(&self, page: &str) -> Option<&'a UrlConfig> {
        let urls = &self.config.pages.urls;
        let find = |is_it: &dyn Fn(&str) -> bool| urls.iter().find(|url| is_it(&url.path));
        find(&|path| path == page)
            .or_else(|| find(&|path| with_stars(path) == with_stars(page)))
            .or_else(|| find(&|path| stands_for(path, page)))
    }

    /// The pages that come after a page.
    fn next(&self, path: &str, url: Option<&UrlConfig>) -> Vec<(String, f64)> {
        if let Some(url) = url.filter(|url| !url.next_pages.is_empty()) {
            return url.next_pages.clone();
        }
        let first_part = path.trim_start_matches('/').split('/').next();
        let name = match first_part {
            None | Some("") => "home",
            Some(name) => name,
        };
        let named = self
            .navigation
            .get(path)
            .or_else(|| {
                let navigation = &self.config.pages.navigation;
                let same = |name: &str| with_stars(name) == with_stars(path);
                let found = navigation.iter().find(|(name, _)| same(name));
                found.and_then(|(name, _)| self.navigation.get(name.as_str()))
            })
            .or_else(|| self.navigation.get(name));
        if let Some(pages) = named {
            return pages.to_vec();
        }
        if path == "/checkout" {
            return vec![("/thank-you".to_owned(), 1.0)];
        }
        let home = self.navigation.get("home").copied().unwrap_or_default();
        let total: f64 = home.iter().map(|(_, weight)| weight).sum();
        let mut pages: Vec<(String, f64)> = home
            .iter()
            .map(|(path, weight)| (path.clone(), weight / total))
            .collect();
        if is_product(path) {
            pages.push(("/cart".to_owned(), 0.3));
            pages.push(("/checkout".to_owned(), 0.1));
        } else if path == "/cart" {
            pages.push(("/checkout".to_owned(), 0.7));
        }
        pages
    }

    /// How requests for a target end. What `urls` says holds of all of them but those that
    /// `high_error_pages` lets fail; `error_rates` has a part in what it leaves open.
    fn outcomes(&self, page: &str, target: &str, url: Option<&UrlConfig>) -> Outcomes {
        let errors = &self.config.errors;
        let high = errors.high_error_pages.iter();
        let high = high.filter(|(path, _)| matches(target, path) || stands_for(path, page));
        let high = high.map(|(_, rate)| *rate).fold(0.0, f64::max);
        let mut tried = vec![(high, Outcome::ServerError)];
        let system_error = url.and_then(|url| url.system_error);
        let not_found = url.and_then(|url| url.not_found);
        let failures = [
            (system_error.unwrap_or(0.0), Outcome::ServerError),
            (not_found.unwrap_or(0.0), Outcome::NotFound),
        ];
        if let Some(success) = url.and_then(|url| url.success) {
            // They may be off by a little: their proportions count.
            let sum = success + failures[0].0 + failures[1].0;
            tried.extend(one_of(
                &failures.map(|(share, outcome)| (share / sum, outcome)),
            ));
            return Outcomes::new(tried);
        }
        tried.extend(one_of(&failures));
        let only_if = |likelihood: f64, holds: bool| if holds { likelihood } else { 0.0 };
        tried.extend([
            (
                only_if(errors.global_500_rate, system_error.is_none()),
                Outcome::ServerError,
            ),
            (
                only_if(errors.checkout_500, page == "/checkout"),
                Outcome::ServerError,
            ),
            (
                only_if(
                    errors.product_404_rate,
                    is_product(page) && not_found.is_none(),
                ),
                Outcome::NotFound,
            ),
            (errors.redirect_301, Outcome::RedirectPermanent),
            (errors.redirect_302, Outcome::RedirectTemporary),
            (
                only_if(errors.forbidden_access, page.starts_with("/admin")),
                Outcome::Forbidden,
            ),
            (
                only_if(errors.auth_failure, page.starts_with("/profile")),
                Outcome::Unauthorized,
            ),
        ]);
        Outcomes::new(tried)
    }
}

/// Shares of which one excludes the others, as likelihoods of what is tried one after the other.
fn one_of(shares: &[(f64, Outcome)]) -> Vec<(f64, Outcome)> {
    let mut left = 1.0;
    let shares = shares.iter().map(|(share, outcome)| {
        let likelihood = if left > 0.0 { share / left } else { 0.0 };
        left -= share;
        (likelihood, *outcome)
    });
    shares.collect()
}
