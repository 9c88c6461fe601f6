use std::collections::HashMap;

use rand_chacha::rand_core::SeedableRng as _;

use super::*;
use crate::generate::access::config::{Source, read};
use crate::generate::access::outcome::Outcome;

fn site(text: &str) -> (AccessConfig, Site) {
    let config = read(&Source::Shipped, text.as_bytes()).unwrap().config;
    let site = Site::new(&config);
    (config, site)
}

/// How often each path (without its query) comes after `from`.
fn after(site: &Site, from: &str) -> HashMap<String, f64> {
    let page = |number: PageNumber| {
        let target = site.target(site.pages[usize::from(number)].first);
        target.path.split('?').next().unwrap_or_default().to_owned()
    };
    let numbers = 0..site.pages.len() as PageNumber;
    let from = numbers
        .into_iter()
        .find(|number| page(*number) == from)
        .unwrap();
    let mut stream = ChaCha8Rng::seed_from_u64(5);
    let mut shares = HashMap::new();
    for _ in 0..20_000 {
        *shares
            .entry(page(site.after(from, &mut stream)))
            .or_insert(0.0) += 1.0 / 20_000.0;
    }
    shares
}

fn check(site: &Site, from: &str, expected: &[(&str, f64)]) {
    let shares = after(site, from);
    assert_eq!(shares.len(), expected.len(), "{from}: {shares:?}");
    for (path, share) in expected {
        let found = shares.get(*path).copied().unwrap_or(0.0);
        assert!((found - share).abs() < 0.02, "{from} to {path}: {found}");
    }
}

