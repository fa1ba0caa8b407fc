//! What a change of a store means for its users. Pure.

use api::{
    condition::{self, Condition},
    names::condition_type::READY,
    store::{SecretStoreSpec, StoreCondition, StoreStatus},
};
use serde_json::{Map, Value};

use crate::{engine::object::Watched, reconcile::external_secret::stores::Class};

/// See the module documentation.
#[derive(Debug, Default, PartialEq)]
pub struct Change {
    /// It may serve other values: whoever has some of it fetches.
    pub values: bool,
    /// It may serve what it did not: whoever is not synced tries again.
    pub hope: bool,
    /// Whose it is may be another matter than before, or nothing is known of what it was: whoever uses it looks whether
    /// something is to be done. One who stood still while the store was another operator's has no timer.
    pub owner: bool,
    /// Who may use it, before and now.
    pub conditions: Option<(Vec<StoreCondition>, Vec<StoreCondition>)>,
}

impl Change {
    pub fn between<K>(before: &Watched<K>, now: &Watched<K>) -> Self {
        let (mut spec_before, mut spec_now) = (spec(before), spec(now));
        // Permission has its own word below.
        spec_before.remove("conditions");
        spec_now.remove("conditions");
        let (conditions_before, conditions_now) = (conditions(before), conditions(now));
        Self {
            values: provider(before) != provider(now),
            hope: spec_before != spec_now || is_ready(before) != is_ready(now),
            owner: Class::of(before) != Class::of(now),
            conditions: (conditions_before != conditions_now).then_some((conditions_before, conditions_now)),
        }
    }

    /// Of a store that is new. `before`: what one was that had its name; none if nothing is known of one.
    pub fn new<K>(before: Option<Former>, now: &Watched<K>) -> Self {
        // Of another time, or of another leader: nobody knows what its users were told.
        let Some(before) = before else { return Self { hope: true, owner: true, ..Self::default() } };
        let now = Former::of(now);
        Self {
            values: before.provider.is_some() && before.provider != now.provider,
            hope: true,
            owner: before.class != now.class,
            conditions: (before.conditions != now.conditions).then_some((before.conditions, now.conditions)),
        }
    }

    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is remembered of a store that is gone, should it return as something else.
#[derive(Debug)]
pub struct Former {
    provider: Option<Value>,
    class: Class,
    conditions: Vec<StoreCondition>,
}

impl Former {
    pub fn of<K>(store: &Watched<K>) -> Self {
        Self { provider: provider(store), class: Class::of(store), conditions: conditions(store) }
    }
}

/// The part of a store's spec that decides which values it serves: the backend, the place in it, and as whom it is asked.
/// Not how often, how patiently and for whom. What a Fake holds are its entries, not its place: as with other backends, they
/// are fetched when they are due.
fn provider<K>(store: &Watched<K>) -> Option<Value> {
    let mut provider = spec(store).remove("provider")?;
    if let Some(fake) = provider.get_mut("fake") {
        *fake = Value::Null;
    }
    Some(provider)
}

fn spec<K>(store: &Watched<K>) -> Map<String, Value> {
    store.spec().unwrap_or_default()
}

fn conditions<K>(store: &Watched<K>) -> Vec<StoreCondition> {
    store.spec::<SecretStoreSpec>().map(|spec| spec.conditions).unwrap_or_default()
}

/// None before the first check.
fn is_ready<K>(store: &Watched<K>) -> Option<bool> {
    let status: StoreStatus = store.status();
    condition::find(&status.conditions, READY).map(Condition::is_true)
}

#[cfg(test)]
mod tests {
    use api::store::ClusterSecretStore;
    use serde_json::json;

    use super::*;

    fn store(spec: &Value, ready: &Value) -> Watched<ClusterSecretStore> {
        let ready = json!({"type": "Ready", "status": ready, "reason": "any", "message": "any"});
        serde_json::from_value(json!({
            "metadata": {"name": "store", "uid": "u", "resourceVersion": "1"},
            "spec": spec,
            "status": {"conditions": if ready["status"].is_null() { json!([]) } else { json!([ready]) }},
        }))
        .expect("a store")
    }

