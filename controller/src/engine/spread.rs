//! Parts in time what would otherwise happen together: a number that depends on who asks and on nothing else.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A number in [0, 1), evenly spread over different values of `who`, the same for the same one.
pub fn fraction(who: impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    who.hash(&mut hasher);
    f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousand_names_are_spread_over_all_tenths() {
        let mut tenths = [0; 10];
        for name in 0..1000 {
            let fraction = fraction(name);
            assert!((0.0..1.0).contains(&fraction));
            let bounds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
            tenths[bounds.iter().position(|bound| fraction < *bound).expect("below 1")] += 1;
        }
        assert!(tenths.iter().all(|count| (50..200).contains(count)), "{tenths:?}");
    }
}
