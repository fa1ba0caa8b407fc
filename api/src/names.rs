//! Every name that other programs rely on, once.
//!
//! Labels, annotations, finalizers, field managers and reasons are an interface: installations are taken over from and
//! handed back to the Go operator, and dashboards, policies and Argo CD health checks read them. None may change.

use crate::hash;

/// API group of every kind in this crate.
pub const GROUP: &str = "external-secrets.io";

/// Version in which objects are stored.
pub const STORED_VERSION: &str = "v1";

/// Older version that is served for manifests written before v1.
pub const OLD_VERSION: &str = "v1beta1";

/// Label on CRDs and webhook configurations that says which binary they belong to.
pub const COMPONENT_LABEL: &str = "external-secrets.io/component";

/// Value of [`COMPONENT_LABEL`] on CRDs.
pub const COMPONENT_CONTROLLER: &str = "controller";

/// Value of [`COMPONENT_LABEL`] on webhook configurations.
pub const COMPONENT_WEBHOOK: &str = "webhook";

/// Label on every Secret that an ExternalSecret writes; its value is [`MANAGED_VALUE`].
pub const MANAGED_LABEL: &str = "reconcile.external-secrets.io/managed";

/// Value of [`MANAGED_LABEL`].
pub const MANAGED_VALUE: &str = "true";

/// Label on Secrets with `creationPolicy: Owner`: [`hash::owner_label`] of the ExternalSecret.
pub const OWNER_LABEL: &str = "reconcile.external-secrets.io/created-by";

/// Annotation with [`hash::data_hash`] of the whole `.data` of a written Secret; drift is seen by comparing it.
pub const DATA_HASH_ANNOTATION: &str = "reconcile.external-secrets.io/data-hash";

/// Annotation that users set to have an object refreshed now. Any annotation or label change does the same.
pub const FORCE_SYNC_ANNOTATION: &str = "external-secrets.io/force-sync";

/// Annotation on a store until when (RFC 3339, at most 24 h ahead) what it does not have any more may be deleted from the
/// cluster, however much it is. No annotation of the Go operator.
pub const ALLOW_DELETIONS_ANNOTATION: &str = "external-secrets.io/allow-deletions-until";

/// Annotation that silences the warnings about providers without a maintainer, when set to `"true"`.
pub const IGNORE_MAINTENANCE_ANNOTATION: &str = "external-secrets.io/ignore-maintenance-checks";

/// Finalizer that the Go operator puts on every ExternalSecret; honoured and removed.
pub const ES_FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";

/// Finalizer that the Go operator puts on stores which PushSecrets still need; honoured and removed.
pub const STORE_FINALIZER: &str = "secretstore.externalsecrets.io/finalizer";

/// Source component of events about ExternalSecrets.
pub const EXTERNAL_SECRET_COMPONENT: &str = "external-secrets";

/// Source component of events about SecretStores.
pub const SECRET_STORE_COMPONENT: &str = "secret-store";

/// Source component of events about ClusterSecretStores.
pub const CLUSTER_SECRET_STORE_COMPONENT: &str = "cluster-secret-store";

/// Label under which Kubernetes itself publishes a namespace's name.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Prefix of [`field_manager`].
pub const FIELD_MANAGER_PREFIX: &str = "externalsecrets.external-secrets.io/";

/// Longest field manager written in clear text, in bytes; longer ones are hashed.
const FIELD_MANAGER_MAX: usize = 63;

/// The field manager under which the ExternalSecret `name` writes its Secret.
///
/// Keys that a former version of the object wrote are recognised by it, so it is the Go operator's to the byte: the
/// name itself, or its hash when prefix and name together exceed 63 bytes (a name longer than 27).
pub fn field_manager(name: &str) -> String {
    if FIELD_MANAGER_PREFIX.len() + name.len() <= FIELD_MANAGER_MAX {
        format!("{FIELD_MANAGER_PREFIX}{name}")
    } else {
        format!("{FIELD_MANAGER_PREFIX}sha3/{}", hash::text_hash(name))
    }
}

/// Types of status conditions.
pub mod condition_type {
    /// Whether the object does its job.
    pub const READY: &str = "Ready";
    /// Store: whether deletions wait because it suddenly misses too much. No condition of the Go operator.
    pub const DELETIONS_HELD: &str = "DeletionsHeld";
    /// Set by the Go operator on deleted ExternalSecrets.
    pub const DELETED: &str = "Deleted";
}

