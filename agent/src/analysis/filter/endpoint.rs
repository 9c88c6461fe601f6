//! Endpoints as reports name them: `GET /user/{id}`, or a template alone.

use crate::analysis::format::Entry;
use crate::analysis::template::fits;

/// A method, where one was named, and a path template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EndpointShape {
    method: Option<Box<[u8]>>,
    template: Box<[u8]>,
}

impl EndpointShape {
    /// What stands before the first space is a method, unless it has a slash in it.
    pub(super) fn new(text: &str) -> Self {
        let (method, template) = match text.split_once(' ') {
            Some(("-", template)) => (None, template),
            Some((method, template)) if !method.contains('/') => (Some(method), template),
            _ => (None, text),
        };
        Self {
            method: method.map(|method| method.as_bytes().into()),
            template: template.as_bytes().into(),
        }
    }

    /// Whether it is a request of this endpoint.
    pub(super) fn has(&self, entry: &Entry<'_>) -> bool {
        let is_method = self
            .method
            .as_ref()
            .is_none_or(|method| method.eq_ignore_ascii_case(entry.method));
        is_method && fits(&self.template, entry.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_an_endpoint() {
        let check = |shape: &str, method: &str, target: &str, expected: bool| {
            let entry = Entry {
                method: method.as_bytes(),
                target: target.as_bytes(),
                ..Entry::default()
            };
            let found = EndpointShape::new(shape).has(&entry);
            assert_eq!(found, expected, "{shape}: {method} {target}");
        };
        check("GET /user/{id}", "GET", "/user/19", true);
        check("GET /user/{id}", "GET", "/user/19?page=2", true);
        check("GET /user/{id}", "POST", "/user/19", false);
        check("GET /user/{id}", "GET", "/user/19/orders", false);
        check("GET /user/{id}", "GET", "/user/me", false);
        check("/user/{name}", "GET", "/user/me", true);
        check("- /user/{name}/x", "PUT", "/user/me/x", true);
        check("/user/{name}", "GET", "/user/", false);
        check("/day/{date}", "GET", "/day/2026-11-01", true);
        check("/", "GET", "/", true);
        check("/", "GET", "/a", false);
        check("*", "OPTIONS", "*", true);
        check("/a/…", "GET", "/a/b/c", true);
        check("/a/…", "GET", "/b/b/c", false);
    }
}
