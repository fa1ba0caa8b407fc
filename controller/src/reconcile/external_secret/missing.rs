//! Entries that the provider does not have and the deletion policy lets pass: told when they change, not each time.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

use crate::engine::ObjectKey;

/// What was told last, by ExternalSecret; only those with something missing take a place.
#[derive(Default)]
pub struct Missing {
    told: Mutex<HashMap<ObjectKey, u64>>,
    digest: RandomState,
}

/// Entries named in one event; an event's note is short.
const NAMED: usize = 5;

impl Missing {
    /// The text to tell if `missing` is not what was told last. `said`: by the condition of the last refresh, which also
    /// knows what another process has told.
    pub fn news(&self, key: &ObjectKey, missing: &[String], said: Option<&str>) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.is_empty() {
            told.remove(key);
            return None;
        }
        let digest = self.digest.hash_one(missing);
        let is_told = match told.insert(key.clone(), digest) {
            Some(last) => last == digest,
            None => said.is_some_and(|said| said.ends_with(&left_out(missing))),
        };
        if is_told {
            return None;
        }
        Some(format!("{}; their keys are left out", listed(missing, NAMED)))
    }

    pub fn forget(&self, key: &ObjectKey) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Entries named in a condition, and the length of each: a status is not for megabytes.
const LISTED: usize = 20;
const LONGEST: usize = 120;

/// What the condition says after `message` of entries that are missing; the same as long as the same ones are.
pub fn told(message: &str, missing: &[String]) -> String {
    if missing.is_empty() {
        return message.to_owned();
    }
    format!("{message}{}", left_out(missing))
}

fn left_out(missing: &[String]) -> String {
    format!("; {}, their keys are left out", listed(missing, LISTED))
}

fn listed(missing: &[String], at_most: usize) -> String {
    let shortened = |entry: &String| match entry.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", entry.get(..end).unwrap_or_default()),
        None => entry.clone(),
    };
    let named = missing.iter().take(at_most).map(shortened).collect::<Vec<_>>().join(", ");
    let more = match missing.len().saturating_sub(at_most) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the provider has no secret for {named}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_and_again_after_it_was_there() {
        let (missing, key) = (Missing::default(), ObjectKey::new("n", "es"));
        let entries: Vec<String> = (0..7).map(|n| format!("spec.data[{n}] (k)")).collect();
        let told = missing.news(&key, &entries, None).expect("news");
        assert!(told.contains("spec.data[4]") && told.contains("and 2 more") && !told.contains("data[5]"), "{told}");
        let said = super::told("secret synced", &entries);
        assert_eq!(missing.news(&key, &entries, Some(&said)), None);
        assert!(missing.news(&key, &entries[..1], Some(&said)).is_some());
        assert_eq!(missing.news(&key, &[], None), None);
        assert!(missing.news(&key, &entries[..1], Some("secret synced")).is_some());
    }

    #[test]
    fn what_a_former_process_told_is_known_from_the_condition() {
        let (entries, key) = ([1, 2].map(|n| format!("spec.data[{n}] (k)")), ObjectKey::new("n", "es"));
        let said = told("secret synced", &entries);
        let missing = Missing::default();
        assert_eq!(missing.news(&key, &entries, Some(&said)), None);
        assert_eq!(missing.news(&key, &entries, None), None, "and from then on by itself");
        assert!(Missing::default().news(&key, &entries[..1], Some(&said)).is_some(), "others are missing now");
    }

    #[test]
    fn condition_lists_what_is_missing_within_bounds() {
        assert_eq!(told("secret synced", &[]), "secret synced");
        let entries: Vec<String> = (0..8).map(|n| format!("spec.data[{n}] (k{n})")).collect();
        let text = told("secret synced", &entries);
        assert!(text.starts_with("secret synced; the provider has no secret for spec.data[0] (k0), "), "{text}");
        assert!(text.contains("spec.data[7] (k7), their keys") && !text.contains("more"), "{text}");
        let text = told("secret synced", &vec!["é".repeat(1000); 100]);
        assert!(text.contains(" and 80 more") && text.len() < 10_000, "{}", text.len());
    }
}
