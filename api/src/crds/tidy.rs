//! From what the derives write to what a CustomResourceDefinition needs.

use serde_json::{Map, Value, json};

/// Removes what optional fields get from their derive and the stored API does not have: `nullable` (a null is pruned
/// like an absent field) and null in enumerations. Joins the lines of descriptions, and describes label selectors.
pub fn tidy(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    fields.remove("nullable");
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::String(description)) = fields.get_mut("description") {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    if is_label_selector(fields) {
        describe_label_selector(fields);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = fields.get_mut(inner) {
            tidy(inner);
        }
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(tidy);
    }
}

/// Has the webhook refuse an object without spec, as the stored API does, and not the schema.
pub fn allow_no_spec(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        fields.remove("required");
    }
}

/// Limits the types of the status conditions to those given.
pub fn limit_condition_types(schema: &mut Value, types: &[&str]) {
    if let Some(type_) = schema.pointer_mut("/properties/status/properties/conditions/items/properties/type") {
        type_["enum"] = json!(types);
    }
}

/// Allows a field of the status to be null, which the Go operator writes for a time that has not come.
pub fn allow_null(schema: &mut Value, field: &str) {
    if let Some(field) = schema.pointer_mut(&format!("/properties/status/properties/{field}")) {
        field["nullable"] = json!(true);
    }
}

fn is_label_selector(fields: &Map<String, Value>) -> bool {
    fields
        .get("properties")
        .and_then(Value::as_object)
        .is_some_and(|properties| properties.contains_key("matchLabels") && properties.contains_key("matchExpressions"))
}

fn describe_label_selector(fields: &mut Map<String, Value>) {
    let descriptions = [
        ("/matchLabels", "Labels that must be there, with these values."),
        ("/matchExpressions", "Demands on labels, all of which must be met."),
        ("/matchExpressions/items", "A demand on one label."),
        ("/matchExpressions/items/properties/key", "Name of the label."),
        (
            "/matchExpressions/items/properties/operator",
            "In or NotIn the values; Exists or DoesNotExist, whatever the value.",
        ),
        ("/matchExpressions/items/properties/values", "Values for In and NotIn; none for the others."),
    ];
    if let Some(properties) = fields.get_mut("properties") {
        for (pointer, description) in descriptions {
            if let Some(field) = properties.pointer_mut(pointer) {
                field["description"] = json!(description);
            }
        }
    }
    fields.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
}
