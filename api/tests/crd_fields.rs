//! Our schema of v1 against the list of the Go operator's fields, field by field.
//!
//! The list is `fixtures/crd-fields.md`; `SPEC_DIR` names a folder with another one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::{env, fs};

use serde_json::{Value, json};

/// Differences that are meant, by path, with the reason.
const ALLOWED: &[(&str, &str)] = &[("spec.provider", "blocks of other backends are kept as they are")];

#[test]
fn external_secret_has_the_fields_of_the_go_operator() {
    compare("ExternalSecret", "ExternalSecret", &|_| true);
}

#[test]
fn secret_store_has_the_fields_of_the_go_operator() {
    compare("SecretStore", "SecretStore", &is_typed);
}

#[test]
fn cluster_secret_store_has_the_fields_of_the_go_operator() {
    compare("SecretStore", "ClusterSecretStore", &is_typed);
}

#[test]
fn v1beta1_differs_from_v1_as_it_does_there() {
    compare_versions("externalsecrets", "ExternalSecret", &|_| true);
    compare_versions("secretstores", "SecretStore", &is_typed);
    compare_versions("secretstores", "ClusterSecretStore", &is_typed);
}

/// Whether this build has types for a field of a store.
fn is_typed(path: &str) -> bool {
    let Some(backend) = path.strip_prefix("spec.provider.") else { return true };
    let backend = backend.split(['.', '[']).next().unwrap_or_default();
    api::provider::Provider::FIELDS.contains(&backend)
}

/// Compares the field list of `listed` with our definition of `kind`.
fn compare(listed: &str, kind: &str, is_typed: &dyn Fn(&str) -> bool) {
    let section = section(listed);
    let expected: Fields = fields_of(&section).into_iter().filter(|(path, _)| is_typed(path)).collect();
    assert!(expected.len() > 40, "the list of {listed} was not understood: {} fields", expected.len());

    assert_same(kind, &expected, &fields_of_version(kind, 0));

    let crd = api::crds::all().unwrap().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let crd = serde_json::to_value(&crd).unwrap();
    assert_eq!(header(&section_header(kind)), header_of(&crd), "{kind}");
}

/// Compares our two versions of `kind` with the listed differences of `plural`.
fn compare_versions(plural: &str, kind: &str, is_typed: &dyn Fn(&str) -> bool) {
    let mut expected = fields_of_version(kind, 0);
    let list = list();
    let (_, differences) = list.split_once("## Machine diff").unwrap();
    let (_, differences) = differences.split_once(&format!("### {plural}\n")).unwrap();
    let differences: Vec<(char, &str)> = differences
        .lines()
        .take_while(|line| !line.starts_with("###"))
        .filter_map(|line| Some((line.chars().next()?, line[1..].trim())))
        .filter(|(_, line)| is_typed(line) && !line.contains("(whole provider)"))
        .collect();
    assert!(differences.len() > 8, "{differences:?}");
    let parsed = |line: &str| {
        let (path, facts) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        let (type_, limits) = facts.split_once(' ').unwrap_or((facts, ""));
        let mut facts = Facts::from([("type".to_owned(), json!(type_))]);
        if path.ends_with('*') {
            facts.insert("required".to_owned(), json!(true));
        }
        if !limits.starts_with("CEL") {
            limit(&mut facts, limits);
        }
        name_pattern(&mut facts);
        (path.trim_end_matches('*').to_owned(), facts)
    };
    for (sign, line) in differences.iter().filter(|(sign, _)| *sign == '+') {
        let (path, _) = parsed(line);
        assert!(expected.remove(&path).is_some(), "{kind} v1 lacks {sign}{line}");
    }
    expected.extend(differences.iter().filter(|(sign, _)| *sign == '-').map(|(_, line)| parsed(line)));
    assert_same(kind, &expected, &fields_of_version(kind, 1));
}

/// The fields of one of our versions.
fn fields_of_version(kind: &str, index: usize) -> Fields {
    let crd = api::crds::all().unwrap().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let crd = serde_json::to_value(&crd).unwrap();
    let mut fields = Fields::new();
    flatten("", &crd["spec"]["versions"][index]["schema"]["openAPIV3Schema"], &mut fields);
    fields
}

fn assert_same(kind: &str, expected: &Fields, found: &Fields) {
    let mut differences = Vec::new();
    for path in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let (theirs, ours) = (expected.get(path), found.get(path));
        if theirs != ours && !ALLOWED.iter().any(|(allowed, _)| allowed == path) {
            differences.push(format!("{path}\n  theirs {theirs:?}\n  ours   {ours:?}"));
        }
    }
    assert!(differences.is_empty(), "{kind} differs in {} fields:\n{}", differences.len(), differences.join("\n"));
}

