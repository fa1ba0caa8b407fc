//! The known name that a misspelt one was most likely meant to be.

/// Longest name that is compared, in characters: the cost is quadratic and the text is the user's.
const LONGEST: usize = 64;

/// The candidate closest to `name`, if it is close enough to be a slip: at most a third of it differs.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(LONGEST + 1).map(|c| c.to_ascii_lowercase()).collect();
    if name.len() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be added, dropped, changed or swapped with their neighbour; upper and lower case are equal.
fn distance(name: &[char], candidate: &str) -> usize {
    let candidate: Vec<char> = candidate.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=candidate.len()).collect()];
    for (i, from) in name.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in candidate.iter().enumerate() {
            let mut cost = (rows[i][j] + usize::from(from != to)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == candidate[j - 1] && name[i - 1] == *to {
                cost = cost.min(rows[i - 1][j - 1] + 1);
            }
            row.push(cost);
        }
        rows.push(row);
    }
    rows[name.len()][candidate.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["vault", "aws", "fake", "onepasswordSDK"];

    #[test]
    fn slips_find_what_was_meant() {
        for (name, meant) in [
            ("vualt", "vault"),
            ("Vault", "vault"),
            ("valt", "vault"),
            ("asw", "aws"),
            ("onepasswordsdk", "onepasswordSDK"),
        ] {
            assert_eq!(nearest(name, KNOWN), Some(meant), "{name}");
        }
    }

    #[test]
    fn unrelated_and_endless_names_find_nothing() {
        assert_eq!(nearest("postgresql", KNOWN), None);
        assert_eq!(nearest(&"v".repeat(1_000_000), KNOWN), None);
    }
}
