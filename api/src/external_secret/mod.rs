//! ExternalSecret: which values to fetch from which store, and the Secret to keep them in.
//!
//! The types say what users may write. What it means, with every default resolved, is [`crate::plan::Plan`].

#![expect(clippy::duplicated_attributes, reason = "columns of one type are not duplicates")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::field::{is_default, non_empty};
use crate::reference::StoreRef;

mod source;
mod target;
mod template;

pub use source::{
    ConversionStrategy, DataEntry, DataFromEntry, DecodingStrategy, Find, FindName, GeneratorRef, MergeConflictPolicy,
    MergePriorityPolicy, MergeStrategy, MetadataPolicy, NullBytePolicy, RemoteRef, Rewrite, RewriteMerge,
    RewriteOperation, RewriteRegexp, RewriteTransform, SourceRef,
};
pub use target::{CreationPolicy, DeletionPolicy, Manifest, Target};
pub use template::{
    EngineVersion, MergePolicy, Template, TemplateAs, TemplateFrom, TemplateItem, TemplateMetadata, TemplateSource,
    TemplateTarget,
};

/// Which values to fetch, from where, how often, and the Secret to keep them in.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "ExternalSecret",
    namespaced,
    status = "ExternalSecretStatus",
    shortname = "es",
    category = "external-secrets",
    derive = "PartialEq",
    doc = "Keeps a Kubernetes Secret in step with values in an external secret store.",
    label("external-secrets.io/component", "controller"),
    selectable = ".spec.secretStoreRef.name",
    selectable = ".spec.secretStoreRef.kind",
    selectable = ".spec.target.name",
    selectable = ".spec.refreshInterval",
    printcolumn(name = "StoreType", type_ = "string", json_path = ".spec.secretStoreRef.kind"),
    printcolumn(name = "Store", type_ = "string", json_path = ".spec.secretStoreRef.name"),
    printcolumn(name = "Refresh Interval", type_ = "string", json_path = ".spec.refreshInterval"),
    printcolumn(name = "Status", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Last Sync", type_ = "date", json_path = ".status.refreshTime")
)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretSpec {
    /// Store of every entry that does not name its own in sourceRef.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_store_ref: Option<StoreRef>,
    /// When values are fetched again: Periodic (every refreshInterval; the default), OnChange (only when this object
    /// changes) or CreatedOnce (never after the first time). A Secret that was deleted or edited is repaired under all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_policy: RefreshPolicy,
    /// Time between two fetches, such as 30m, 1h or 1h30m; 0 fetches once and never again.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "1h0m0s"))]
    pub refresh_interval: Option<String>,
    /// Times of day in which periodic fetches are allowed or denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_windows: Option<SyncWindows>,
    /// The Secret to write.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = {"creationPolicy": "Owner", "deletionPolicy": "Retain"}))]
    pub target: Target,
    /// Values that each become one key of the Secret. They win over equal keys of dataFrom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataEntry>,
    /// Sources that each bring several keys: every property of one value, or every value that matches a search. Later
    /// entries win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_from: Vec<DataFromEntry>,
}

/// When values are fetched again.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RefreshPolicy {
    CreatedOnce,
    #[default]
    #[serde(alias = "")]
    Periodic,
    OnChange,
}

/// Times in which periodic fetches happen, or do not.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncWindows {
    /// With allow, values are fetched only while a window is open; with deny, only while none is.
    pub kind: SyncWindowKind,
    /// The windows, at least one.
    #[schemars(length(min = 1))]
    pub windows: Vec<SyncWindow>,
}

/// Whether windows open or close.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncWindowKind {
    Allow,
    Deny,
}

/// A time span that begins again and again.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncWindow {
    /// When the window opens: five cron fields in UTC, such as "0 22 * * *", or a descriptor such as @daily.
    #[schemars(
        length(min = 1),
        regex(
            pattern = r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$"
        )
    )]
    pub schedule: String,
    /// How long it stays open, such as 2h.
    pub duration: String,
}

/// What happened last.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretStatus {
    /// When values were last fetched and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_time: Option<Time>,
    /// Generation and metadata of this object when values were last written; differs when it was changed since.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub synced_resource_version: Option<String>,
    /// Ready says whether the Secret holds what the store holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The Secret that was written, in the form that service bindings look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
}

/// A Secret offered to service bindings.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Name of the Secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = ""))]
    pub name: String,
}
