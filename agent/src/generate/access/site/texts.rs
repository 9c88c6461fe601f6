//! What pages are asked for by: their paths with a value for each wildcard, and queries.

use super::path::{filled, is_product};
use crate::generate::access::config::UsersConfig;

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

/// What a page is asked for by, with weights.
pub(super) fn texts(users: &UsersConfig, path: &str) -> Vec<(String, f64)> {
    let paths = without_wildcards(users, path);
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
fn without_wildcards(users: &UsersConfig, path: &str) -> Vec<String> {
    if !path.contains(['*', '{']) {
        return vec![path.to_owned()];
    }
    let values: Vec<String> = if path.starts_with("/profile") {
        or_built_in(&users.profile_tabs, &PROFILE_TABS)
            .iter()
            .map(|tab| encoded(tab))
            .collect()
    } else {
        let most = if is_product(path) { PRODUCTS } else { OTHERS };
        (1..=most).map(|number| number.to_string()).collect()
    };
    values.iter().map(|value| filled(path, value)).collect()
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
