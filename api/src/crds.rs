//! The CustomResourceDefinitions, as `manifests/crds` holds them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// Every definition, in the order of their names.
pub fn all() -> Vec<CustomResourceDefinition> {
    use kube::CustomResourceExt as _;
    vec![crate::external_secret::ExternalSecret::crd(), crate::store::SecretStore::crd()]
}
