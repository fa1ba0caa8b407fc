//! Entries of one ExternalSecret are read side by side, up to a bound.

use std::time::Duration;

use serde_json::json;
use tests::{Bed, Fault, Gate, Result};

use crate::support::{
    Scene,
    manifest::{external_secret, secret, secret_store, vault},
};

/// So many that an unbounded number would be told from the bound.
const ENTRIES: usize = 40;

/// What docs and code promise for one ExternalSecret.
const BOUND: usize = 8;

/// Long enough for all that are sent at once to arrive, also on a busy machine; nothing is asserted of it.
const SLOW: Duration = Duration::from_millis(150);

#[tokio::test]
async fn entries_of_a_slow_store_are_read_side_by_side_up_to_the_bound() -> Result {
    let bed = Bed::shared().await?;
    let bao = bed.bao().await?;
    let gate = Gate::before(&bao.address).await?;
    let scene = Scene::with_flags("side-by-side", &[]).await?;
    let namespace = &scene.namespace;
    for number in 0..ENTRIES {
        bao.put(&format!("secret/{namespace}/{number}"), &json!({"value": number.to_string()})).await?;
    }
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    scene.apply(&secret_store("store", &vault(&gate.address))).await?;
    scene.store_is_valid("SecretStore", "store").await?;

    let (mark, before) = (bao.mark(), gate.requests());
    gate.set(|_| Fault::Late(SLOW));
    let entry = |number: usize| {
        let remote = json!({"key": format!("{namespace}/{number}"), "property": "value"});
        json!({"secretKey": format!("k{number}"), "remoteRef": remote})
    };
    let spec = json!({"secretStoreRef": {"name": "store"}, "data": (0..ENTRIES).map(entry).collect::<Vec<_>>()});
    scene.apply(&external_secret("app", &spec)).await?;
    let values: Vec<_> = (0..ENTRIES).map(|number| (format!("k{number}"), number.to_string())).collect();
    let values: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    scene.holds("app", &values).await?;

    let most = gate.most_at_once();
    assert!((2..=BOUND).contains(&most), "{most} at once");
    let reads = bao.requests_since(mark)?.path_prefix(&format!("secret/data/{namespace}/"));
    assert_eq!(reads.len(), ENTRIES, "{reads}");
    assert!(gate.requests() - before >= ENTRIES, "all of them came by the gate");
    Ok(())
}