/// What a field is: its type and everything that limits it.
type Facts = BTreeMap<String, Value>;
type Fields = BTreeMap<String, Facts>;

fn list() -> String {
    let directory = env::var_os("SPEC_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from);
    let path = directory.join("crd-fields.md");
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; unset SPEC_DIR to use the list kept here", path.display()))
}

/// The lines about a kind.
fn section_header(kind: &str) -> Vec<String> {
    let list = list();
    list.lines()
        .skip_while(|line| !line.starts_with(&format!("## {kind} ")))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .map(str::to_owned)
        .collect()
}

/// The lines about the fields of a kind's first version.
fn section(kind: &str) -> Vec<String> {
    section_header(kind)
        .into_iter()
        .skip_while(|line| !line.trim_start().starts_with("- "))
        .take_while(|line| line.trim_start().starts_with("- "))
        .collect()
}

/// Names, columns and selectable fields, as the list has them.
fn header(lines: &[String]) -> Value {
    let line = |start: &str| lines.iter().find(|line| line.starts_with(start)).unwrap().clone();
    let between = |line: &str, start: &str, end: &str| {
        let (_, rest) = line.split_once(start).unwrap_or_else(|| panic!("{start} in {line}"));
        rest.split_once(end).map_or(rest, |(inner, _)| inner).to_owned()
    };
    let words = |text: String| -> Vec<String> {
        text.split(',').map(|word| word.trim().trim_matches('\'').to_owned()).filter(|word| !word.is_empty()).collect()
    };
    let names = line("plural ");
    let columns: Vec<Value> = line("printer columns: ")
        .trim_start_matches("printer columns: ")
        .split("; ")
        .map(|column| {
            let (name, rest) = column.split_once('=').unwrap();
            let (path, type_) = rest.trim_end_matches(')').rsplit_once('(').unwrap();
            json!({ "name": name, "jsonPath": path, "type": type_ })
        })
        .collect();
    json!({
        "plural": between(&names, "plural ", ";"),
        "short": words(between(&names, "short [", "]")),
        "categories": words(between(&names, "categories [", "]")),
        "columns": columns,
        "selectable": words(between(&line("version v1:"), "selectableFields=[", "]")),
    })
}

/// The same of our definition.
fn header_of(crd: &Value) -> Value {
    let version = &crd["spec"]["versions"][0];
    let selectable: Vec<&Value> =
        version["selectableFields"].as_array().into_iter().flatten().map(|field| &field["jsonPath"]).collect();
    json!({
        "plural": crd["spec"]["names"]["plural"],
        "short": crd["spec"]["names"]["shortNames"],
        "categories": crd["spec"]["names"]["categories"],
        "columns": version["additionalPrinterColumns"],
        "selectable": selectable,
    })
}

/// The fields that indented lines such as `    - name*: []object  — minItems=1` describe.
fn fields_of(lines: &[String]) -> Fields {
    let mut fields = Fields::new();
    // The path of each open level: a list's items carry `[]`.
    let mut parents: Vec<String> = Vec::new();
    for line in lines {
        let depth = (line.len() - line.trim_start().len()) / 2;
        let (declaration, limits) = line
            .trim_start()
            .trim_start_matches("- ")
            .split_once("  — ")
            .unwrap_or((line.trim_start().trim_start_matches("- "), ""));
        let (name, type_) = declaration.split_once(": ").unwrap();
        let required = name.ends_with('*');
        let name = name.trim_end_matches('*');
        parents.truncate(depth);
        let path = join(parents.last().map_or("", String::as_str), name);
        parents.push(if type_.starts_with("[]") { format!("{path}[]") } else { path.clone() });
        declare(&mut fields, &path, type_, required, limits);
    }
    fields
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn declare(fields: &mut Fields, path: &str, type_: &str, required: bool, limits: &str) {
    let mut facts = Facts::new();
    if required {
        facts.insert("required".to_owned(), json!(true));
    }
    if let Some(item) = type_.strip_prefix("[]") {
        facts.insert("type".to_owned(), json!("array"));
        let (outer, inner) = match limits.strip_prefix("items{") {
            Some(inner) => ("", inner.trim_end_matches('}')),
            None => (limits, ""),
        };
        limit(&mut facts, outer);
        fields.insert(path.to_owned(), facts);
        declare(fields, &format!("{path}[]"), item, false, inner);
        return;
    }
    let text = |required: bool, limits: &str| (if required { "*" } else { "" }.to_owned(), limits.to_owned());
    let shape = type_.split('(').next().unwrap();
    let inner: &[(&str, (String, String))] = match shape {
        "SecretKeySelector" => {
            &[("key", text(false, "KEY")), ("name", text(false, "DNS253")), ("namespace", text(false, "NS63"))]
        }
        "ServiceAccountSelector" => &[("name", text(true, "DNS253")), ("namespace", text(false, "NS63"))],
        "CAProvider" => &[
            ("key", text(false, "KEY")),
            ("name", text(true, "DNS253")),
            ("namespace", text(false, "NS63")),
            ("type", text(true, r#"enum=["Secret", "ConfigMap"]"#)),
        ],
        _ => &[],
    };
    for (name, (star, limits)) in inner {
        declare(fields, &join(path, name), "string", !star.is_empty(), limits);
    }
    if shape == "ServiceAccountSelector" {
        declare(fields, &join(path, "audiences"), "[]string", false, "");
    }
    let type_ = match shape {
        "SecretKeySelector" | "ServiceAccountSelector" | "CAProvider" => "object",
        other => other,
    };
    facts.insert("type".to_owned(), json!(type_));
    limit(&mut facts, limits);
    fields.insert(path.to_owned(), facts);
}

/// Reads limits such as `default="Owner" enum=["A", "B"]`, `DNS253` or `CEL[ rule => message ]`.
fn limit(facts: &mut Facts, limits: &str) {
    let mut rest = limits.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("CEL[ ") {
            // The message is theirs; only the rule must be the same.
            let (rule, after) = after.split_once(" => ").unwrap();
            facts.insert("cel".to_owned(), json!([rule]));
            let (_, after) = after.split_once(" ]").unwrap();
            rest = after.trim_start();
            continue;
        }
        let word = rest.split([' ', '=']).next().unwrap();
        let after = &rest[word.len()..];
        let Some(after) = after.strip_prefix('=') else {
            facts.insert("pattern".to_owned(), json!(word));
            rest = after.trim_start();
            continue;
        };
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let value = values.next().unwrap().unwrap();
        rest = after[values.byte_offset()..].trim_start();
        facts.insert(word.to_owned(), value);
    }
}

/// Adds the fields of a schema of ours.
fn flatten(path: &str, schema: &Value, fields: &mut Fields) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = join(path, name);
        add(&path, field, fields);
        if required.contains(&name.as_str()) {
            fields.get_mut(&path).unwrap().insert("required".to_owned(), json!(true));
        }
    }
}

fn add(path: &str, field: &Value, fields: &mut Fields) {
    let mut facts = Facts::new();
    facts.insert("type".to_owned(), json!(type_of(field)));
    for name in [
        "default",
        "enum",
        "format",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "nullable",
        "pattern",
        "minLength",
        "maxLength",
        "x-kubernetes-preserve-unknown-fields",
    ] {
        if let Some(value) = field.get(name) {
            facts.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(rules) = field["x-kubernetes-validations"].as_array() {
        // Those of the webhook stand in no schema of theirs.
        let is_shared = |rule: &&Value| !api::crds::shared_rules().any(|ours| rule["rule"] == ours.cel);
        let shared: Vec<Value> = rules.iter().filter(is_shared).map(|rule| rule["rule"].clone()).collect();
        if !shared.is_empty() {
            facts.insert("cel".to_owned(), json!(shared));
        }
    }
    name_pattern(&mut facts);
    let type_ = facts["type"].clone();
    fields.insert(path.to_owned(), facts);
    if type_ == "array" {
        add(&format!("{path}[]"), &field["items"], fields);
    } else if type_ == "object" {
        flatten(path, field, fields);
    }
}

fn type_of(field: &Value) -> &str {
    if field["x-kubernetes-int-or-string"] == json!(true) {
        "int-or-string"
    } else if field["properties"].get("matchLabels").is_some() {
        "LabelSelector"
    } else if field["additionalProperties"]["type"] == json!("string") {
        "map[string]string"
    } else {
        field["type"].as_str().unwrap_or("any")
    }
}

/// Replaces pattern and lengths by the name that the list has for them.
fn name_pattern(facts: &mut Facts) {
    let classes = [
        ("DNS253", r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", 253),
        ("NS63", r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 63),
        ("KEY", r"^[-._a-zA-Z0-9]+$", 253),
    ];
    for (name, pattern, longest) in classes {
        let is_class = facts.get("pattern") == Some(&json!(pattern))
            && facts.get("minLength") == Some(&json!(1))
            && facts.get("maxLength") == Some(&json!(longest));
        if is_class {
            facts.remove("minLength");
            facts.remove("maxLength");
            facts.insert("pattern".to_owned(), json!(name));
        }
    }
}
