//! Where values come from: `spec.data` and `spec.dataFrom`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::field::{DATA_KEY, DNS_SUBDOMAIN, is_default, non_empty};
use crate::reference::StoreRef;

/// One value that becomes one key of the Secret.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataEntry {
    /// Key in the Secret, or name of the value in templates.
    #[schemars(length(min = 1, max = 253), regex(pattern = DATA_KEY))]
    pub secret_key: String,
    /// The value in the store.
    pub remote_ref: RemoteRef,
    /// Store of this entry, instead of spec.secretStoreRef.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// A source of several keys. Set one of extract, find and sourceRef.generatorRef.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataFromEntry {
    /// One value of the store that is a JSON object: each of its properties becomes a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extract: Option<RemoteRef>,
    /// Every value of the store that matches: each becomes a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
    /// Changes to the keys, applied in order. Without any, characters that a Secret's key cannot hold are replaced
    /// according to conversionStrategy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrite: Vec<Rewrite>,
    /// Store of this entry, instead of spec.secretStoreRef, or a generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// A value in the store.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteRef {
    /// Name or path of the value in the store.
    pub key: String,
    /// Property to take when the value is JSON, such as password or db.user.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Version of the value, in the store's own notation; the newest when left out.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Fetch reads the value's tags or custom metadata instead of the value. None when left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata_policy: MetadataPolicy,
    /// How characters that a Secret's key cannot hold are replaced: Default writes an underscore, Unicode the character's
    /// code as _U0000_.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conversion_strategy: ConversionStrategy,
    /// How values are decoded: Base64, Base64URL, Auto (whichever fits) or None, the default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub decoding_strategy: DecodingStrategy,
    /// Fail refuses values that contain a null byte, which most often are binary by mistake. Ignore when left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub null_byte_policy: NullBytePolicy,
}

/// A search in the store.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Find {
    /// Folder or prefix to search in.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Finds values by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<FindName>,
    /// Finds values that carry all of these tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// How characters that a Secret's key cannot hold are replaced: Default writes an underscore, Unicode the character's
    /// code as _U0000_.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conversion_strategy: ConversionStrategy,
    /// How values are decoded: Base64, Base64URL, Auto (whichever fits) or None, the default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub decoding_strategy: DecodingStrategy,
    /// Fail refuses values that contain a null byte, which most often are binary by mistake. Ignore when left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub null_byte_policy: NullBytePolicy,
}

/// A search by name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindName {
    /// Regular expression in RE2 syntax that matches anywhere in the name; anchor it with ^ and $.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
}

/// A change to the keys that a source brought. Set exactly one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Rewrite {
    /// Replaces what a regular expression matches in each key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regexp: Option<RewriteRegexp>,
    /// Renders each key through a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<RewriteTransform>,
    /// Takes the values apart that are JSON objects, and merges their properties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<RewriteMerge>,
}

/// The one operation that a [`Rewrite`] names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RewriteOperation<'a> {
    /// Replace what a regular expression matches.
    Regexp(&'a RewriteRegexp),
    /// Render each key through a template.
    Transform(&'a RewriteTransform),
    /// Merge the properties of JSON values.
    Merge(&'a RewriteMerge),
}

impl Rewrite {
    /// The operation; `None` unless exactly one is set, which [`crate::plan::Plan`] refuses.
    pub fn operation(&self) -> Option<RewriteOperation<'_>> {
        match (&self.regexp, &self.transform, &self.merge) {
            (Some(regexp), None, None) => Some(RewriteOperation::Regexp(regexp)),
            (None, Some(transform), None) => Some(RewriteOperation::Transform(transform)),
            (None, None, Some(merge)) => Some(RewriteOperation::Merge(merge)),
            _ => None,
        }
    }
}

/// A replacement in each key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteRegexp {
    /// Regular expression in RE2 syntax.
    pub source: String,
    /// What to write for each match; $1 or ${name} stand for groups.
    pub target: String,
}

/// A template over each key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteTransform {
    /// Template of the new key; the old one is .value.
    pub template: String,
}

/// A merge of values that are JSON objects.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteMerge {
    /// Key that receives the merged JSON; needed with strategy JSON.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = ""))]
    pub into: String,
    /// Keys in rising order of precedence, above all that are not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priority: Vec<String>,
    /// Whether a key in priority that was not fetched is an error (Strict) or passed over (IgnoreNotFound).
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Strict"))]
    pub priority_policy: MergePriorityPolicy,
    /// Whether a property that two values bring is an error (Error) or decided by precedence (Ignore).
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Error"))]
    pub conflict_policy: MergeConflictPolicy,
    /// Extract makes each property a key and drops the values; JSON keeps them and adds the merged object under into.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Extract"))]
    pub strategy: MergeStrategy,
}

/// Where an entry's values come from. Set exactly one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SourceRef {
    /// A store other than spec.secretStoreRef.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<StoreRef>,
    /// A generator that makes new values; only in dataFrom, ignored in data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator_ref: Option<GeneratorRef>,
}

/// A generator of values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratorRef {
    /// API version of the generator.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "generators.external-secrets.io/v1alpha1"))]
    pub api_version: Option<String>,
    /// Kind of the generator.
    // A text and not an enumeration: an object that names a generator of another build must still decode.
    #[schemars(extend("enum" = GENERATOR_KINDS))]
    pub kind: String,
    /// Name of the generator.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
}

/// Kinds that a [`GeneratorRef`] may name.
const GENERATOR_KINDS: [&str; 18] = [
    "ACRAccessToken",
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "ClusterGenerator",
    "CloudsmithAccessToken",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "GitlabDeployToken",
    "QuayAccessToken",
    "Password",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
    "Grafana",
    "MFA",
];

/// Whether the value or what is recorded about it is read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum MetadataPolicy {
    #[default]
    #[serde(alias = "")]
    None,
    Fetch,
}

/// How characters that a Secret's key cannot hold are replaced.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum ConversionStrategy {
    #[default]
    #[serde(alias = "")]
    Default,
    Unicode,
}

/// How values are decoded.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum DecodingStrategy {
    Auto,
    Base64,
    #[serde(rename = "Base64URL")]
    Base64Url,
    #[default]
    #[serde(alias = "")]
    None,
}

/// What to do with values that contain a null byte.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum NullBytePolicy {
    #[default]
    #[serde(alias = "")]
    Ignore,
    Fail,
}

/// What to do with a key in `priority` that was not fetched.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum MergePriorityPolicy {
    IgnoreNotFound,
    #[default]
    #[serde(alias = "")]
    Strict,
}

/// What to do with a property that two values bring.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum MergeConflictPolicy {
    Ignore,
    #[default]
    #[serde(alias = "")]
    Error,
}

/// What a merge leaves behind.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum MergeStrategy {
    #[default]
    #[serde(alias = "")]
    Extract,
    #[serde(rename = "JSON")]
    Json,
}
