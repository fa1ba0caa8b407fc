//! Rules for ExternalSecrets that are ours: what the Go operator admits and then fails at, and what this build cannot
//! do yet.

use crate::duration::GoDuration;
use crate::external_secret::{
    DataFromEntry, DeletionPolicy, ExternalSecretSpec, Manifest, MergeStrategy, RewriteOperation, TemplateTarget,
};
use crate::field_path::{FieldPath, PATH_ADVICE};
use crate::plan::{LEAST_INTERVAL, windows};
use crate::problem::Problem;
use crate::regexp;

/// What the controller could not act on. Cheap: the controller asks, too.
pub fn external_secret(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut problems = not_yet(spec);
    for (index, entry) in spec.data_from.iter().enumerate() {
        problems.extend(data_from_problems(&format!("spec.dataFrom[{index}]"), entry));
    }
    for (index, entry) in spec.data.iter().enumerate() {
        if entry.secret_key.is_empty() {
            problems.push(Problem::new(format!("spec.data[{index}].secretKey"), "is empty", "name the Secret's key"));
        }
        problems.extend(key_problem(&format!("spec.data[{index}].remoteRef.key"), &entry.remote_ref.key));
    }
    for key in spec.target.template.iter().flat_map(|template| template.data.keys()) {
        if !is_data_key(key) {
            let path = format!("spec.target.template.data[{key}]");
            let what = if writes_a_secret(spec) { "is not a key of a Secret" } else { "is not a key of data" };
            problems.push(Problem::new(path, what, "use at most 253 letters, digits, '-', '_' and '.'"));
        }
    }
    for (index, source) in spec.target.template.iter().flat_map(|template| &template.template_from).enumerate() {
        let path = format!("spec.target.template.templateFrom[{index}]");
        if source.config_map.is_none() && source.secret.is_none() && source.literal.is_none() {
            problems.push(Problem::new(&path, "names no template", "set configMap, secret or literal"));
        }
        // For Secrets, paths are refused by another rule.
        if let (false, TemplateTarget::Path(target)) = (writes_a_secret(spec), source.target())
            && let Err(error) = target.parse::<FieldPath>()
        {
            problems.push(Problem::new(format!("{path}.target"), error.to_string(), PATH_ADVICE));
        }
    }
    problems
}

/// Regular expressions that do not compile. Asked on admission only, because the controller finds out when it compiles
/// them.
pub fn expressions(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, entry) in spec.data_from.iter().enumerate() {
        let path = format!("spec.dataFrom[{index}]");
        let find = entry.find.as_ref().and_then(|find| find.name.as_ref()).and_then(|name| name.regexp.as_deref());
        problems.extend(find.and_then(|regexp| regexp::compile(&format!("{path}.find.name.regexp"), regexp).err()));
        for (index, rewrite) in entry.rewrite.iter().enumerate() {
            if let Some(RewriteOperation::Regexp(rewrite)) = rewrite.operation() {
                let path = format!("{path}.rewrite[{index}].regexp.source");
                problems.extend(regexp::compile(&path, &rewrite.source).err());
            }
        }
    }
    problems
}

/// What is allowed but may not be what the user wants.
pub fn warnings(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut warnings = windows::warnings(spec);
    let interval = spec.refresh_interval.as_deref().and_then(|text| text.parse::<GoDuration>().ok());
    if interval.and_then(|interval| interval.as_std_opt()).is_some_and(|it| !it.is_zero() && it < LEAST_INTERVAL) {
        let advice = format!("write at least {}s", LEAST_INTERVAL.as_secs());
        warnings.push(Problem::new("spec.refreshInterval", "is shorter than any that is kept", advice));
    }
    if let (false, Some(manifest)) = (writes_a_secret(spec), &spec.target.manifest) {
        let what = format!("whoever may read objects of kind {} can read the values", manifest.kind);
        warnings.push(Problem::new("spec.target.manifest", what, "keep values that are secret in a Secret"));
    }
    for (index, entry) in spec.data.iter().enumerate() {
        if entry.source_ref.as_ref().is_some_and(|source| source.generator_ref.is_some()) {
            let path = format!("spec.data[{index}].sourceRef.generatorRef");
            warnings.push(Problem::new(path, "is ignored", "generators belong in spec.dataFrom"));
        }
    }
    for (index, entry) in spec.data_from.iter().enumerate() {
        let Some(find) = &entry.find else { continue };
        let by_name = find.name.as_ref().is_some_and(|name| name.regexp.is_some());
        if spec.target.deletion_policy == DeletionPolicy::Delete && !by_name && find.tags.is_empty() {
            warnings.push(Problem::new(
                format!("spec.dataFrom[{index}].find"),
                "matches everything, and the Secret is deleted when nothing is left",
                "set name or tags",
            ));
        }
    }
    warnings
}

/// What this build cannot do yet, by field.
fn not_yet(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |path: String, what: &str, advice: &str| {
        problems.push(Problem::new(path, format!("{what} not supported by this build yet"), advice));
    };
    for (index, entry) in spec.data_from.iter().enumerate() {
        if entry.source_ref.as_ref().is_some_and(|source| source.generator_ref.is_some()) {
            let path = format!("spec.dataFrom[{index}].sourceRef.generatorRef");
            refuse(path, "generators are", "use extract or find");
        }
    }
    problems
}

fn writes_a_secret(spec: &ExternalSecretSpec) -> bool {
    spec.target.manifest.as_ref().is_none_or(Manifest::is_secret)
}

fn data_from_problems(path: &str, entry: &DataFromEntry) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(extract) = &entry.extract {
        problems.extend(key_problem(&format!("{path}.extract.key"), &extract.key));
    }
    for (index, rewrite) in entry.rewrite.iter().enumerate() {
        let path = format!("{path}.rewrite[{index}]");
        match rewrite.operation() {
            None => problems.push(Problem::new(path, "must be one operation", "set one of regexp, transform, merge")),
            Some(RewriteOperation::Merge(merge)) if merge.strategy == MergeStrategy::Json && merge.into.is_empty() => {
                let what = "is missing, and strategy JSON needs it";
                problems.push(Problem::new(format!("{path}.merge.into"), what, "name the key for the merged JSON"));
            }
            Some(_) => {}
        }
    }
    problems
}

/// As the API server checks the keys of Secrets. `..` at the beginning would leave a mounted volume.
pub fn is_data_key(key: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&key.len()) && key.bytes().all(is_allowed) && key != "." && !key.starts_with("..")
}

fn key_problem(path: &str, key: &str) -> Option<Problem> {
    key.is_empty().then(|| Problem::new(path, "is empty", "name the value in the store"))
}
