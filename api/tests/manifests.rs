//! `manifests/crds` is what the types say.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

/// All definitions together stay installable by `kubectl apply` and quick to serve.
const MAX_BYTES: usize = 400 * 1024;

#[test]
fn manifests_are_generated_from_the_types() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
    let found: BTreeMap<String, String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    let generated: BTreeMap<String, String> = api::crds::files().unwrap().into_iter().collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), generated.keys().collect::<Vec<_>>());
    for (name, content) in &generated {
        assert!(
            found[name] == *content,
            "manifests/crds/{name} is stale; run `cargo run -p api --bin crds -- manifests/crds`"
        );
    }
}

#[test]
fn all_definitions_together_are_small() {
    let bytes: usize = api::crds::files().unwrap().iter().map(|(_, content)| content.len()).sum();
    assert!(bytes <= MAX_BYTES, "{bytes} bytes");
}

#[test]
fn every_field_is_described() {
    fn undescribed(path: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(str::is_empty) {
                found.push(path.clone());
            }
            undescribed(&path, field, found);
        }
        if schema["items"].is_object() {
            undescribed(&format!("{path}[]"), &schema["items"], found);
        }
    }
    let mut found = Vec::new();
    for crd in api::crds::all().unwrap() {
        for version in serde_json::to_value(&crd).unwrap()["spec"]["versions"].as_array().unwrap() {
            let path = format!("{}/{}", crd.spec.names.kind, version["name"].as_str().unwrap());
            undescribed(&path, &version["schema"]["openAPIV3Schema"], &mut found);
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn v1_is_stored_and_v1beta1_is_served_with_a_warning() {
    for crd in api::crds::all().unwrap() {
        let versions: Vec<_> = crd
            .spec
            .versions
            .iter()
            .map(|version| (version.name.as_str(), version.served, version.storage, version.deprecated == Some(true)))
            .collect();
        assert_eq!(versions, [("v1", true, true, false), ("v1beta1", true, false, true)]);
        let warning = crd.spec.versions[1].deprecation_warning.as_deref().unwrap();
        assert!(warning.contains(&format!("v1beta1 {} is deprecated", crd.spec.names.kind)), "{warning}");
    }
}
