//! What a merge patch takes from an object, by name. Pure.

use serde_json::Value;

use crate::reconcile::external_secret::kind::Changes;

/// Keys of `data_path` by themselves, other fields by their path (`spec.rules[0].from`); metadata does not count.
pub fn of(existing: &Value, patch: &Value, data_path: &str) -> Changes {
    let mut changes = Changes::default();
    for (name, new) in patch.as_object().into_iter().flatten() {
        if let (false, Some(old)) = (matches!(name.as_str(), "metadata" | "apiVersion" | "kind"), existing.get(name)) {
            merged(old, new, name, &mut changes);
        }
    }
    let prefix = format!("{}.", data_path.trim_start_matches('/').replace('/', "."));
    for name in changes.removed.iter_mut().chain(&mut changes.replaced) {
        if let Some(key) = name.strip_prefix(&prefix) {
            *name = key.to_owned();
        }
    }
    changes
}

/// Maps are merged, all else is replaced.
fn merged(old: &Value, new: &Value, path: &str, changes: &mut Changes) {
    match (old, new) {
        (_, Value::Null) => gone(old, path, changes),
        (Value::Object(old), Value::Object(new)) => {
            for (name, new) in new {
                if let Some(old) = old.get(name) {
                    merged(old, new, &format!("{path}.{name}"), changes);
                }
            }
        }
        _ => replaced(old, new, path, changes),
    }
}

/// One whole in place of another.
fn replaced(old: &Value, new: &Value, path: &str, changes: &mut Changes) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, old) in old {
                let path = format!("{path}.{name}");
                match new.get(name) {
                    Some(new) => replaced(old, new, &path, changes),
                    None => gone(old, &path, changes),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (index, old) in old.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match new.get(index) {
                    Some(new) => replaced(old, new, &path, changes),
                    None => gone(old, &path, changes),
                }
            }
        }
        _ if old == new => {}
        _ => changes.replaced.push(path.to_owned()),
    }
}

/// The values in it by name, or itself where it holds none.
fn gone(old: &Value, path: &str, changes: &mut Changes) {
    match old {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, field)| gone(field, &format!("{path}.{name}"), changes));
        }
        _ => changes.removed.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_is_named_and_what_comes_is_not() {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let there = json!({
            "metadata": {"labels": {"a": "b"}}, "data": {"a": "1", "b": "2"},
            "spec": {"data": {"k": "1"}, "db": {"host": "h", "port": 1}, "rules": [{"from": "a", "to": "b"}, "x"]},
        });
        for (patch, path, removed, replaced) in [
            (json!({"metadata": {"labels": {"a": null}}, "data": {"new": "x"}}), "/data", &[][..], &[][..]),
            (json!({"data": {"a": null, "b": "other"}}), "/data", &["a"], &["b"]),
            (json!({"data": null}), "/data", &["a", "b"], &[]),
            (json!({"spec": {"data": {"k": null}, "db": {"port": 2}}}), "/spec/data", &["k"], &["spec.db.port"]),
            (json!({"spec": {"db": null}}), "/spec/data", &["spec.db.host", "spec.db.port"], &[]),
            (json!({"spec": {"db": "text"}}), "/spec/data", &[], &["spec.db"]),
            (
                json!({"spec": {"rules": [{"from": "c"}]}}),
                "/spec/data",
                &["spec.rules[0].to", "spec.rules[1]"],
                &["spec.rules[0].from"],
            ),
        ] {
            let expected = Changes { removed: texts(removed), replaced: texts(replaced), ..Changes::default() };
            assert_eq!(of(&there, &patch, path), expected, "{patch}");
        }
    }
}
