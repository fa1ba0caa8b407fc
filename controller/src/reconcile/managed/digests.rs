//! What an object holds, in a form that tells only whether another holds the same.
//!
//! Digests are keyed by chance: outside of this process they mean nothing, and nobody can try values on them. 16 bytes for
//! each value.

use std::{
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use serde_json::Value;

/// The values of an object by name, both as digests, sorted by name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Digests(Box<[(u64, u64)]>);

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Digests {
    pub fn new<N: AsRef<str>, V: AsRef<[u8]>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        let digest = |(name, value): (N, V)| (KEYS.hash_one(name.as_ref()), KEYS.hash_one(value.as_ref()));
        Self::sorted(values.into_iter().map(digest).collect())
    }

    /// The values in a tree by their paths.
    pub fn of_tree(tree: &Value) -> Self {
        let mut digests = Vec::new();
        leaves(tree, &mut String::new(), &mut digests);
        Self::sorted(digests)
    }

    fn sorted(mut digests: Vec<(u64, u64)>) -> Self {
        digests.sort_unstable();
        Self(digests.into())
    }

    /// The values that are here under names of `wanted`.
    #[must_use]
    pub fn under_names_of(&self, wanted: &Self) -> Self {
        Self(self.0.iter().filter(|(name, _)| wanted.value(*name).is_some()).copied().collect())
    }

    /// Whether every value of `part` is here as it is there.
    pub fn has(&self, part: &Self) -> bool {
        part.0.iter().all(|(name, value)| self.value(*name) == Some(*value))
    }

    /// Whether there is a value for every name of `part`.
    pub fn has_names_of(&self, part: &Self) -> bool {
        part.0.iter().all(|(name, _)| self.value(*name).is_some())
    }

    fn value(&self, name: u64) -> Option<u64> {
        let index = self.0.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        self.0.get(index).map(|(_, value)| *value)
    }
}

fn leaves(tree: &Value, path: &mut String, digests: &mut Vec<(u64, u64)>) {
    let mut under = |name: &str, value: &Value| {
        let end = path.len();
        // What no name holds: paths do not run into each other.
        path.push('\0');
        path.push_str(name);
        leaves(value, path, digests);
        path.truncate(end);
    };
    match tree {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| under(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| under(&index.to_string(), item)),
        leaf => digests.push((KEYS.hash_one(path.as_str()), KEYS.hash_one(leaf))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn part_is_told_from_a_changed_and_a_missing_one() {
        let of = |values: &[(&str, &str)]| Digests::new(values.iter().copied());
        let whole = of(&[("ours", "1"), ("theirs", "2")]);
        for (part, has, has_names) in [
            (of(&[("ours", "1")]), true, true),
            (of(&[("ours", "2")]), false, true),
            (of(&[("gone", "1")]), false, false),
            (of(&[]), true, true),
        ] {
            assert_eq!((whole.has(&part), whole.has_names_of(&part)), (has, has_names), "{part:?}");
        }
        assert_eq!(whole.under_names_of(&of(&[("ours", "wanted"), ("gone", "x")])), of(&[("ours", "1")]));
    }

    #[test]
    fn values_of_a_tree_are_known_by_their_paths() {
        let whole = Digests::of_tree(&json!({"db": {"host": "h", "port": 1}, "rules": [{"from": "a", "to": "b"}]}));
        for (part, has) in [
            (json!({"db": {"host": "h"}}), true),
            (json!({"rules": [{"to": "b"}]}), true),
            (json!({"db": {"host": "other"}}), false),
            (json!({"host": "h"}), false),
            (json!({"db": {"port": "1"}}), false),
        ] {
            assert_eq!(whole.has(&Digests::of_tree(&part)), has, "{part}");
        }
    }
}
