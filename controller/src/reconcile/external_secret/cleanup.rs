//! An ExternalSecret that is being deleted.
//!
//! An owned Secret is collected by Kubernetes through its owner reference. Only upstream's finalizer, on objects that it
//! left behind, makes anything wait here: its work is done and it is removed. RBAC: externalsecrets `patch`.

use std::sync::Arc;

use api::{
    external_secret::{DeletionPolicy, ExternalSecret, ExternalSecretSpec, Manifest},
    names::ES_FINALIZER,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{desired::Author, removal, secret::Secrets};
use crate::{
    ctx::Ctx,
    engine::{ObjectKey, object::Watched, run::Next},
    error::Error,
};

/// Does what the finalizer stands for, and takes it off.
pub async fn run(ctx: &Ctx, key: &ObjectKey, object: &Watched<ExternalSecret>) -> Result<Next, Error> {
    let finalizers = object.meta.finalizers.as_deref().unwrap_or_default();
    if !finalizers.iter().any(|name| name == ES_FINALIZER) {
        return Ok(Next::Rest);
    }
    // A spec that cannot be read promises nothing: the object must be able to go all the same.
    let spec: ExternalSecretSpec = object.spec().unwrap_or_default();
    // With its namespace everything in it goes by itself.
    let goes_alone = !ctx.namespaces.is_terminating(&object.meta);
    let writes_secrets = spec.target.manifest.as_ref().is_none_or(Manifest::is_secret);
    if goes_alone && writes_secrets && spec.target.deletion_policy == DeletionPolicy::Delete {
        let author = Author {
            namespace: key.namespace().to_owned(),
            name: key.name().to_owned(),
            uid: object.meta.uid.clone().unwrap_or_default(),
        };
        let secrets = Secrets { ctx, namespace: key.namespace() };
        let name = spec.target.name.as_deref().unwrap_or(key.name());
        removal::delete_owned(&secrets, &author, name, || Ok(()), None).await?;
    }
    let rest: Vec<_> = finalizers.iter().filter(|name| *name != ES_FINALIZER).collect();
    let patch = json!({"metadata": {
        "uid": object.meta.uid, "resourceVersion": object.meta.resource_version, "finalizers": rest,
    }});
    let api: Api<Watched<ExternalSecret>> = Api::namespaced(ctx.client.clone(), key.namespace());
    match api.patch(key.name(), &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(released) => {
            // Who looks again before the watch has told must not do it all once more.
            ctx.external_secrets.put_answer(key, Arc::new(released), |there| {
                there.meta.resource_version == object.meta.resource_version
            });
            Ok(Next::Rest)
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Next::Rest),
        Err(error) => Err(Error::kube(&format!("removing the finalizer of externalsecret {key}"), &error)),
    }
}
