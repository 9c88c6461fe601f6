//! Texts of strangers as they may stand in an output: on a terminal, in HTML, in Markdown.
//!
//! Everywhere, what cannot be seen but does something is made visible as `\u{…}`: control characters
//! (so that no escape sequence reaches a terminal), line and paragraph separators, marks that turn the
//! direction of writing, characters without a width, and the tags that copy ASCII unseen.

use std::borrow::Cow;
/// The text with everything visible.
#[must_use]
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match is_hidden(letter) {
            true => shown.push_str(&format!("{}", letter.escape_unicode())),
            false => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// Whether it does something that is not seen.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// For the text of an element and for the value of an attribute in double quotes.
#[must_use]
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in visible(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// For a cell of a Markdown table and for a line of a list: a code span where the text has anything
/// that could be markup, or become a link.
#[must_use]
pub(crate) fn markdown(text: &str) -> String {
    let text = visible(text);
    let is_plain = |letter: char| {
        letter.is_alphanumeric() || matches!(letter, ' ' | '%' | ',' | '-' | '+' | '(' | ')' | '/')
    };
    // A dot between digits is one of a number, and of no host.
    let has_words = text.contains(|letter: char| letter.is_alphabetic());
    let is_plain = |letter: char| is_plain(letter) || (!has_words && matches!(letter, '.' | ':'));
    if text.chars().all(is_plain) && !text.starts_with(['-', '+', ' ']) && !text.ends_with(' ') {
        return text.into_owned();
    }
    code(&text)
}

/// A code span. A `|`, which would end a cell, is shown as its number.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\u{7c}");
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = match letter {
            '`' => run + 1,
            _ => 0,
        };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let blank = match text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) || text.is_empty()
    {
        true => " ",
        false => "",
    };
    format!("{fence}{blank}{text}{blank}{fence}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_hides_is_shown() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected, "{text:?}");
        check("GET /한글 é 😀", "GET /한글 é 😀");
        check("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m");
        check("\u{9b}2J\r\n\t", "\\u{9b}2J\\u{d}\\u{a}\\u{9}");
        check("a\u{202e}gpj.exe", "a\\u{202e}gpj.exe");
        check(
            "a\u{200b}b\u{2066}c\u{feff}",
            "a\\u{200b}b\\u{2066}c\\u{feff}",
        );
        check("\u{e0041}", "\\u{e0041}");
    }

    #[test]
    fn markup_is_text_in_html() {
        assert_eq!(
            html("<script>alert('x')</script> & \"y\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"
        );
    }

    #[test]
    fn markup_is_code_in_markdown() {
        let check = |text: &str, expected: &str| assert_eq!(markdown(text), expected, "{text:?}");
        check("GET /api/user", "GET /api/user");
        check("12.5", "12.5");
        check("www.example.com", "`www.example.com`");
        check("[x](javascript:alert(1))", "`[x](javascript:alert(1))`");
        check("a|b", "`a\\u{7c}b`");
        check("a`b", "``a`b``");
        check("`", "`` ` ``");
        check("<b>", "`<b>`");
        check("- x", "`- x`");
        check("", "");
    }

    proptest! {
        #[test]
        fn nothing_breaks_out(text in any::<String>()) {
            prop_assert!(!visible(&text).contains(is_hidden));
            prop_assert!(!html(&text).contains(['<', '>', '"', '\'']));
            let markdown = markdown(&text);
            prop_assert!(!markdown.contains(['|', '\n', '\r']));
            prop_assert!(!markdown.contains('<') || markdown.starts_with('`'));
        }
    }
}
