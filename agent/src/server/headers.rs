//! The fields that every answer carries, so that a browser does with it only what it is for: nothing
//! is run but the scripts of this server, nothing is framed, sniffed or handed to another site.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// What a page of this server may load: its own scripts, styles, images and numbers, and nothing inline.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// Names and values; one that an answer has already is left as it is.
const FIELDS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    // For browsers that do not know frame-ancestors.
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    // What was captured stays out of caches; files that never change say so themselves.
    (CACHE_CONTROL, "no-store"),
];

/// Puts them into an answer.
pub(super) fn add(fields: &mut HeaderMap) {
    for (name, value) in FIELDS {
        fields
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_itself_stays() {
        let mut fields = HeaderMap::new();
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        add(&mut fields);
        assert_eq!(fields.len(), FIELDS.len());
        assert_eq!(fields[CACHE_CONTROL], "max-age=60");
        assert_eq!(fields[CONTENT_SECURITY_POLICY], POLICY);
    }

    #[test]
    fn the_policy_allows_nothing_inline_and_nothing_from_elsewhere() {
        assert!(POLICY.starts_with("default-src 'none';"));
        for word in ["unsafe", "http", "*", "  ", "blob:"] {
            assert!(!POLICY.contains(word), "{word}");
        }
    }
}
