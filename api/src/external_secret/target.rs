//! The Secret that is written: `spec.target`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::external_secret::Template;
use crate::field::{DNS_SUBDOMAIN, is_default, non_empty};

/// The Secret to write, and how.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Name of the Secret; that of the ExternalSecret when left out.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: Option<String>,
    /// Owner creates the Secret, owns it and removes foreign keys; Orphan does so without owning it; CreateOrMerge creates
    /// it and keeps foreign keys; Merge only adds keys to a Secret that exists; None writes nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Owner"))]
    pub creation_policy: CreationPolicy,
    /// What happens when the store no longer has the values: Retain keeps the Secret, Delete deletes it, Merge removes only
    /// the keys that came from there.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Retain"))]
    pub deletion_policy: DeletionPolicy,
    /// Makes the Secret immutable once it is written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub immutable: bool,
    /// An object of another kind to write instead of a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// Shape of the Secret: its type, its metadata, and keys made from the fetched values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
}

/// Kind of the object to write.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// API version of the object, such as v1 or apps/v1.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// Kind of the object, such as ConfigMap.
    #[schemars(length(min = 1))]
    pub kind: String,
}

impl Manifest {
    /// Whether it describes what is written anyway.
    pub fn is_secret(&self) -> bool {
        self.api_version == "v1" && self.kind == "Secret"
    }
}

/// Who creates and owns the Secret.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CreationPolicy {
    /// Created, owned, foreign keys removed.
    #[default]
    #[serde(alias = "")]
    Owner,
    /// Created, not owned, foreign keys removed.
    Orphan,
    /// Never created; foreign keys kept.
    Merge,
    /// Nothing is written.
    None,
    /// Created when missing; foreign keys kept.
    CreateOrMerge,
}

impl CreationPolicy {
    /// The policy as users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Orphan => "Orphan",
            Self::Merge => "Merge",
            Self::None => "None",
            Self::CreateOrMerge => "CreateOrMerge",
        }
    }
}

/// What happens when the provider no longer has the values.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DeletionPolicy {
    /// The Secret is deleted.
    Delete,
    /// Only the keys from the provider are removed.
    Merge,
    /// The Secret stays as it is.
    #[default]
    #[serde(alias = "")]
    Retain,
}
