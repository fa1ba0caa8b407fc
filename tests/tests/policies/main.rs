//! What an ExternalSecret makes of its target under each policy: creation, deletion, drift, refresh, and the shape of the
//! Secret.

#[path = "../support/mod.rs"]
mod support;

mod cells;
mod creation;
mod deletion;
mod drift;
mod pruning;
mod refresh;
mod safety;
mod shape;
mod status;
mod switching;
mod windows;

use futures::future::join_all;
use serde_json::{Value, json};
use support::{
    SOON, Scene,
    manifest::{fake, reads, secret, secret_store, vault, with},
};
use tests::{OpenBao, Result, wait};

/// The spec of an ExternalSecret that reads `password` from the store `store`, with other fields of the target.
fn targeting(target: &Value) -> Value {
    with(reads("store", &[("password", "password")]), &json!({"target": target}))
}

/// A scene with the store `store` that holds `password`.
async fn stored(prefix: &str, password: &str) -> Result<Scene> {
    let scene = Scene::new(prefix).await?;
    store(&scene, password).await?;
    Ok(scene)
}

/// Makes the store hold another password, and waits until the controller knows.
async fn store(scene: &Scene, password: &str) -> Result {
    // The length of the last check, which is never the same twice.
    let checked = || scene.count("secretstore_reconcile_duration", "store");
    let before = checked().await?;
    scene.apply(&secret_store("store", &fake(&[("password", password)]))).await?;
    wait::until("a check of the store", SOON, || async {
        let now = checked().await.map_err(|failure| failure.to_string())?;
        if (now - before).abs() > 0.0 { Ok(()) } else { Err("it was not checked".to_owned()) }
    })
    .await
}

/// Runs every row at once and tells all that failed.
async fn all<T>(rows: impl IntoIterator<Item = (String, T)>) -> Result
where
    T: Future<Output = Result>,
{
    let outcomes = rows.into_iter().map(|(name, row)| async move { (name, row.await) });
    let failed: Vec<String> = join_all(outcomes)
        .await
        .into_iter()
        .filter_map(|(name, outcome)| outcome.err().map(|failure| format!("{name}: {failure}")))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// A Vault store with two secrets below `secret/NAMESPACE`: `db` and `cache`.
async fn vault_with_two(prefix: &str) -> Result<(Scene, &'static OpenBao)> {
    let scene = Scene::new(prefix).await?;
    let bao = scene.bed.bao().await?;
    for name in ["db", "cache"] {
        bao.put(&format!("secret/{}/{name}", scene.namespace), &json!({"value": name})).await?;
    }
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    Ok((scene, bao))
}
