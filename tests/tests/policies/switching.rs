//! From each creationPolicy to each other one and back: what is owned, whose keys are kept.

use std::collections::BTreeSet;

use api::names::{MANAGED_LABEL, OWNER_LABEL};
use kube::ResourceExt;
use serde_json::json;
use tests::Result;

use crate::support::{
    Scene, data,
    manifest::{external_secret, reads, secret, with},
};
use crate::{all, stored};

const POLICIES: [&str; 5] = ["Owner", "Orphan", "CreateOrMerge", "Merge", "None"];

/// The target, as far as policies differ about it.
#[derive(Clone, Debug, PartialEq)]
struct State {
    keys: BTreeSet<&'static str>,
    /// Those that the ExternalSecret wrote.
    ours: BTreeSet<&'static str>,
    /// Owner reference and owner label.
    owned: bool,
}

impl State {
    fn after(&self, policy: &str, keys: &[&'static str]) -> Self {
        let keys: BTreeSet<_> = keys.iter().copied().collect();
        let others = self.keys.difference(&self.ours).copied();
        match policy {
            "Owner" | "Orphan" => Self { keys: keys.clone(), ours: keys, owned: policy == "Owner" },
            "CreateOrMerge" | "Merge" => Self { keys: others.chain(keys.clone()).collect(), ours: keys, owned: false },
            // Whatever was written stays as it is, with whatever says whose it is.
            _ => self.clone(),
        }
    }
}

async fn switch(scene: &Scene, from: &str, to: &str) -> Result {
    let name = format!("{from}-to-{to}").to_lowercase();
    scene.apply(&secret(&name, &[("foreign", "kept?")])).await?;
    let mut state = State { keys: ["foreign"].into(), ours: [].into(), owned: false };
    for (policy, keys) in [(from, &["password"][..]), (to, &["password", "again"]), (from, &["password"])] {
        let entries: Vec<_> = keys.iter().map(|key| (*key, "password")).collect();
        let spec = with(reads("store", &entries), &json!({"target": {"creationPolicy": policy}}));
        let object = scene.apply(&external_secret(&name, &spec)).await?;
        scene.is_synced(&name).await?;
        state = state.after(policy, keys);
        let target = scene.secrets().get(&name).await?;
        let keys: Vec<_> = data(&target).into_keys().collect();
        let step = format!("{name} at {policy}");
        assert_eq!(keys, state.keys.iter().copied().collect::<Vec<_>>(), "{step}");
        let owners: Vec<_> = target.owner_references().iter().map(|owner| owner.uid.as_str()).collect();
        let uid = object.uid().unwrap_or_default();
        assert_eq!(owners, if state.owned { vec![uid.as_str()] } else { vec![] }, "{step}");
        assert_eq!(target.labels().contains_key(OWNER_LABEL), state.owned, "{step}");
        assert!(target.labels().contains_key(MANAGED_LABEL), "{step}");
    }
    Ok(())
}

#[tokio::test]
async fn switching_policies_changes_owner_and_keys_as_the_new_policy_says() -> Result {
    let scene = &stored("switching", "first").await?;
    let pairs = POLICIES.into_iter().flat_map(|from| POLICIES.into_iter().map(move |to| (from, to)));
    let rows = pairs.filter(|(from, to)| from != to);
    all(rows.map(|(from, to)| (format!("{from} to {to}"), switch(scene, from, to)))).await
}
