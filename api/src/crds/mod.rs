//! The CustomResourceDefinitions, as `manifests/crds` holds them.
//!
//! The schema of v1 comes from the types; [`tidy`] removes what their derives write and Kubernetes does not need. The
//! schema of v1beta1 is the one of v1 with the differences listed in [`v1beta1`]. Both versions are served and v1 is
//! stored. There is no conversion, because the JSON of both is the same.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use crate::external_secret::ExternalSecret;
use crate::names::{OLD_VERSION, STORED_VERSION};
use crate::store::SecretStore;

mod tidy;
mod v1beta1;

/// A definition that could not be made: a mistake in this crate, found by its tests.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// A schema is not JSON, or JSON not a schema.
    #[error("the schema of {0} cannot be converted: {1}")]
    Schema(&'static str, #[source] serde_json::Error),
    /// A difference between versions names a field that does not exist.
    #[error("the schema of {0} has no field {1}")]
    NoField(&'static str, String),
    /// A definition cannot be written as YAML.
    #[error("{0} cannot be written as YAML: {1}")]
    Yaml(String, String),
}

/// Every definition, in the order of their names.
pub fn all() -> Result<Vec<CustomResourceDefinition>, CrdError> {
    let secret_store = complete("SecretStore", SecretStore::crd(), v1beta1::STORE)?;
    Ok(vec![
        for_the_cluster(secret_store.clone()),
        complete("ExternalSecret", ExternalSecret::crd(), v1beta1::EXTERNAL_SECRET)?,
        secret_store,
    ])
}

/// The files of `manifests/crds`: name and content.
pub fn files() -> Result<Vec<(String, String)>, CrdError> {
    all()?.into_iter().map(|crd| file(&crd)).collect()
}

fn file(crd: &CustomResourceDefinition) -> Result<(String, String), CrdError> {
    let name = format!("{}.yaml", crd.spec.names.plural);
    let failed = |error: String| CrdError::Yaml(name.clone(), error);
    // By way of a value, whose keys are sorted.
    let value = serde_json::to_value(crd).map_err(|error| failed(error.to_string()))?;
    let yaml = serde_saphyr::to_string(&value).map_err(|error| failed(error.to_string()))?;
    Ok((name, format!("# Generated from the crate `api`; `make crds` writes it. Do not edit.\n{yaml}")))
}

/// Tidies the derived definition and adds the older version.
fn complete(
    kind: &'static str,
    mut crd: CustomResourceDefinition,
    differences: &[v1beta1::Difference],
) -> Result<CustomResourceDefinition, CrdError> {
    let mut versions = Vec::with_capacity(2);
    for mut version in std::mem::take(&mut crd.spec.versions) {
        let mut schema = schema_of(&version).map_err(|error| CrdError::Schema(kind, error))?;
        tidy::tidy(&mut schema);
        tidy::allow_no_spec(&mut schema);
        if kind == "ExternalSecret" {
            tidy::limit_condition_types(&mut schema, &["Ready", "Deleted"]);
            tidy::allow_null(&mut schema, "refreshTime");
        }
        set_schema(&mut version, &schema).map_err(|error| CrdError::Schema(kind, error))?;
        v1beta1::apply(&mut schema, differences).map_err(|path| CrdError::NoField(kind, path))?;
        let mut old = older(kind, &version);
        set_schema(&mut old, &schema).map_err(|error| CrdError::Schema(kind, error))?;
        versions.extend([version, old]);
    }
    crd.spec.versions = versions;
    crd.spec.conversion = Some(CustomResourceConversion { strategy: "None".to_owned(), webhook: None });
    Ok(crd)
}

/// The older version of a kind, with the newer one's schema.
fn older(kind: &str, version: &CustomResourceDefinitionVersion) -> CustomResourceDefinitionVersion {
    let group = crate::names::GROUP;
    CustomResourceDefinitionVersion {
        name: OLD_VERSION.to_owned(),
        storage: false,
        served: true,
        deprecated: Some(true),
        deprecation_warning: Some(format!(
            "{group}/{OLD_VERSION} {kind} is deprecated; write apiVersion: {group}/{STORED_VERSION}"
        )),
        selectable_fields: None,
        ..version.clone()
    }
}

/// The definition of ClusterSecretStore, made from that of SecretStore: the kinds differ in name and scope only.
fn for_the_cluster(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let names = &mut crd.spec.names;
    "ClusterSecretStore".clone_into(&mut names.kind);
    "clustersecretstores".clone_into(&mut names.plural);
    names.singular = Some("clustersecretstore".to_owned());
    names.short_names = Some(vec!["css".to_owned()]);
    "Cluster".clone_into(&mut crd.spec.scope);
    crd.metadata.name = Some(format!("{}.{}", crd.spec.names.plural, crd.spec.group));
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            schema.description =
                Some("A secret store that ExternalSecrets of every namespace can read from.".to_owned());
        }
        if let Some(warning) = version.deprecation_warning.as_mut() {
            *warning = warning.replace(" SecretStore ", " ClusterSecretStore ");
        }
    }
    crd
}

fn schema_of(version: &CustomResourceDefinitionVersion) -> Result<Value, serde_json::Error> {
    serde_json::to_value(version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()))
}

fn set_schema(version: &mut CustomResourceDefinitionVersion, schema: &Value) -> Result<(), serde_json::Error> {
    version.schema = serde_json::from_value(json!({ "openAPIV3Schema": schema }))?;
    Ok(())
}
