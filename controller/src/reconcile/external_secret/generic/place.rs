//! Places in an object: putting values there, and taking away what was put there before. Pure.

use api::field_path::{FieldPath, Step};
use serde_json::{Map, Value};

/// Puts a value where a path leads, and makes the way there. A map joins a map that is there already; at the top of the
/// object, and whatever is no map, replaces it.
///
/// Nothing in a map is as good as no entry: patches cannot say otherwise.
pub fn put(object: &mut Value, path: &FieldPath, mut value: Value) {
    drop_nothings(&mut value);
    let Some(place) = reach(object, path.steps()) else { return };
    match (place, value) {
        (Value::Object(there), Value::Object(new)) if path.steps().len() > 1 => there.extend(new),
        (place, value) => *place = value,
    }
}

/// The place of the last step, made if need be. `None` never comes for a path, which has steps.
fn reach<'a>(object: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    let mut place = object;
    for step in steps {
        place = match step {
            Step::Field(name) => {
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                place.as_object_mut()?.entry(name.clone()).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if !place.is_array() {
                    *place = Value::Array(Vec::new());
                }
                let list = place.as_array_mut()?;
                if list.len() <= *index {
                    // Most lists are of maps, and an empty one is less wrong there than nothing.
                    list.resize(index + 1, Value::Object(Map::new()));
                }
                list.get_mut(*index)?
            }
        };
    }
    Some(place)
}

fn drop_nothings(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nothings);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nothings),
        _ => {}
    }
}

/// Takes out of an object what a field manager wrote: `fields` is what the API server has noted of it.
///
/// Left are what makes the object the one that it is, its status, and lists that one of `paths` leads into: those
/// belong to all who have written into them.
pub fn withdraw(object: &mut Value, fields: &Value, paths: &[&FieldPath]) {
    for (name, noted) in fields_of(fields) {
        match (name, object.get_mut(name)) {
            ("apiVersion" | "kind" | "status", _) | (_, None) => {}
            ("metadata", Some(metadata)) => {
                for part in ["labels", "annotations"] {
                    let noted = noted.get(format!("f:{part}"));
                    if let (Some(texts), Some(noted)) = (metadata.get_mut(part), noted) {
                        withdraw_from(texts, noted, &mut Vec::new(), &[]);
                    }
                }
            }
            (_, Some(_)) => withdraw_field(object, name, noted, &mut Vec::new(), paths),
        }
    }
}

fn withdraw_from(object: &mut Value, fields: &Value, way: &mut Vec<String>, paths: &[&FieldPath]) {
    for (name, noted) in fields_of(fields) {
        withdraw_field(object, name, noted, way, paths);
    }
}

fn withdraw_field(object: &mut Value, name: &str, noted: &Value, way: &mut Vec<String>, paths: &[&FieldPath]) {
    let Some(map) = object.as_object_mut() else { return };
    let Some(field) = map.get_mut(name) else { return };
    way.push(name.to_owned());
    let goes = match field {
        // Noted as a whole, but written by many, perhaps.
        Value::Array(_) => is_leaf(noted) && !paths.iter().any(|path| leads_into(path, way)),
        Value::Object(_) if !is_leaf(noted) => {
            withdraw_from(field, noted, way, paths);
            noted.get(".").is_some() && field.as_object().is_some_and(Map::is_empty)
        }
        Value::Object(fields) => fields.is_empty(),
        _ => is_leaf(noted),
    };
    way.pop();
    if goes {
        map.remove(name);
    }
}

/// Fields by name; entries of lists are left out.
fn fields_of(fields: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let fields = fields.as_object().into_iter().flatten();
    fields.filter_map(|(name, noted)| Some((name.strip_prefix("f:")?, noted)))
}

fn is_leaf(noted: &Value) -> bool {
    noted.as_object().is_none_or(Map::is_empty)
}

fn leads_into(path: &FieldPath, way: &[String]) -> bool {
    let steps = path.steps();
    steps.len() > way.len()
        && matches!(steps[way.len()], Step::Index(_))
        && steps.iter().zip(way).all(|(step, name)| matches!(step, Step::Field(field) if field == name))
}

