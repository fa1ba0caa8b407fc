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
    /// The text to tell if `missing` is not what was told last.
    pub fn news(&self, key: &ObjectKey, missing: &[String]) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.is_empty() {
            told.remove(key);
            return None;
        }
        let digest = self.digest.hash_one(missing);
        if told.insert(key.clone(), digest) == Some(digest) {
            return None;
        }
        let named = missing.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match missing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("the provider has no secret for {named}{more}; their keys are left out"))
    }

    pub fn forget(&self, key: &ObjectKey) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_and_again_after_it_was_there() {
        let (missing, key) = (Missing::default(), ObjectKey::new("n", "es"));
        let entries: Vec<String> = (0..7).map(|n| format!("spec.data[{n}] (k)")).collect();
        let told = missing.news(&key, &entries).expect("news");
        assert!(told.contains("spec.data[4]") && told.contains("and 2 more") && !told.contains("data[5]"), "{told}");
        assert_eq!(missing.news(&key, &entries), None);
        assert!(missing.news(&key, &entries[..1]).is_some());
        assert_eq!(missing.news(&key, &[]), None);
        assert!(missing.news(&key, &entries[..1]).is_some());
    }
}
