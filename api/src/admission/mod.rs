//! Whether an object may be stored: the webhook's decision, as a pure function.
//!
//! Rules that the Go operator's webhook has, too, stand apart from those that are ours: [`upstream`] and [`ours`] for
//! ExternalSecrets, and in one file per backend for stores.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::decode;
use crate::external_secret::ExternalSecret;
use crate::names::IGNORE_MAINTENANCE_ANNOTATION;
use crate::plan::{Plan, windows};
use crate::problem::{Problem, Problems};
use crate::provider::{self, Scope};
use crate::reference::StoreKind;
use crate::store::{ClusterSecretStore, SecretStore, Store};
use crate::template_syntax::Syntax;

pub mod ours;
pub mod upstream;

#[cfg(test)]
mod tests;

/// What the API server asks about.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Kind of the object; kinds without rules are admitted.
    pub kind: &'a str,
    /// Version the object is written in.
    pub version: &'a str,
    /// What is done to it.
    pub operation: Operation,
    /// Its name; may be empty when the API server has yet to make one up.
    pub name: &'a str,
    /// Its namespace, if it has one.
    pub namespace: Option<&'a str>,
    /// The object as it will be stored.
    pub object: Option<&'a Value>,
    /// The object as it is stored now.
    pub old_object: Option<&'a Value>,
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// The answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// Why it is refused; admitted when empty.
    pub problems: Vec<Problem>,
    /// What the user should know although it is admitted.
    pub warnings: Vec<String>,
}

impl Verdict {
    fn new(problems: Vec<Problem>, warnings: &[Problem]) -> Self {
        Self { problems, warnings: warnings.iter().map(ToString::to_string).collect() }
    }

    fn refused(problem: Problem) -> Self {
        Self { problems: vec![problem], warnings: Vec::new() }
    }

    /// Whether the object may be stored.
    pub fn allowed(&self) -> bool {
        self.problems.is_empty()
    }

    /// Every problem on a line of its own; empty when the object is admitted.
    pub fn message(&self) -> String {
        Problems(self.problems.clone()).to_string()
    }
}

/// Judges a request: every problem at once, each with its field and what to write instead.
///
/// Never refused are deletes, objects that are being deleted, and updates that leave the spec as it is: an object from
/// before the webhook must stay manageable.
pub fn judge(request: &Request<'_>, syntax: &Syntax) -> Verdict {
    if matches!(request.operation, Operation::Delete | Operation::Connect) {
        return Verdict::default();
    }
    let Some(object) = request.object else {
        return Verdict::refused(Problem::new("", "the request holds no object", "send the whole object"));
    };
    if is_being_deleted(object) || request.leaves_spec(object) {
        return Verdict::default();
    }
    let verdict = match request.kind {
        "ExternalSecret" => external_secret(request, object, syntax),
        "SecretStore" => store::<SecretStore>(request, object),
        "ClusterSecretStore" => store::<ClusterSecretStore>(request, object),
        _ => return Verdict::default(),
    };
    verdict.unwrap_or_else(Verdict::refused)
}

fn external_secret(request: &Request<'_>, object: &Value, syntax: &Syntax) -> Result<Verdict, Problem> {
    let object: ExternalSecret = decode::from_value(object)?;
    let mut problems = Plan::new(request.name, &object.spec).err().map(|problems| problems.0).unwrap_or_default();
    problems.extend(windows::faults(&object.spec));
    problems.extend(ours::expressions(&object.spec));
    problems.extend(syntax.problems(&object.spec));
    Ok(Verdict::new(problems, &ours::warnings(&object.spec)))
}

fn store<S: Store + DeserializeOwned>(request: &Request<'_>, object: &Value) -> Result<Verdict, Problem> {
    let object: S = decode::from_value(object)?;
    let namespace = request.namespace.or(object.metadata().namespace.as_deref());
    let kind = if request.kind == "SecretStore" { StoreKind::SecretStore } else { StoreKind::ClusterSecretStore };
    let mut warnings = object.spec().provider.warnings();
    warnings.extend(maintenance_warning(&object));
    Ok(Verdict::new(object.spec().problems(&Scope::of(kind, namespace)), &warnings))
}

fn maintenance_warning(store: &impl Store) -> Option<Problem> {
    let annotations = store.metadata().annotations.as_ref();
    let is_silenced =
        annotations.and_then(|annotations| annotations.get(IGNORE_MAINTENANCE_ANNOTATION)).is_some_and(|v| v == "true");
    let choice = store.spec().provider.choice().ok().filter(|choice| choice.as_check().is_unmaintained())?;
    (!is_silenced).then(|| {
        let advice =
            format!("keep it out of production, or set the annotation {IGNORE_MAINTENANCE_ANNOTATION}: \"true\"");
        Problem::new(format!("{}.{}", provider::PATH, choice.field()), "nobody maintains this backend", advice)
    })
}

fn is_being_deleted(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
}

impl Request<'_> {
    fn leaves_spec(&self, object: &Value) -> bool {
        self.operation == Operation::Update
            && self.old_object.is_some_and(|old| old.get("spec").is_some() && old.get("spec") == object.get("spec"))
    }
}
