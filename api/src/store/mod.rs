//! SecretStore and ClusterSecretStore: how to reach a secret store, and who may use it.

#![expect(clippy::duplicated_attributes, reason = "columns of one type are not duplicates")]

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use kube::core::{Selector, SelectorExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::duration::{DURATION_ADVICE, DurationError, GoDuration};
use crate::field::{DNS_LABEL, non_empty};
use crate::plan::LEAST_INTERVAL;
use crate::problem::Problem;
use crate::provider::{Provider, Scope};
use crate::regexp;

mod cluster;

#[cfg(test)]
mod tests;

pub use cluster::ClusterSecretStore;

/// How to reach a secret store, and who may use it.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "SecretStore",
    namespaced,
    status = "StoreStatus",
    shortname = "ss",
    category = "external-secrets",
    derive = "PartialEq",
    doc = "A secret store that ExternalSecrets of the same namespace can read from.",
    label("external-secrets.io/component", "controller"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Status", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Capabilities", type_ = "string", json_path = ".status.capabilities"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#)
)]
#[serde(rename_all = "camelCase")]
pub struct SecretStoreSpec {
    /// Class of the controller that serves this store; every controller when left out.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The backend. Set exactly one.
    pub provider: Provider,
    /// How calls to the backend are repeated when they fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_settings: Option<RetrySettings>,
    /// Time between two checks of the store, in seconds or as a duration such as 5m. The controller's
    /// --store-requeue-interval when left out or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<IntOrString>,
    /// Namespaces that may use a ClusterSecretStore: those that meet any entry; all when left out. Without meaning in a
    /// SecretStore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<StoreCondition>,
}

impl SecretStoreSpec {
    /// Time between two checks, at least [`LEAST_INTERVAL`]; `None` when unset or zero, which leaves it to the controller.
    pub fn refresh_interval(&self) -> Result<Option<Duration>, Problem> {
        const PATH: &str = "spec.refreshInterval";
        let problem = |what: String| Problem::new(PATH, what, "write seconds, a duration such as 5m, or nothing");
        let interval = match &self.refresh_interval {
            None => return Ok(None),
            Some(IntOrString::Int(seconds)) => u64::try_from(*seconds)
                .map(Duration::from_secs)
                .map_err(|_| problem(format!("{seconds} is negative")))?,
            Some(IntOrString::String(text)) if text.is_empty() => return Ok(None),
            Some(IntOrString::String(text)) => text
                .parse::<GoDuration>()
                .map_err(|error| Problem::new(PATH, error.to_string(), DURATION_ADVICE))?
                .as_std_opt()
                .ok_or_else(|| problem(format!("{text:?} is negative")))?,
        };
        Ok((!interval.is_zero()).then_some(interval.max(LEAST_INTERVAL)))
    }

    /// Everything that is wrong with a store in this scope. Nothing is looked up.
    pub fn problems(&self, scope: &Scope) -> Vec<Problem> {
        let conditions = self
            .conditions
            .iter()
            .enumerate()
            .flat_map(|(index, condition)| condition.problems(&format!("spec.conditions[{index}]")));
        let mut problems: Vec<Problem> = conditions.collect();
        problems.extend(self.refresh_interval().err());
        problems.extend(self.retry_settings.iter().flat_map(RetrySettings::problems));
        problems.extend(self.provider.check(scope));
        problems
    }
}

/// How failed calls are repeated.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetrySettings {
    /// How often a failed call is repeated at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i32>,
    /// Time between two attempts, such as 5s.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<String>,
}

impl RetrySettings {
    /// Time between two attempts; `None` leaves it to the backend.
    pub fn interval(&self) -> Result<Option<Duration>, Problem> {
        const PATH: &str = "spec.retrySettings.retryInterval";
        let Some(text) = &self.retry_interval else { return Ok(None) };
        let interval: GoDuration =
            text.parse().map_err(|error: DurationError| Problem::new(PATH, error.to_string(), DURATION_ADVICE))?;
        let negative = || Problem::new(PATH, format!("{text:?} is negative"), DURATION_ADVICE);
        interval.as_std_opt().map(Some).ok_or_else(negative)
    }

