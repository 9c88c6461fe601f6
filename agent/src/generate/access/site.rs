//! The pages of the shop: which targets each has, how requests for them end, and which page comes next.
//!
//! Everything that can stand in a request line is made once, at the start. What is drawn for a line is
//! only numbers.

use std::collections::{BTreeSet, HashMap};

use rand_chacha::ChaCha8Rng;

use super::config::{AccessConfig, UrlConfig};
use super::outcome::{Outcome, Outcomes};
use crate::generate::draw::Weights;

/// Numbers that stand for `*` in the path of a product.
const PRODUCTS: u32 = 100;

/// Numbers that stand for `*` in another path.
const OTHERS: u32 = 20;

/// Numbers of categories.
const CATEGORIES: u32 = 20;

const SEARCH_TERMS: [&str; 9] = [
    "shoes",
    "laptop",
    "phone",
    "jacket",
    "watch",
    "headphones",
    "camera",
    "gaming",
    "fitness",
];
const PROFILE_TABS: [&str; 3] = ["orders", "settings", "payment"];
const SORTS: [&str; 3] = ["price", "rating", "popularity"];
const VARIANTS: [&str; 4] = ["red", "blue", "large", "small"];

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

/// Whether a target is the one that is named: the same, or with more of a query behind it.
fn matches(target: &str, named: &str) -> bool {
    target.strip_prefix(named).is_some_and(|rest| {
        let more = if named.contains('?') { '&' } else { '?' };
        rest.is_empty() || rest.starts_with(more)
    })
}

/// Whether a page is one of those that a path stands for: `*` and `{…}` in it are one text of many, and it
/// is of no meaning which of the two is written.
fn stands_for(path: &str, page: &str) -> bool {
    let (path, page) = (with_stars(path), with_stars(page));
    let (mut own, mut other) = (path.split('/'), page.split('/'));
    loop {
        let fits = match (own.next(), other.next()) {
            (None, None) => return true,
            (Some(part), Some(text)) => part == text || fits(part, text),
            _ => false,
        };
        if !fits {
            return false;
        }
    }
}

/// Whether the text is the part of a path with something for its first `*`.
fn fits(part: &str, text: &str) -> bool {
    part.split_once('*').is_some_and(|(before, behind)| {
        text.len() > before.len() + behind.len()
            && text.starts_with(before)
            && text.ends_with(behind)
    })
}

/// The path with `*` for each `{…}`.
fn with_stars(path: &str) -> String {
    filled(path, "*")
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

struct Builder<'a> {
    config: &'a AccessConfig,
    navigation: HashMap<&'a str, &'a [(String, f64)]>,
    numbers: HashMap<String, PageNumber>,
    /// The paths of pages, by number.
    paths: Vec<String>,
    targets: Vec<Target>,
    pages: Vec<Page>,
}

impl<'a> Builder<'a> {
    fn new(config: &'a AccessConfig) -> Self {
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

    fn build(mut self) -> Site {
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
            let texts = self.texts(&path);
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

    /// What a page is asked for by, with weights.
    fn texts(&self, path: &str) -> Vec<(String, f64)> {
        let users = &self.config.users;
        let paths = self.without_wildcards(path);
        let mut texts = Vec::new();
        for path in &paths {
            let share = 1.0 / paths.len() as f64;
            match path.as_str() {
                "/products" => {
                    texts.push((path.clone(), 0.3));
                    let queries = match users.product_categories.is_empty() {
                        true => (1..=CATEGORIES)
                            .map(|number| format!("categoryID={number}"))
                            .collect(),
                        false => named("category", &users.product_categories),
                    };
                    let each = 0.7 / queries.len() as f64;
                    for query in queries {
                        let text = format!("{path}?{query}");
                        for sort in SORTS {
                            let sorted = format!("{text}&sort={sort}");
                            texts.push((sorted, each * 0.3 / SORTS.len() as f64));
                        }
                        texts.push((text, each * 0.7));
                    }
                }
                "/search" => {
                    let terms = or_built_in(&users.search_terms, &SEARCH_TERMS);
                    let each = 1.0 / terms.len() as f64;
                    for query in named("q", &terms) {
                        let text = format!("{path}?{query}");
                        for page in 1..=5 {
                            texts.push((format!("{text}&page={page}"), each * 0.4 / 5.0));
                        }
                        texts.push((text, each * 0.6));
                    }
                }
                "/profile" => {
                    texts.push((path.clone(), 0.7));
                    let tabs = or_built_in(&users.profile_tabs, &PROFILE_TABS);
                    for query in named("tab", &tabs) {
                        texts.push((format!("{path}?{query}"), 0.3 / tabs.len() as f64));
                    }
                }
                path if is_product(path) => {
                    texts.push((path.to_owned(), share * 0.5));
                    for variant in VARIANTS {
                        let text = format!("{path}?variant={variant}");
                        texts.push((text, share * 0.5 / VARIANTS.len() as f64));
                    }
                }
                path => texts.push((path.to_owned(), share)),
            }
        }
        texts
    }

    /// What stands for `*` or `{…}` in a path.
    fn without_wildcards(&self, path: &str) -> Vec<String> {
        if !path.contains(['*', '{']) {
            return vec![path.to_owned()];
        }
        let values: Vec<String> = if path.starts_with("/profile") {
            or_built_in(&self.config.users.profile_tabs, &PROFILE_TABS)
                .iter()
                .map(|tab| encoded(tab))
                .collect()
        } else {
            let most = if is_product(path) { PRODUCTS } else { OTHERS };
            (1..=most).map(|number| number.to_string()).collect()
        };
        values.iter().map(|value| filled(path, value)).collect()
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

fn is_product(path: &str) -> bool {
    ["/products", "/product/"]
        .iter()
        .any(|begin| path.starts_with(begin))
}

fn or_built_in(texts: &[String], built_in: &[&str]) -> Vec<String> {
    match texts.is_empty() {
        true => built_in.iter().map(|text| (*text).to_owned()).collect(),
        false => texts.to_vec(),
    }
}

fn named(name: &str, values: &[String]) -> Vec<String> {
    let values = values.iter();
    values
        .map(|value| format!("{name}={}", encoded(value)))
        .collect()
}

/// As it may stand in a query (RFC 3986, section 2.3), a blank as `+`.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The path with `value` for each `*` and `{…}`.
fn filled(path: &str, value: &str) -> String {
    let mut text = String::new();
    let mut in_braces = false;
    for letter in path.chars() {
        match letter {
            '{' => {
                in_braces = true;
                text += value;
            }
            '}' => in_braces = false,
            '*' if !in_braces => text += value,
            _ if in_braces => {}
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests;
