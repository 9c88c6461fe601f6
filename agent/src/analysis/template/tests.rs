use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Counts by template as a caller does, and what they add up to by name in the end.
struct Counted {
    templates: Templates,
    counts: HashMap<Template, u64>,
}

impl Counted {
    fn new(limit: usize) -> Self {
        Self {
            templates: Templates::new(limit),
            counts: HashMap::new(),
        }
    }

    fn add(&mut self, target: &[u8]) -> Template {
        let template = self.templates.place(target);
        self.carry_over();
        assert!(template.index() < self.templates.capacity());
        *self.counts.entry(template).or_default() += 1;
        template
    }

    fn carry_over(&mut self) {
        for (from, into) in self.templates.take_merged() {
            let count = self.counts.remove(&from).unwrap_or(0);
            *self.counts.entry(into).or_default() += count;
        }
    }

    fn names(&mut self) -> HashMap<String, u64> {
        self.templates.settle();
        self.carry_over();
        let mut names = HashMap::new();
        for (template, count) in self.counts.iter().filter(|(_, count)| **count > 0) {
            let earlier = names.insert(self.templates.name(*template), *count);
            assert_eq!(earlier, None, "two templates of one name");
        }
        names
    }
}

#[test]
fn a_target_alone() {
    let check = |target: &str, name: &str| {
        let mut templates = Templates::new(100);
        let template = templates.place(target.as_bytes());
        assert_eq!(templates.name(template), name, "{target}");
    };
    check("/", "/");
    check("/user/17", "/user/{id}");
    check("/user/17/orders?page=2", "/user/{id}/orders");
    check("/user/17;session=4?x", "/user/{id}");
    check("/a/2026-01-31/b", "/a/{date}/b");
    check("/a/6ba7b810-9dad-11d1-80b4-00c04fd430c8", "/a/{id}");
    check("/blob/deadbeef01", "/blob/{id}");
    check("/facade", "/facade");
    check("/deadbeef", "/deadbeef");
    check("/v2/index.html", "/v2/index.html");
    check("/t/eyJhbGciOiJIUzI1NiIsInR5", "/t/{id}");
    check(
        "/the-quick-brown-fox-jumps-over-2",
        "/the-quick-brown-fox-jumps-over-2",
    );
    check("//a/", "//a/");
    check("http://example.com:80/user/4#x", "/user/{id}");
    check("http://example.com", "/");
    check("*", "*");
    check("example.com:443", "example.com:443");
    check("", "");
    check("/\u{fffd}", "/\u{fffd}");
    check(
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14",
        &format!("{}/…", "/{id}".repeat(12)),
    );
    check(&format!("/{}", "x".repeat(65)), "/{name}");
}

#[test]
fn names_become_one_row_and_endpoints_stay() {
    let mut counted = Counted::new(1_000);
    for round in 0..10_u32 {
        for user in 0..300_u32 {
            counted.add(format!("/user/u{}/orders", letters(user)).as_bytes());
        }
        for _ in 0..50 {
            counted.add(b"/cart");
            counted.add(b"/api/list");
        }
        // What a scanner tries is never tried again.
        for attempt in 0..400 {
            counted.add(format!("/{}.php", letters(round * 400 + attempt)).as_bytes());
        }
    }
    let names = counted.names();
    assert_eq!(names["/user/{name}/orders"], 3_000, "{names:?}");
    assert_eq!(names["/cart"], 500);
    assert_eq!(names["/api/list"], 500);
    assert_eq!(names["/{name}"], 4_000);
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn the_bound_holds_and_nothing_is_lost() {
    let mut counted = Counted::new(200);
    let mut total = 0;
    for first in 0..60 {
        for second in 0..60 {
            let path = format!(
                "/{}/{}/x/{}",
                letters(first),
                letters(second),
                letters(second % 7)
            );
            counted.add(path.as_bytes());
            total += 1;
            assert!(counted.templates.used() <= 200);
        }
    }
    let names = counted.names();
    assert_eq!(names.values().sum::<u64>(), total);
    assert!(names.len() <= 201);
}

/// A word without digits for every number.
fn letters(mut number: u32) -> String {
    let mut word = String::from("w");
    loop {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

proptest! {
    #[test]
    fn any_targets_are_counted_once_under_names_of_their_own(
        targets in prop::collection::vec("[/a-c0-9.?]{0,12}|(/[a-z]{1,2}){1,4}|\\PC{0,20}", 0..200),
    ) {
        let mut counted = Counted::new(64);
        for target in &targets {
            counted.add(target.as_bytes());
        }
        prop_assert!(counted.templates.used() <= 64);
        let names = counted.names();
        prop_assert_eq!(names.values().sum::<u64>(), targets.len() as u64);
    }

    #[test]
    fn any_bytes_have_a_template(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut templates = Templates::new(64);
        let template = templates.place(&bytes);
        prop_assert!(templates.name(template).len() <= 3 * bytes.len() + 100);
    }
}

#[test]
fn a_target_is_of_the_template_that_it_is_placed_at() {
    let check = |target: &str, name: &str, expected: bool| {
        assert_eq!(
            is_of(target.as_bytes(), name.as_bytes()),
            expected,
            "{target} {name}"
        );
    };
    check("/user/17?x=1", "/user/{id}", true);
    check("http://a/user/17", "/user/{id}", true);
    check("/user/17/", "/user/{id}", false);
    check("/user/17/", "/user/{id}/", true);
    check("/user/me", "/user/{id}", false);
    check("/user/me", "/user/{name}", true);
    check("/user/17", "/user/{name}", false);
    check("/log/2026-01-31", "/log/{date}", true);
    check("/user", "/user/{id}", false);
    check("*", "*", true);
    check("/*", "*", false);
    check("/", "/", true);
    check("/x", "", false);
    for target in [
        "/",
        "*",
        "a:80",
        "/a/b/c",
        "/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f",
        "//",
        "/a;b",
    ] {
        let mut templates = Templates::new(100);
        let template = templates.place(target.as_bytes());
        check(target, &templates.name(template), true);
    }
}
