//! What would go from a target, and what of it is a loss of a store. Pure.

use std::{collections::BTreeSet, slice};

use api::plan::{Entry, Fetch, Plan, ResolvedStoreRef};

use super::{Lost, served};
use crate::engine::ObjectKey;

/// What would go from a target because entries are missing.
pub struct Going<'a> {
    /// Indexes of the entries that are missing, and of searches that found nothing.
    pub gone: &'a [usize],
    /// The keys that would go; `None`: the whole target.
    pub removed: Option<&'a [String]>,
    /// The keys that this ExternalSecret wrote.
    pub ours: &'a BTreeSet<String>,
    /// Whether spec or templates have changed since the target was in step: keys may go because of that.
    pub edited: bool,
}

/// What would go is a loss of the store; and how much its searches have brought, if it is searched. `may_be_its`: whether a
/// key that a search brought may have come from this store.
pub fn lost(
    key: &ObjectKey,
    plan: &Plan,
    going: &Going<'_>,
    store: &ResolvedStoreRef,
    may_be_its: impl Fn(&str) -> bool,
) -> (Vec<Lost>, Option<(u64, usize)>) {
    let gone = going.gone.iter().filter_map(|index| plan.entries.get(*index));
    let gone = gone.filter(|entry| entry.store == *store && is_concerned(entry, plan, going.removed));
    let mut lost: Vec<Lost> = gone.filter_map(|entry| served::entry_of(&entry.fetch)).map(Lost::named).collect();
    let is_searched = |entry: &Entry| entry.store == *store && matches!(entry.fetch, Fetch::Find(_));
    if !plan.entries.iter().any(is_searched) {
        return (lost, None);
    }
    let by = served::searcher(key);
    let holds = going.ours.iter().filter(|key| may_be_found(plan, key) && may_be_its(key)).count();
    match going.removed {
        None => lost.push(Lost::search(by, holds)),
        Some(removed) => {
            // What others put into the target is no loss of the store.
            let is_ours = |key: &&String| going.ours.is_empty() || going.ours.contains(*key);
            let found = removed.iter().filter(|key| may_be_found(plan, key) && may_be_its(key)).filter(is_ours);
            lost.extend(found.map(|key| Lost::found(by, served::brought(by, key), going.edited)));
        }
    }
    (lost, Some((by, holds)))
}

/// Whether a search may have brought the key: no entry of `data` is named for it.
fn may_be_found(plan: &Plan, key: &str) -> bool {
    !plan.entries.iter().any(|entry| matches!(&entry.fetch, Fetch::Value { secret_key, .. } if secret_key == key))
}

/// The keys that stay while deletions are held. A template may make anything of any value, and needs them all.
pub fn kept(plan: &Plan, going: &Going<'_>) -> Option<Vec<String>> {
    let removed = going.removed.filter(|_| plan.target.template.is_none())?;
    let is_missing = |key: &&String| {
        let mut gone = going.gone.iter().filter_map(|index| plan.entries.get(*index));
        gone.any(|entry| is_concerned(entry, plan, Some(slice::from_ref(*key))))
            || (may_be_found(plan, key) && plan.entries.iter().any(|entry| matches!(entry.fetch, Fetch::Find(_))))
    };
    Some(removed.iter().filter(is_missing).cloned().collect())
}

/// Whether a missing entry can be why keys would go. Where the key of an entry is known, it must be one of them.
fn is_concerned(entry: &Entry, plan: &Plan, removed: Option<&[String]>) -> bool {
    match (removed, &entry.fetch) {
        (Some(removed), Fetch::Value { secret_key, .. }) if plan.target.template.is_none() => {
            removed.contains(secret_key)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_entry_is_concerned_when_its_key_would_go_or_may_be_anywhere() {
        let plan = |template: Option<&str>| {
            let template = template.map(|text| serde_json::json!({"data": {"x": text}}));
            let spec = serde_json::from_value(serde_json::json!({
                "secretStoreRef": {"name": "store"},
                "target": {"template": template},
                "data": [{"secretKey": "a", "remoteRef": {"key": "one"}}],
                "dataFrom": [{"extract": {"key": "two"}}],
            }));
            Plan::new("es", &spec.expect("spec")).expect("plan")
        };
        let (keys, others) = (["a".to_owned()], ["b".to_owned()]);
        for (plan, removed, expected) in [
            (plan(None), Some(&keys[..]), [true, true]),
            (plan(None), Some(&others[..]), [true, false]),
            (plan(None), None, [true, true]),
            (plan(Some("{{ .a }}")), Some(&others[..]), [true, true]),
        ] {
            let concerned: Vec<_> = plan.entries.iter().map(|entry| is_concerned(entry, &plan, removed)).collect();
            assert_eq!(concerned, expected, "dataFrom, data: {removed:?}");
        }
    }

    #[test]
    fn keys_of_a_search_are_its_losses_and_stay_where_no_template_needs_them() {
        let plan = |template: Option<&str>| {
            let template = template.map(|text| serde_json::json!({"data": {"x": text}}));
            let spec = serde_json::from_value(serde_json::json!({
                "secretStoreRef": {"name": "store"},
                "target": {"template": template, "deletionPolicy": "Merge"},
                "data": [{"secretKey": "a", "remoteRef": {"key": "one"}}, {"secretKey": "b", "remoteRef": {"key": "two"}}],
                "dataFrom": [{"find": {"path": "p"}}],
            }));
            Plan::new("es", &spec.expect("spec")).expect("plan")
        };
        let texts = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let key = ObjectKey::new("n", "es");
        let by = served::searcher(&key);
        let found = |name: &str, edited| Lost::found(by, served::brought(by, name), edited);
        let ours: BTreeSet<String> = texts(&["a", "b", "x", "y"]).into_iter().collect();
        let named = Lost::named(served::entry_of(&plan(None).entries[1].fetch).expect("an entry"));
        // "a" is missing; "b" goes because the spec says so, "theirs" because others put it there.
        let removed = texts(&["a", "b", "theirs", "x"]);
        for edited in [false, true] {
            let plan = plan(None);
            let going = Going { gone: &[1], removed: Some(&removed), ours: &ours, edited };
            let store = &plan.entries[0].store;
            assert_eq!(lost(&key, &plan, &going, store, |_| true), (vec![named, found("x", edited)], Some((by, 2))));
            assert_eq!(lost(&key, &plan, &going, store, |_| false), (vec![named], Some((by, 0))), "another store's");
            assert_eq!(kept(&plan, &going), Some(texts(&["a", "theirs", "x"])));
        }
        let whole = Going { gone: &[0, 1, 2], removed: None, ours: &ours, edited: false };
        let all = lost(&key, &plan(None), &whole, &plan(None).entries[0].store, |_| true).0;
        assert_eq!((all.len(), all[2]), (3, Lost::search(by, 2)));
        assert_eq!(kept(&plan(None), &whole), None);
        let templated = Going { gone: &[1], removed: Some(&removed), ours: &ours, edited: false };
        assert_eq!(kept(&plan(Some("{{ .a }}")), &templated), None);
    }
}
