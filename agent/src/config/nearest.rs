//! The known name nearest to one that is not known.

/// Names longer than this are not compared: no key is that long.
const COMPARED: usize = 64;

/// The candidate that `name` was most likely meant to be, if one is near enough: at most one wrong
/// letter in three.
pub(crate) fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let letters: Vec<char> = name.chars().take(COMPARED + 1).collect();
    if letters.len() > COMPARED {
        return None;
    }
    candidates
        .map(|candidate| (distance(&letters, &candidate), candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of letters to insert, remove or replace to make one of the other (Levenshtein).
fn distance(letters: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=letters.len()).collect();
    for (above, other) in candidate.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (index, letter) in letters.iter().enumerate() {
            let replaced = diagonal + usize::from(*letter != other);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[letters.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_not() {
        let check = |name: &str, expected: Option<&str>| {
            let candidates = ["log.format", "log.dir", "capture.ring"].map(str::to_owned);
            let found = nearest(name, candidates.into_iter());
            assert_eq!(found.as_deref(), expected, "{name:?}");
        };
        check("log.fromat", Some("log.format"));
        check("log.dri", Some("log.dir"));
        check("capture.rin", Some("capture.ring"));
        check("captüre.ring", Some("capture.ring"));
        check("server.listen", None);
        check("", None);
        check(&"x".repeat(1 << 20), None);
    }
}
