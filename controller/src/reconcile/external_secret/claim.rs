//! The managed label on a target that this ExternalSecret does not write.
//!
//! Upstream puts the label on every target that exists, before it asks whether it can or may write there. Whoever relies
//! on it (selectors, policies, our own watch) finds the same here: under creationPolicy None, and when a target could not
//! be written. RBAC: secrets `get`, `patch`.

use api::names::{MANAGED_LABEL, MANAGED_VALUE, field_manager};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::desired::Author;
use crate::{ctx::Ctx, error::Error};

/// Puts the label on the Secret `target` if it exists without it. Nothing else of it changes; with `--refuse-adoption`
/// not even that.
pub async fn claim(ctx: &Ctx, author: &Author, target: &str) -> Result<(), Error> {
    if ctx.settings.refuse_adoption {
        return Ok(());
    }
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), &author.namespace);
    let act = |doing: &str| format!("{doing} secret {}/{target}", author.namespace);
    let existing = secrets.get_metadata_opt(target).await.map_err(|error| Error::kube(&act("reading"), &error))?;
    let Some(existing) = existing else { return Ok(()) };
    if existing.labels().get(MANAGED_LABEL).is_some_and(|value| value == MANAGED_VALUE) {
        return Ok(());
    }
    let label = json!({"metadata": {
        "uid": existing.metadata.uid,
        "resourceVersion": existing.metadata.resource_version,
        "labels": {MANAGED_LABEL: MANAGED_VALUE},
    }});
    let params = PatchParams { field_manager: Some(field_manager(&author.name)), ..PatchParams::default() };
    let labelled = secrets.patch(target, &params, &Patch::Merge(label)).await;
    ctx.managed.record(&labelled.map_err(|error| Error::kube(&act("labelling"), &error))?, None);
    Ok(())
}
