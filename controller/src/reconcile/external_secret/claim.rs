//! The managed label on a target that this ExternalSecret does not write.
//!
//! Upstream puts the label on every target that exists, before it asks whether it can or may write there. Whoever relies
//! on it (selectors, policies, our own watch) finds the same here: under creationPolicy None, and when a target could not
//! be written. RBAC: secrets `get`, `patch`.

use api::names::{MANAGED_LABEL, MANAGED_VALUE, field_manager};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{desired::Author, kind::Kind as _, secret::Secrets};
use crate::error::Error;

/// Puts the label on the Secret `target` if it exists without it. Nothing else of it changes; with `--refuse-adoption`
/// not even that.
pub async fn claim(secrets: &Secrets<'_>, author: &Author, target: &str) -> Result<(), Error> {
    if secrets.ctx.settings.refuse_adoption {
        return Ok(());
    }
    let api = secrets.api();
    let existing = api.get_metadata_opt(target).await;
    let existing = existing.map_err(|error| secrets.failed("reading", target, &error))?;
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
    let labelled = api.patch(target, &params, &Patch::Merge(label)).await;
    let labelled = labelled.map_err(|error| secrets.failed("labelling", target, &error))?;
    secrets.objects().record(&secrets.key(target), secrets.managed(&labelled));
    Ok(())
}