    #[test]
    fn values_are_decided_by_the_provider_and_permission_by_the_conditions() {
        let spec = json!({
            "provider": {"vault": {"server": "https://a", "path": "secret"}},
            "conditions": [{"namespaces": ["a"]}],
            "refreshInterval": 60,
        });
        let before = store(&spec, &json!("True"));
        let with = |part: &str, value: Value| {
            let mut spec = spec.clone();
            spec[part] = value;
            spec
        };
        let elsewhere = json!({"vault": {"server": "https://a", "path": "other"}});
        let reordered = json!({"vault": {"path": "secret", "server": "https://a"}});
        for (what, now, ready, values, hope, turned) in [
            ("nothing", spec.clone(), "True", false, false, false),
            ("another place", with("provider", elsewhere), "True", true, true, false),
            ("the same in another order", with("provider", reordered), "True", false, false, false),
            ("how often it is checked", with("refreshInterval", json!(5)), "True", false, true, false),
            ("how patiently", with("retrySettings", json!({"maxRetries": 1})), "True", false, true, false),
            ("whom it allows", with("conditions", json!([{"namespaces": ["b"]}])), "True", false, false, true),
            ("its state", spec.clone(), "False", false, true, false),
        ] {
            let change = Change::between(&before, &store(&now, &json!(ready)));
            assert_eq!((change.values, change.hope, change.conditions.is_some()), (values, hope, turned), "{what}");
            assert_eq!(change.is_none(), !values && !hope && !turned, "{what}");
            assert!(!change.owner, "{what}");
        }
        let checked = Change::between(&store(&spec, &Value::Null), &before);
        assert!(checked.hope && !checked.values, "its first check");
    }

    #[test]
    fn store_made_anew_serves_the_same_unless_its_provider_differs() {
        let vault = |server: &str| store(&json!({"provider": {"vault": {"server": server}}}), &Value::Null);
        for (before, values) in [
            (None, false),
            (Some(Former::of(&vault("https://a"))), false),
            (Some(Former::of(&vault("https://b"))), true),
        ] {
            let what = format!("{before:?}");
            let change = Change::new(before, &vault("https://a"));
            assert_eq!((change.values, change.hope, change.conditions), (values, true, None), "{what}");
        }
    }

    #[test]
    fn permission_of_a_store_made_anew_is_compared_with_that_of_the_former() {
        let limited = |namespaces: &[&str]| {
            let spec = json!({"provider": {"fake": {"data": []}}, "conditions": [{"namespaces": namespaces}]});
            store(&spec, &Value::Null)
        };
        let open = store(&json!({"provider": {"fake": {"data": []}}}), &Value::Null);
        let now = limited(&["a"]);
        for (before, turned) in [(limited(&["a"]), false), (limited(&["b"]), true), (open, true)] {
            let change = Change::new(Some(Former::of(&before)), &now);
            assert_eq!(change.conditions, turned.then(|| (conditions(&before), conditions(&now))), "{before:?}");
        }
    }

    #[test]
    fn class_that_is_another_is_told_to_all_and_no_class_is_the_empty_one() {
        let of = |class: Value| store(&json!({"controller": class, "provider": {"fake": {}}}), &json!("True"));
        for (before, now, other) in [
            (json!("blue"), Value::Null, true),
            (Value::Null, json!("blue"), true),
            (json!("blue"), json!("green"), true),
            (json!("blue"), json!("blue"), false),
            (json!(""), Value::Null, false),
        ] {
            let (before, now) = (of(before), of(now));
            assert_eq!(Change::between(&before, &now).owner, other, "{before:?} {now:?}");
            assert_eq!(Change::new(Some(Former::of(&before)), &now).owner, other, "made anew: {before:?} {now:?}");
        }
        assert!(Change::new(None, &of(Value::Null)).owner, "nobody knows what it was");
    }

    #[test]
    fn entries_of_a_fake_are_no_place_and_give_hope() {
        let fake = |data: Value| store(&json!({"provider": {"fake": {"data": data}}}), &json!("True"));
        let change = Change::between(&fake(json!([])), &fake(json!([{"key": "a", "value": "b"}])));
        assert_eq!((change.values, change.hope), (false, true));
        let vault = store(&json!({"provider": {"vault": {"server": "https://a"}}}), &json!("True"));
        assert!(Change::between(&fake(json!([])), &vault).values, "another backend is another place");
    }
}
