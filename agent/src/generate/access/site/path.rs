//! Paths of pages and targets: which stands for which, and what stands for a wildcard.

/// Whether a target is the one that is named: the same, or with more of a query behind it.
pub(super) fn matches(target: &str, named: &str) -> bool {
    target.strip_prefix(named).is_some_and(|rest| {
        let more = if named.contains('?') { '&' } else { '?' };
        rest.is_empty() || rest.starts_with(more)
    })
}

/// Whether a page is one of those that a path stands for: `*` and `{…}` in it are one text of many, and it
/// is of no meaning which of the two is written.
pub(super) fn stands_for(path: &str, page: &str) -> bool {
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
pub(super) fn with_stars(path: &str) -> String {
    filled(path, "*")
}

/// Whether it is the page of a product, or of all of them.
pub(super) fn is_product(path: &str) -> bool {
    ["/products", "/product/"]
        .iter()
        .any(|begin| path.starts_with(begin))
}

/// The path with `value` for each `*` and `{…}`.
pub(super) fn filled(path: &str, value: &str) -> String {
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