    fn problems(&self) -> Vec<Problem> {
        let negative = self.max_retries.filter(|retries| *retries < 0).map(|retries| {
            let advice = "write how often a failed call is repeated, or 0 for never";
            Problem::new("spec.retrySettings.maxRetries", format!("{retries} is negative"), advice)
        });
        negative.into_iter().chain(self.interval().err()).collect()
    }
}

/// Namespaces that may use a ClusterSecretStore. One that meets any of the three is meant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreCondition {
    /// Namespaces with these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Namespaces with these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1, max = 63), regex(pattern = DNS_LABEL)))]
    pub namespaces: Vec<String>,
    /// Namespaces whose name one of these regular expressions matches anywhere; anchor them with ^ and $.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespace_regexes: Vec<String>,
}

/// What is known about a store.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// Ready says whether the store can be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What the store can do: ReadOnly, WriteOnly or ReadWrite.
    // A text: an object that another build wrote must still decode.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
}

/// What a store can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capabilities {
    /// Values can be read.
    ReadOnly,
    /// Values can be pushed.
    WriteOnly,
    /// Both.
    ReadWrite,
}

impl Capabilities {
    /// The text in `status.capabilities`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "ReadOnly",
            Self::WriteOnly => "WriteOnly",
            Self::ReadWrite => "ReadWrite",
        }
    }
}

/// The parts that both kinds of store share.
pub trait Store {
    /// Name, labels, annotations.
    fn metadata(&self) -> &ObjectMeta;
    /// What the user wrote.
    fn spec(&self) -> &SecretStoreSpec;
    /// What the controller found.
    fn status(&self) -> Option<&StoreStatus>;
}

impl Store for SecretStore {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn spec(&self) -> &SecretStoreSpec {
        &self.spec
    }

    fn status(&self) -> Option<&StoreStatus> {
        self.status.as_ref()
    }
}

/// Whether a namespace, given by its name and labels, meets any of the conditions of a ClusterSecretStore.
///
/// Without conditions every namespace does. A condition that cannot be read is a [`Problem`], not a refusal.
pub fn may_use(
    conditions: &[StoreCondition],
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Result<bool, Problem> {
    if conditions.is_empty() {
        return Ok(true);
    }
    for (index, condition) in conditions.iter().enumerate() {
        if condition.is_met_by(&format!("spec.conditions[{index}]"), namespace, labels)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl StoreCondition {
    fn is_met_by(&self, path: &str, namespace: &str, labels: &BTreeMap<String, String>) -> Result<bool, Problem> {
        if self.namespaces.iter().any(|name| name == namespace) {
            return Ok(true);
        }
        if self.selector(path)?.is_some_and(|selector| selector.matches(labels)) {
            return Ok(true);
        }
        for (index, expression) in self.namespace_regexes.iter().enumerate() {
            if regexp::compile(&format!("{path}.namespaceRegexes[{index}]"), expression)?.is_match(namespace) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everything in this condition that cannot be read.
    pub fn problems(&self, path: &str) -> Vec<Problem> {
        let regexes = self.namespace_regexes.iter().enumerate().filter_map(|(index, expression)| {
            regexp::compile(&format!("{path}.namespaceRegexes[{index}]"), expression).err()
        });
        self.selector(path).err().into_iter().chain(regexes).collect()
    }

    fn selector(&self, path: &str) -> Result<Option<Selector>, Problem> {
        self.namespace_selector.clone().map(Selector::try_from).transpose().map_err(|error| {
            Problem::new(
                format!("{path}.namespaceSelector"),
                error.to_string(),
                "use the operators In and NotIn with values, Exists and DoesNotExist without",
            )
        })
    }
}
