//! A Secret that somebody changed or deleted is what it was, at once and not when its interval is over.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::{
    Result,
    resources::{SOON, synced},
    wait,
};

use crate::{alone::Alone, serving};

#[tokio::test]
async fn edited_secret_is_restored_at_once() -> Result {
    let _serving = serving::shared().await?;
    let alone = Alone::with_token("edited").await?;
    let _controller = alone.controller().await?;
    alone.create([alone.external_secret("db", "1h")]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    let secrets = alone.secrets()?;
    let before = secrets.get("db").await?;
    let edits: [Value; 4] = [
        json!({"stringData": {"a": "edited"}}),
        json!({"stringData": {"foreign": "x"}}),
        json!({"data": {"b": null}}),
        json!({"metadata": {"annotations": {"reconcile.external-secrets.io/data-hash": "wrong"}}}),
    ];
    for edit in edits {
        let edited = secrets.patch("db", &PatchParams::default(), &Patch::Merge(&edit)).await?;
        let restored = |secret: &Secret| {
            secret.resource_version() != edited.resource_version()
                && secret.data == before.data
                && secret.annotations() == before.annotations()
        };
        wait::object(&secrets, "db", &format!("restored after {edit}"), SOON, restored).await?;
    }
    Ok(())
}

#[tokio::test]
async fn deleted_secret_is_created_again_at_once() -> Result {
    let _serving = serving::shared().await?;
    let alone = Alone::with_token("deleted").await?;
    let _controller = alone.controller().await?;
    alone.create([alone.external_secret("db", "1h")]).await?;
    synced(alone.bed, &alone.namespace, "db").await?;
    let secrets = alone.secrets()?;
    let before = secrets.get("db").await?;
    // What the store holds by now is what the new Secret gets.
    alone.put(&json!({"a": "1", "b": "2", "c": "3", "d": "4", "e": "rotated"})).await?;
    secrets.delete("db", &DeleteParams::default()).await?;
    let is_new = |secret: &Secret| secret.uid() != before.uid();
    let after = wait::object(&secrets, "db", "created again", SOON, is_new).await?;
    let mut expected: BTreeMap<String, ByteString> = before.data.unwrap_or_default();
    expected.insert("e".to_owned(), ByteString(b"rotated".to_vec()));
    assert_eq!(after.data, Some(expected));
    assert_eq!(after.owner_references(), before.metadata.owner_references.unwrap_or_default());
    Ok(())
}
