//! Rules of the Go operator's webhook for ExternalSecrets, in its order. The words are ours.
//!
//! Its rules for stores stand with the backends, in [`crate::provider`], and in [`crate::store`].

use std::collections::BTreeSet;

use crate::external_secret::{
    CreationPolicy, DataFromEntry, DeletionPolicy, ExternalSecretSpec, Manifest, Template, TemplateTarget,
};
use crate::problem::Problem;

/// Type of Secrets whose token the API server fills in for whichever ServiceAccount an annotation names.
const SERVICE_ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";

/// The annotation that names it.
const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";

/// Type of Secrets with which machines join the cluster.
const BOOTSTRAP_TOKEN: &str = "bootstrap.kubernetes.io/token";

/// What the Go operator refuses, too.
pub fn external_secret(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut problems: Vec<Problem> = policy_problem(spec).into_iter().collect();
    if spec.data.is_empty() && spec.data_from.is_empty() {
        problems.push(Problem::new("spec", "names nothing to fetch", "add entries to spec.data or spec.dataFrom"));
    }
    if let Some(template) = &spec.target.template {
        problems.extend(type_problems(template));
        if spec.target.manifest.as_ref().is_none_or(Manifest::is_secret) {
            problems.extend(target_problems(template));
        }
    }
    for (index, entry) in spec.data_from.iter().enumerate() {
        problems.extend(data_from_problems(&format!("spec.dataFrom[{index}]"), entry));
    }
    if spec.target.deletion_policy == DeletionPolicy::Retain {
        problems.extend(duplicate_problems(spec));
    }
    problems
}

fn policy_problem(spec: &ExternalSecretSpec) -> Option<Problem> {
    const PATH: &str = "spec.target.deletionPolicy";
    let creation = spec.target.creation_policy;
    match (spec.target.deletion_policy, creation) {
        (DeletionPolicy::Delete, CreationPolicy::Merge | CreationPolicy::None | CreationPolicy::CreateOrMerge) => {
            let what = format!("Delete would delete a Secret that is not owned (creationPolicy {})", creation.as_str());
            Some(Problem::new(PATH, what, "write creationPolicy: Owner or deletionPolicy: Retain"))
        }
        (DeletionPolicy::Merge, CreationPolicy::None) => Some(Problem::new(
            PATH,
            "Merge has no Secret to remove keys from (creationPolicy None)",
            "write another creationPolicy or deletionPolicy: Retain",
        )),
        _ => None,
    }
}

/// Secrets to which Kubernetes gives power: a template could obtain any ServiceAccount's token with them.
fn type_problems(template: &Template) -> Vec<Problem> {
    const PATH: &str = "spec.target.template.type";
    let refused = |what: String, advice: &str| Problem::new(PATH, what, advice);
    let mut problems = Vec::new();
    match template.type_.as_deref() {
        Some(SERVICE_ACCOUNT_TOKEN) => {
            if template.metadata.annotations.contains_key(SERVICE_ACCOUNT_NAME) {
                let what =
                    format!("{SERVICE_ACCOUNT_TOKEN} with the annotation {SERVICE_ACCOUNT_NAME} would obtain a token");
                problems.push(refused(what, "write another type or drop the annotation"));
            }
            for (index, source) in template.template_from.iter().enumerate() {
                if source.target() == TemplateTarget::Annotations {
                    let what = format!("{SERVICE_ACCOUNT_TOKEN} with annotations from templateFrom[{index}]");
                    problems.push(refused(format!("{what} could obtain a token"), "write another type or target"));
                }
            }
        }
        Some(BOOTSTRAP_TOKEN) => {
            let what = format!("{BOOTSTRAP_TOKEN} would let machines join the cluster");
            problems.push(refused(what, "write another type"));
        }
        _ => {}
    }
    problems
}

fn target_problems(template: &Template) -> Vec<Problem> {
    let paths = template.template_from.iter().enumerate().filter_map(|(index, source)| match source.target() {
        TemplateTarget::Path(path) => Some((index, path)),
        _ => None,
    });
    paths
        .map(|(index, target)| {
            let path = format!("spec.target.template.templateFrom[{index}].target");
            Problem::new(path, format!("a Secret has no {target:?}"), "write Data, Annotations or Labels")
        })
        .collect()
}

fn data_from_problems(path: &str, entry: &DataFromEntry) -> Vec<Problem> {
    let generator = entry.source_ref.as_ref().is_some_and(|source| source.generator_ref.is_some());
    let store = entry.source_ref.as_ref().is_some_and(|source| source.store_ref.is_some());
    let set: Vec<&str> =
        [("extract", entry.extract.is_some()), ("find", entry.find.is_some()), ("sourceRef.generatorRef", generator)]
            .into_iter()
            .filter_map(|(name, is_set)| is_set.then_some(name))
            .collect();
    let mut problems = Vec::new();
    if set.len() > 1 {
        let what = format!("sets {} at once", set.join(" and "));
        problems.push(Problem::new(path, what, "make each an entry of its own"));
    }
    if set.is_empty() {
        // With a store it is admitted by the Go operator, which then fetches nothing.
        let what = if store { "names a store and nothing to fetch from it" } else { "names nothing to fetch" };
        problems.push(Problem::new(path, what, "set extract or find"));
    }
    if entry.source_ref.is_some() && !generator && !store {
        problems.push(Problem::new(format!("{path}.sourceRef"), "is empty", "set storeRef, or remove it"));
    }
    problems
}

fn duplicate_problems(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let duplicates = spec.data.iter().enumerate().filter(|(_, entry)| !seen.insert(entry.secret_key.as_str()));
    duplicates
        .map(|(index, entry)| {
            let what = format!("{:?} is used by an earlier entry", entry.secret_key);
            Problem::new(format!("spec.data[{index}].secretKey"), what, "give each entry a key of its own")
        })
        .collect()
}
