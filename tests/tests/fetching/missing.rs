//! What becomes of entries that the backend does not have.

use serde_json::{Value, json};
use tests::{
    Result,
    resources::{failed, synced},
};

use crate::{external_secret, holds, stocked, support::SOON};

/// Entries that are not there, each of its own kind, and what the store is.
fn absent(namespace: &str) -> Vec<(&'static str, &'static str, Value)> {
    let at = |name: &str| format!("{namespace}/{name}");
    let data = |key: String| json!({"data": [{"secretKey": "gone", "remoteRef": {"key": key}}]});
    let extract = |key: String| json!({"dataFrom": [{"extract": {"key": key}}]});
    vec![
        ("value", "vault", data(at("none"))),
        ("extract", "vault", extract(at("none"))),
        ("folder", "vault", json!({"dataFrom": [{"find": {"path": at("none")}}]})),
        ("aws-value", "aws", data(at("aws/none"))),
        ("aws-extract", "aws", extract(at("aws/none"))),
    ]
}

#[tokio::test]
async fn absent_entry_is_an_error_with_retain_and_left_out_otherwise() -> Result {
    let (alone, _controller) = stocked("absent").await?;
    let rows = absent(&alone.namespace);
    let there = json!({"secretKey": "there", "remoteRef": {"key": format!("{}/other", alone.namespace), "property": "x"},
        "sourceRef": {"storeRef": {"name": "vault"}}});
    let named = |name: &str, policy: &str| format!("{name}-{}", policy.to_lowercase());
    let mut objects = Vec::new();
    for (name, store, spec) in &rows {
        for policy in ["Retain", "Delete", "Merge"] {
            let mut spec = spec.clone();
            spec["target"] = json!({"deletionPolicy": policy});
            let data = spec["data"].as_array().cloned().unwrap_or_default();
            spec["data"] = data.into_iter().chain([there.clone()]).collect();
            objects.push(external_secret(&named(name, policy), store, &spec));
        }
    }
    alone.create(objects).await?;
    for (name, ..) in &rows {
        let said = failed(alone.bed, &alone.namespace, &named(name, "Retain")).await?;
        assert!(said.message.starts_with("RemoteSecretMissing: spec.data"), "{name}: {}", said.message);
        for policy in ["Delete", "Merge"] {
            synced(alone.bed, &alone.namespace, &named(name, policy)).await?;
            holds(&alone, &named(name, policy), &json!({"there": "y"})).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn search_without_a_match_is_no_error_and_makes_no_secret() -> Result {
    let (alone, _controller) = stocked("no-match").await?;
    let nothing = json!({"dataFrom": [{"find": {"path": alone.namespace, "name": {"regexp": "^nothing$"}}}]});
    let fake = crate::manifest::secret_store("fake", &crate::manifest::fake(&[("a", "b")]));
    let stores = ["vault", "aws", "fake"];
    alone.create([fake].into_iter().chain(stores.map(|store| external_secret(store, store, &nothing)))).await?;
    for store in stores {
        let object = synced(alone.bed, &alone.namespace, store).await?;
        let conditions = object.status.unwrap_or_default().conditions;
        let said = conditions.iter().map(|condition| condition.message.as_str()).collect::<String>();
        assert!(said.contains("deletionPolicy=Retain"), "{store}: {said}");
        assert!(alone.secrets()?.get_opt(store).await?.is_none(), "{store}");
    }
    Ok(())
}

#[tokio::test]
async fn entry_that_appears_is_taken_at_the_next_refresh() -> Result {
    let (alone, _controller) = stocked("appears").await?;
    let at = format!("{}/late", alone.namespace);
    let spec = json!({"refreshInterval": "1s", "target": {"deletionPolicy": "Delete"},
        "dataFrom": [{"extract": {"key": at}}, {"extract": {"key": format!("{}/other", alone.namespace)}}]});
    alone.create([external_secret("app", "vault", &spec)]).await?;
    holds(&alone, "app", &json!({"x": "y"})).await?;
    alone.bao.put(&format!("secret/{at}"), &json!({"late": "here"})).await?;
    holds(&alone, "app", &json!({"x": "y", "late": "here"})).await?;
    alone.bao.delete(&format!("secret/{at}")).await?;
    holds(&alone, "app", &json!({"x": "y"})).await?;
    alone.bao.delete(&format!("secret/{}/other", alone.namespace)).await?;
    tests::wait::gone(&alone.secrets()?, "app", SOON).await
}
