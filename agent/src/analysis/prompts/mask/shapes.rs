//! Shapes of what is secret or tells of a person, by the letters alone.

/// The least length of a word that may be a token,
const TOKEN: usize = 20;
/// of one whose letters and digits change often,
const MIXED: usize = 12;
/// and behind the begin of a known key.
const KEY: usize = 12;

/// How keys of well-known services begin.
const KEYS: [&str; 18] = [
    "AKIA", "ASIA", "AIza", "AGPA", "AROA", "ghp_", "gho_", "ghs_", "ghu_", "glpat-", "sk-",
    "sk_live_", "sk_test_", "pk_live_", "rk_live_", "xoxb-", "xoxp-", "npm_",
];

/// Digits from which a number may be that of a person.
const DIGITS: usize = 9;

/// Whether a word or a piece of a path is an e-mail address.
pub(super) fn is_mail(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':']);
    let halves = word
        .split_once('@')
        .or_else(|| word.split_once("%40"))
        .map(|(name, domain)| (name.rsplit([':', '~']).next().unwrap_or(name), domain));
    let ok = |part: &str| !part.is_empty() && !part.contains(['/', ':']);
    halves.is_some_and(|(name, domain)| ok(name) && ok(domain) && domain.contains('.'))
}

/// Whether it is a JSON Web Token: a header in base64, then more behind a dot.
pub(super) fn is_web_token(word: &str) -> bool {
    let is_of_token =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '=' | '.');
    word.starts_with("eyJ") && word.len() >= MIXED && word.chars().all(is_of_token)
}

/// Whether it looks drawn at random, or begins as keys do.
pub(super) fn is_token(word: &str) -> bool {
    let is_of_token =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '=' | '+');
    if !word.chars().all(is_of_token) {
        return false;
    }
    let is_key = |begin: &str| word.starts_with(begin) && word.len() >= begin.len() + KEY;
    if KEYS.iter().any(|begin| is_key(begin)) {
        return true;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    if word.len() >= TOKEN && digits >= 4 && letters >= 4 {
        return true;
    }
    let changes = word
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count();
    word.len() >= MIXED && digits + letters == word.len() && changes >= 4
}

/// Whether it is a number that may be a person's: of a card, a telephone, a register. A date is none;
/// in the middle of text digits need a dash, since sizes and times are long too.
pub(super) fn is_number(word: &str, is_path: bool) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let dashes = word.bytes().filter(|byte| *byte == b'-').count();
    digits >= DIGITS
        && digits + dashes == word.len()
        && dashes <= 4
        && (is_path || (dashes > 0 && !is_date(word)) || is_card(word))
}

/// The length of a card's number in groups of four at the begin.
pub(super) fn card_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes().get(..19)?;
    let is_one = bytes.iter().enumerate().all(|(place, byte)| match place {
        4 | 9 | 14 => matches!(byte, b' ' | b'-'),
        _ => byte.is_ascii_digit(),
    });
    let goes_on = text.as_bytes().get(19).is_some_and(u8::is_ascii_digit);
    (is_one && !goes_on && is_card(text.get(..19)?)).then_some(19)
}

/// Whether digits are a card's number: 15 or 16 of them, of which the last checks the others.
fn is_card(word: &str) -> bool {
    let digits: Vec<u32> = word
        .chars()
        .filter_map(|letter| letter.to_digit(10))
        .collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    matches!(digits.len(), 15 | 16)
        && matches!(digits.first(), Some(2..=6))
        && sum.is_multiple_of(10)
}

/// `2026-01-31`, and what may stand behind it.
fn is_date(word: &str) -> bool {
    let bytes = word.as_bytes();
    let is_dash = |place: usize| bytes.get(place) == Some(&b'-');
    let year = word.get(..4).unwrap_or_default();
    is_dash(4) && is_dash(7) && (year.starts_with("19") || year.starts_with("20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_words() {
        for token in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_0123456789abcdef",
            "aB3dE5fG7hJ9",
            "9f86d081884c7d659a2feaa0c55ad015",
            "123e4567-e89b-12d3-a456-426614174000",
        ] {
            assert!(is_token(token), "{token}");
        }
        for word in [
            "internationalization",
            "galaxy-s24",
            "2026-11-21T12",
            "AppleWebKit",
            "sk-learn",
            "product_detail_page_view",
        ] {
            assert!(!is_token(word), "{word}");
        }
    }

    #[test]
    fn numbers() {
        let check = |word: &str, in_path: bool, in_text: bool| {
            let found = (is_number(word, true), is_number(word, false));
            assert_eq!(found, (in_path, in_text), "{word}");
        };
        check("4111111111111111", true, true);
        check("850101-1234567", true, true);
        check("010-1234-5678", true, true);
        check("1700000000000", true, false);
        check("4327123456", true, false);
        check("2026-11-21", false, false);
        check("2026-11-21-10", true, false);
        check("12345678", false, false);
        assert_eq!(card_length("4111 1111 1111 1111 x"), Some(19));
        assert_eq!(card_length("4111 1111 1111 1112 x"), None);
        assert_eq!(card_length("200 4327"), None);
    }
}