/// Reasons of the `Ready` condition.
pub mod condition_reason {
    /// ExternalSecret: the Secret holds what the provider said.
    pub const SECRET_SYNCED: &str = "SecretSynced";
    /// ExternalSecret: the Secret could not be brought up to date.
    pub const SECRET_SYNCED_ERROR: &str = "SecretSyncedError";
    /// ExternalSecret: the Secret was deleted because the provider no longer has the values.
    pub const SECRET_DELETED: &str = "SecretDeleted";
    /// ExternalSecret: there is no Secret to merge into.
    pub const SECRET_MISSING: &str = "SecretMissing";
    /// ExternalSecret of another kind of target: as [`SECRET_SYNCED`].
    pub const RESOURCE_SYNCED: &str = "ResourceSynced";
    /// As [`SECRET_SYNCED_ERROR`].
    pub const RESOURCE_SYNCED_ERROR: &str = "ResourceSyncedError";
    /// As [`SECRET_DELETED`].
    pub const RESOURCE_DELETED: &str = "ResourceDeleted";
    /// As [`SECRET_MISSING`].
    pub const RESOURCE_MISSING: &str = "ResourceMissing";

    /// Store: too much of what it served is missing.
    pub const DELETIONS_HELD: &str = "DeletionsHeld";
    /// Store: it is there again, or its owner allows deletions.
    pub const DELETIONS_RESUMED: &str = "DeletionsResumed";

    /// Store: the credentials were accepted, or can only be checked per ExternalSecret.
    pub const VALID: &str = "Valid";
    /// Store: the provider block cannot be used.
    pub const INVALID_PROVIDER_CONFIG: &str = "InvalidProviderConfig";
    /// Store: the store itself cannot be used.
    pub const INVALID_STORE_CONFIGURATION: &str = "InvalidStoreConfiguration";
    /// Store: the check failed.
    pub const VALIDATION_FAILED: &str = "ValidationFailed";
    /// Store: the check gave no answer.
    pub const VALIDATION_UNKNOWN: &str = "ValidationUnknown";
}

/// Reasons of events.
pub mod event_reason {
    /// Warning: a Secret that the ExternalSecret did not make was taken over, or lost values to it. No reason of the Go
    /// operator, which says nothing.
    pub const ADOPTED: &str = "Adopted";
    /// Warning: somebody changes a target each time it is put right. No reason of the Go operator, which puts it right without
    /// end.
    pub const CONTESTED: &str = "Contested";
    /// Normal: a Secret was created.
    pub const CREATED: &str = "Created";
    /// Normal: a Secret was changed.
    pub const UPDATED: &str = "Updated";
    /// Normal: a Secret was deleted.
    pub const DELETED: &str = "Deleted";
    /// Warning: the target became a Secret while no controller ran, and the object of another kind that it was before is not
    /// known. No reason of the Go operator, which leaves it behind without a word.
    pub const FORMER_TARGET_UNKNOWN: &str = "FormerTargetUnknown";
    /// Normal: an entry was skipped because the provider does not have it.
    pub const MISSING_PROVIDER_SECRET: &str = "MissingProviderSecret";
    /// Warning: a sync window opens nothing because its schedule cannot be read.
    pub const SYNC_WINDOW_IGNORED: &str = "SyncWindowIgnored";
    /// Warning: an ExternalSecret could not be synced.
    pub const UPDATE_FAILED: &str = "UpdateFailed";
    /// Warning: a field in use will go away.
    pub const PARAMETER_DEPRECATED: &str = "ParameterDeprecated";
    /// Warning: the store's provider has no maintainer.
    pub const STORE_UNMAINTAINED: &str = "StoreUnmaintained";
    /// Warning: the store's provider will go away.
    pub const STORE_DEPRECATED: &str = "StoreDeprecated";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_manager_is_clear_text_up_to_63_bytes() {
        assert_eq!(field_manager("db"), "externalsecrets.external-secrets.io/db");
        let longest = "a".repeat(27);
        assert_eq!(field_manager(&longest), format!("externalsecrets.external-secrets.io/{longest}"));
    }

    #[test]
    fn field_manager_of_a_longer_name_is_hashed() {
        let manager = field_manager(&"a".repeat(28));
        let hash = manager.strip_prefix("externalsecrets.external-secrets.io/sha3/").unwrap();
        assert_eq!(hash.len(), 56, "SHA3-224 in hexadecimal");
    }
}
