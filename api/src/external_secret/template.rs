//! The shape of the Secret: `spec.target.template`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::external_secret::DecodingStrategy;
use crate::field::{DATA_KEY, DNS_SUBDOMAIN, is_default, non_empty};

/// Shape of the Secret. Texts are Go templates over the fetched values, such as {{ .password }}.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Type of the Secret, such as kubernetes.io/tls; Opaque when left out.
    #[serde(default, rename = "type", deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Version of the template language; v2 is the only one.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "v2"))]
    pub engine_version: EngineVersion,
    /// Replace writes only the keys of the template; Merge adds them to the fetched values.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Replace"))]
    pub merge_policy: MergePolicy,
    /// Labels, annotations and finalizers of the Secret.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata: TemplateMetadata,
    /// Keys of the Secret, each with a template of its value. They win over equal keys of templateFrom.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// Templates kept in ConfigMaps or Secrets of the same namespace, or written here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template_from: Vec<TemplateFrom>,
}

/// Metadata of the Secret.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Annotations; their values may be templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels; their values may be templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Finalizers to add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
}

/// Templates kept elsewhere.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateFrom {
    /// A ConfigMap with templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<TemplateSource>,
    /// A Secret with templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<TemplateSource>,
    /// A template that renders to lines of "key: value".
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// What the rendered keys become: Data, Annotations or Labels of the Secret. Of an object of another kind also a path,
    /// such as spec.rules[0].from.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Data"))]
    pub target: Option<String>,
    /// How rendered values are decoded: Base64, Base64URL, Auto (whichever fits) or None, the default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub values_decoding_strategy: DecodingStrategy,
}

/// Part of the written object that rendered keys go to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TemplateTarget<'a> {
    /// `.data` of the Secret.
    Data,
    /// Its annotations.
    Annotations,
    /// Its labels.
    Labels,
    /// A path in an object of another kind; refused for Secrets.
    Path(&'a str),
}

impl TemplateFrom {
    /// Where the rendered keys go. Upper and lower case are the same in the three names.
    pub fn target(&self) -> TemplateTarget<'_> {
        let text = self.target.as_deref().unwrap_or("Data");
        [
            ("Data", TemplateTarget::Data),
            ("Annotations", TemplateTarget::Annotations),
            ("Labels", TemplateTarget::Labels),
        ]
        .into_iter()
        .find_map(|(name, target)| name.eq_ignore_ascii_case(text).then_some(target))
        .unwrap_or(TemplateTarget::Path(text))
    }
}

/// A ConfigMap or Secret with templates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateSource {
    /// Name of the ConfigMap or Secret, in the namespace of the ExternalSecret.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
    /// Keys that hold templates.
    pub items: Vec<TemplateItem>,
}

/// A key that holds a template.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateItem {
    /// Key in the ConfigMap or Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = DATA_KEY))]
    pub key: String,
    /// Values: the template renders to the value of the same key. KeysAndValues: it renders to lines of "key: value".
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Values"))]
    pub template_as: TemplateAs,
}

/// Version of the template language.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineVersion {
    #[default]
    #[serde(alias = "")]
    V2,
}

/// Whether fetched values are written besides the template's keys.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum MergePolicy {
    #[default]
    #[serde(alias = "")]
    Replace,
    Merge,
}

/// What a template renders to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TemplateAs {
    #[default]
    #[serde(alias = "")]
    Values,
    KeysAndValues,
}
