//! How the schema of v1beta1 differs from that of v1, as one list per kind.
//!
//! Only differences in fields that this build has types for are listed; blocks of other backends are kept as they are
//! in both versions.

use serde_json::{Value, json};

use super::{child, field_of};

/// One difference, at the path of a field; `[]` stands for the items of a list.
pub enum Difference {
    /// The field does not exist.
    Without(&'static str),
    /// The field has a default.
    Default(&'static str, &'static str),
    /// The field takes other values.
    Enum(&'static str, &'static [&'static str]),
    /// The field takes any text.
    NoEnum(&'static str),
    /// The field is an integer.
    Integer(&'static str),
}

use Difference::{Default, Enum, Integer, NoEnum, Without};

/// Generators that existed.
const GENERATORS: &[&str] = &[
    "ACRAccessToken",
    "ClusterGenerator",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "QuayAccessToken",
    "Password",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
    "Grafana",
];

/// ExternalSecret.
pub const EXTERNAL_SECRET: &[Difference] = &[
    Default("spec.data[].remoteRef.conversionStrategy", "Default"),
    Default("spec.data[].remoteRef.decodingStrategy", "None"),
    Default("spec.data[].remoteRef.metadataPolicy", "None"),
    Without("spec.data[].remoteRef.nullBytePolicy"),
    Enum("spec.data[].sourceRef.generatorRef.kind", GENERATORS),
    Default("spec.dataFrom[].extract.conversionStrategy", "Default"),
    Default("spec.dataFrom[].extract.decodingStrategy", "None"),
    Default("spec.dataFrom[].extract.metadataPolicy", "None"),
    Without("spec.dataFrom[].extract.nullBytePolicy"),
    Default("spec.dataFrom[].find.conversionStrategy", "Default"),
    Default("spec.dataFrom[].find.decodingStrategy", "None"),
    Without("spec.dataFrom[].find.nullBytePolicy"),
    Without("spec.dataFrom[].rewrite[].merge"),
    Enum("spec.dataFrom[].sourceRef.generatorRef.kind", GENERATORS),
    Without("spec.syncWindows"),
    Enum("spec.target.creationPolicy", &["Owner", "Orphan", "Merge", "None"]),
    Without("spec.target.manifest"),
    Without("spec.target.template.metadata.finalizers"),
    Enum("spec.target.template.templateFrom[].target", &["Data", "Annotations", "Labels"]),
    Without("spec.target.template.templateFrom[].valuesDecodingStrategy"),
    NoEnum("status.conditions[].type"),
];

/// SecretStore and ClusterSecretStore.
pub const STORE: &[Difference] = &[
    Without("spec.provider.aws.customSessionTags"),
    Enum("spec.provider.aws.service", &["SecretsManager", "ParameterStore"]),
    Without("spec.provider.aws.sessionTagsPolicy"),
    Without("spec.provider.fake.validationResult"),
    Without("spec.provider.vault.auth.cert.path"),
    Without("spec.provider.vault.auth.cert.vaultRole"),
    Without("spec.provider.vault.auth.gcp"),
    Without("spec.provider.vault.checkAndSet"),
    Integer("spec.refreshInterval"),
];

/// Turns the schema of v1 into that of v1beta1. Fails with the path of a difference that names no field.
pub fn apply(schema: &mut Value, differences: &[Difference]) -> Result<(), String> {
    for difference in differences {
        let (Without(path) | Default(path, _) | Enum(path, _) | NoEnum(path) | Integer(path)) = difference;
        change(schema, path, difference).ok_or_else(|| (*path).to_owned())?;
    }
    Ok(())
}

fn change(schema: &mut Value, path: &str, difference: &Difference) -> Option<()> {
    let (parent, name) = path.rsplit_once('.')?;
    let parent = field_of(schema, parent)?;
    if let Without(_) = difference {
        return parent.get_mut("properties")?.as_object_mut()?.remove(name).map(|_| ());
    }
    let field = child(parent, name)?.as_object_mut()?;
    match difference {
        Without(_) => {}
        Default(_, value) => {
            field.insert("default".to_owned(), json!(value));
        }
        Enum(_, values) => {
            field.insert("enum".to_owned(), json!(values));
        }
        NoEnum(_) => {
            field.remove("enum");
        }
        Integer(_) => {
            field.remove("x-kubernetes-int-or-string");
            field.insert("type".to_owned(), json!("integer"));
            field.insert("description".to_owned(), json!("Time between two checks of the store, in seconds."));
        }
    }
    Some(())
}