/// The JSON merge patch from one object to another; `None` when they are the same.
pub fn difference(before: &Value, after: &Value) -> Option<Value> {
    if before == after {
        return None;
    }
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return Some(after.clone()) };
    let mut patch = Map::new();
    for (name, value) in after {
        let change = match before.get(name) {
            Some(there) => difference(there, value),
            None => Some(value.clone()),
        };
        patch.extend(change.map(|change| (name.clone(), change)));
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    patch.extend(gone.map(|name| (name.clone(), Value::Null)));
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> FieldPath {
        text.parse().expect("a path")
    }

    #[test]
    fn values_are_put_where_their_path_leads() {
        let there = json!({"spec": {"db": {"host": "h", "port": 1}, "rules": [{"from": "a", "to": "b"}], "text": "t"}});
        for (to, value, expected) in [
            ("spec.db", json!({"port": 2}), json!({"spec": {"db": {"port": 2}}})),
            ("spec.db.host", json!("x"), json!({"spec": {"db": {"host": "x"}}})),
            ("spec.db", json!("x"), json!({"spec": {"db": "x"}})),
            ("spec.text", json!({"a": 1}), json!({"spec": {"text": {"a": 1}}})),
            ("spec.text.deep", json!(1), json!({"spec": {"text": {"deep": 1}}})),
            ("spec.new.deep", json!({"a": null, "b": [null]}), json!({"spec": {"new": {"deep": {"b": [null]}}}})),
            ("spec.rules[0].from", json!("x"), json!({"spec": {"rules": [{"from": "x", "to": "b"}]}})),
            ("spec.rules[2].to", json!("y"), json!({"spec": {"rules": [{"from": "a", "to": "b"}, {}, {"to": "y"}]}})),
            ("spec.rules[0]", json!({"to": "y"}), json!({"spec": {"rules": [{"from": "a", "to": "y"}]}})),
            ("top", json!({"a": 1}), json!({"top": {"a": 1}})),
        ] {
            let mut object = there.clone();
            put(&mut object, &path(to), value);
            assert_eq!(difference(&there, &object), Some(expected), "{to}");
        }
    }

    #[test]
    fn path_of_one_step_replaces_what_is_there() {
        let mut object = json!({"spec": {"a": 1}, "other": 1});
        put(&mut object, &path("spec"), json!({"b": 2}));
        assert_eq!(object, json!({"spec": {"b": 2}, "other": 1}));
    }

    #[test]
    fn what_a_manager_wrote_is_taken_out_and_nothing_else() {
        let mut object = json!({
            "apiVersion": "v", "kind": "K", "status": {"ours": 1},
            "metadata": {"name": "n", "labels": {"ours": "1", "theirs": "1"}, "finalizers": ["ours"]},
            "spec": {
                "db": {"host": "ours", "port": 1}, "log": {"level": "ours"}, "tags": ["ours"],
                "rules": [{"from": "ours"}], "keyed": [{"name": "a"}], "whole": {"a": 1},
            },
        });
        let noted = json!({
            "f:apiVersion": {}, "f:kind": {}, "f:status": {"f:ours": {}},
            "f:metadata": {"f:name": {}, "f:labels": {"f:ours": {}}, "f:finalizers": {"v:\"ours\"": {}}},
            "f:spec": {
                "f:db": {"f:host": {}}, "f:log": {".": {}, "f:level": {}}, "f:tags": {}, "f:rules": {},
                "f:keyed": {"k:{\"name\":\"a\"}": {}}, "f:whole": {}, "f:gone": {},
            },
        });
        withdraw(&mut object, &noted, &[&path("spec.rules[0].from")]);
        assert_eq!(
            object,
            json!({
                "apiVersion": "v", "kind": "K", "status": {"ours": 1},
                "metadata": {"name": "n", "labels": {"theirs": "1"}, "finalizers": ["ours"]},
                "spec": {"db": {"port": 1}, "rules": [{"from": "ours"}], "keyed": [{"name": "a"}], "whole": {"a": 1}},
            })
        );
    }

    #[test]
    fn patch_turns_the_one_into_the_other() {
        let (before, after) = (json!({"a": {"b": 1, "c": 2}, "l": [1]}), json!({"a": {"b": 1, "d": 3}, "l": [1, 2]}));
        assert_eq!(difference(&before, &after), Some(json!({"a": {"c": null, "d": 3}, "l": [1, 2]})));
        assert_eq!(difference(&before, &before), None);
    }
}