#[test]
fn pages_come_by_their_weights() {
    let (_, site) = site("");
    let home = [
        ("/", 0.2),
        ("/about", 0.3),
        ("/products", 0.4),
        ("/search", 0.1),
    ];
    check(&site, "/", &home);
    check(&site, "/about", &home);
    let with = |more: &[(&'static str, f64)]| -> Vec<(&str, f64)> {
        let total = 1.0 + more.iter().map(|(_, weight)| weight).sum::<f64>();
        let all = home.iter().chain(more);
        all.map(|(path, weight)| (*path, weight / total)).collect()
    };
    check(
        &site,
        "/products",
        &with(&[("/cart", 0.3), ("/checkout", 0.1)]),
    );
    check(&site, "/cart", &with(&[("/checkout", 0.7)]));
    check(&site, "/checkout", &[("/thank-you", 1.0)]);
    check(&site, "/thank-you", &home);
}

#[test]
fn pages_that_are_named_have_their_own_weights() {
    let (_, site) = site(
        r#"
navigation:
  home: {"/": 1, "/products": 1}
  products: {"/product/{id}": 3, "/cart": 1}
  "/cart": {"/": 1}
urls:
  "/product/{id}": {next_pages: {"/blog/*": 1}}
"#,
    );
    check(&site, "/products", &[("/product/1", 0.75), ("/cart", 0.25)]);
    check(&site, "/cart", &[("/", 1.0)]);
    check(&site, "/product/1", &[("/blog/1", 1.0)]);
    let paths: Vec<&str> = site
        .targets()
        .iter()
        .map(|target| target.path.as_str())
        .collect();
    assert!(paths.contains(&"/product/100?variant=red"));
    assert!(paths.contains(&"/blog/20") && !paths.contains(&"/blog/21"));
    assert!(!paths.iter().any(|path| path.contains(['*', '{', '}'])));
}

#[test]
fn targets_have_their_queries() {
    let (_, plain) = site("");
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    let mut count = |site: &Site, page: &str, part: &str| {
        let number = (0..site.pages.len() as PageNumber)
            .find(|number| {
                site.target(site.pages[usize::from(*number)].first)
                    .path
                    .split('?')
                    .next()
                    == Some(page)
            })
            .unwrap();
        let drawn = (0..10_000).map(|_| site.target(site.open(number, &mut stream)).path.clone());
        drawn.filter(|path| path.contains(part)).count() as f64 / 1e4
    };
    let mut near = |site: &Site, page: &str, part: &str, share: f64| {
        let found = count(site, page, part);
        assert!((found - share).abs() < 0.02, "{page} {part}: {found}");
    };
    near(&plain, "/products", "?categoryID=", 0.7);
    near(&plain, "/products", "&sort=", 0.21);
    near(&plain, "/products", "?categoryID=20", 0.035);
    near(&plain, "/search", "?q=", 1.0);
    near(&plain, "/search", "&page=", 0.4);
    let (_, own) = site(
        r#"
navigation: {home: {"/profile": 1, "/profile/*": 1, "/products/7": 1}}
search_terms: ["a b&c"]
product_categories: [x]
profile_tabs: ["ü"]
"#,
    );
    near(&own, "/search", "?q=a+b%26c", 1.0);
    near(&own, "/products", "?category=x", 0.7);
    near(&own, "/profile", "?tab=%C3%BC", 0.3);
    near(&own, "/products/7", "?variant=", 0.5);
    assert!(
        own.targets()
            .iter()
            .any(|target| target.path == "/profile/%C3%BC")
    );
}

#[test]
fn requests_end_as_configured() {
    let (_, site) = site(
        r#"
navigation: {home: {"/admin/x": 1, "/profile": 1, "/products": 1}}
urls: {"/about": {success: 0, not_found: 1}}
error_rates:
  global_500_rate: 0
  product_404_rate: 0.5
  checkout_500: 1
  redirect_301: 0
  redirect_302: 0
  forbidden_access: 1
  auth_failure: 1
  high_error_pages:
    - {path: "/products?categoryID=4", error_rate: 1}
"#,
    );
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    let mut check = |path: &str, outcome: Outcome, share: f64| {
        let target = site
            .targets()
            .iter()
            .find(|target| target.path == path)
            .unwrap();
        let drawn = (0..4000)
            .filter(|_| target.outcomes.draw(&mut stream) == outcome)
            .count();
        assert!(
            (drawn as f64 / 4000.0 - share).abs() < 0.04,
            "{path}: {drawn}"
        );
    };
    check("/products?categoryID=4", Outcome::ServerError, 1.0);
    check(
        "/products?categoryID=4&sort=price",
        Outcome::ServerError,
        1.0,
    );
    check("/products?categoryID=5", Outcome::NotFound, 0.5);
    check("/products", Outcome::Success, 0.5);
    check("/admin/x", Outcome::Forbidden, 1.0);
    check("/profile", Outcome::Unauthorized, 1.0);
    check("/checkout", Outcome::ServerError, 1.0);
    check("/about", Outcome::NotFound, 1.0);
    check("/thank-you", Outcome::Success, 1.0);
    check("/login", Outcome::Success, 1.0);
}

#[test]
fn pages_that_nobody_opens_are_told() {
    let (config, site) = site(
        "error_rates: {high_error_pages: {\"/api/flaky\": 0.2, \"/cart\": 0.1, \"/products?categoryID=4\": 0.1, \"/products?categoryID=40\": 0.1}}",
    );
    assert_eq!(
        site.never_opened(&config),
        [
            ("error_rates.high_error_pages", "/api/flaky".to_owned()),
            (
                "error_rates.high_error_pages",
                "/products?categoryID=40".to_owned()
            )
        ]
    );
    let (config, site) = self::site(
        "navigation: {home: {\"/item-{id}/a\": 1}}\nurls: {\"/item-*/a\": {success: 1}, \"/item-*\": {success: 1}, \"/login\": {success: 1}}",
    );
    assert_eq!(site.never_opened(&config), [("urls", "/item-*".to_owned())]);
}

/// What comes of requests for the pages below /products/: success, 404, 500 and all else, of so many.
fn ends(text: &str, count: usize) -> [f64; 4] {
    let (_, site) = site(text);
    let targets: Vec<&Target> = site
        .targets()
        .iter()
        .filter(|target| target.path.starts_with("/products/"))
        .collect();
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    let mut ends = [0.0; 4];
    for target in targets.iter().cycle().take(count) {
        let place = match target.outcomes.draw(&mut stream) {
            Outcome::Success => 0,
            Outcome::NotFound => 1,
            Outcome::ServerError => 2,
            _ => 3,
        };
        ends[place] += 1.0;
    }
    ends
}

#[test]
fn what_is_said_of_a_page_is_met_however_it_is_written() {
    let chi_square = |found: &[f64; 4], shares: [f64; 4]| -> f64 {
        let all: f64 = found.iter().sum();
        let parts = found.iter().zip(shares);
        let parts = parts.map(|(found, share)| match share > 0.0 {
            true => (found - share * all).powi(2) / (share * all),
            false => found * 1e9,
        });
        parts.sum()
    };
    let check = |page: &str, url: &str, says: &str, shares: [f64; 4]| {
        let text = format!(
            "navigation: {{home: {{\"/\": 1, \"{page}\": 1}}}}\nurls: {{\"{url}\": {says}}}"
        );
        let found = ends(&text, 100_000);
        // Three degrees of freedom: one run in a thousand is above.
        let chi = chi_square(&found, shares);
        assert!(chi < 16.27, "{text}: {found:?}, {chi}");
    };
    let all = "{success: .5, not_found: .3, system_error: .2}";
    let half = [0.5, 0.3, 0.2, 0.0];
    check("/products/{id}", "/products/*", all, half);
    check("/products/*", "/products/{number}", all, half);
    check("/products/7", "/products/*", all, half);
    check("/products/{id}", "/products/{id}", all, half);
    check(
        "/products/*",
        "/*/*",
        "{success: 0, not_found: 1, system_error: 0}",
        [0.0, 1.0, 0.0, 0.0],
    );
    // What is not said is as everywhere: 1 % and 2 % go elsewhere.
    let rest = 1.0 - 0.3 - 0.2;
    let good = rest * 0.99 * 0.98;
    check(
        "/products/{id}",
        "/products/*",
        "{not_found: .3, system_error: .2}",
        [good, 0.3, 0.2, rest - good],
    );
    // The test can fail.
    let (found, shares) = (
        ends("navigation: {home: {\"/products/*\": 1}}", 100_000),
        half,
    );
    assert!(chi_square(&found, shares) > 16.27);
}

#[test]
fn a_page_that_is_named_itself_goes_before_those_like_it() {
    let (_, site) = site(
        "navigation: {home: {\"/products/7\": 1, \"/products/{id}\": 1}}\nurls: {\"/products/*\": {success: 1, next_pages: {\"/a\": 1}}, \"/products/7\": {success: 0, not_found: 1}}",
    );
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    let mut ends: Vec<Outcome> = site
        .targets()
        .iter()
        .filter(|target| target.path == "/products/7")
        .map(|target| target.outcomes.draw(&mut stream))
        .collect();
    ends.sort_by_key(|outcome| *outcome != Outcome::NotFound);
    assert_eq!(ends, [Outcome::NotFound, Outcome::Success]);
    check(&site, "/products/1", &[("/a", 1.0)]);
}
