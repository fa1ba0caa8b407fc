//! The namespace that a sequence of steps happens in, on real servers, and what is seen in it.

mod bystander;
mod told;
mod view;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::names::MANAGED_LABEL;
use kube::{
    ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use tests::{Failure, OpenBao, Result, wait};

use self::{
    bystander::BYSTANDER,
    view::{agrees, difference},
};
use crate::{
    Controller,
    gate::Gate,
    outcomes,
    spec::{Creation, Deletion, Refresh, Spec, Template, WANTED},
    steps::Step,
    support::{
        SOON, Scene,
        manifest::{external_secret, secret, secret_store, vault},
    },
    world::{Apps, World},
};

/// Longer than any run.
const TOKEN_LIFE: Duration = Duration::from_hours(12);

const STORE: &str = "store";

/// How long an outage may be in noticing that it is over, with a margin.
const PATIENCE: Duration = Duration::from_secs(90);

/// Looks for an idle moment of the controller before one goes without: outages of other namespaces can keep it busy.
const LOOKS: usize = 40;

/// See the module documentation.
pub struct Stage {
    scene: Scene,
    bao: &'static OpenBao,
    gate: Gate,
    /// The controller of all stages.
    controller: Arc<Controller>,
    /// UIDs of the ExternalSecrets, in the order in which they were created.
    uids: Vec<String>,
    /// Those whose failure the model has known.
    may_fail: Apps,
    /// Takeovers that were looked for among the events.
    adoptions: BTreeSet<(u32, &'static str)>,
}

impl Stage {
    /// An empty namespace with a token, and the world that it is.
    pub async fn new(controller: Arc<Controller>) -> Result<(Self, Vec<World>)> {
        let scene = Scene::without_controller("model").await?;
        let bao = scene.bed.bao().await?;
        let gate = Gate::new(&bao.address).await?;
        let stage =
            Self { scene, bao, gate, controller, uids: Vec::new(), may_fail: Apps::new(), adoptions: BTreeSet::new() };
        stage.permit(true).await?;
        bao.put(&format!("secret/{}-{BYSTANDER}", stage.scene.namespace), &json!({"any": "thing"})).await?;
        let namespace = stage.scene.namespace.clone();
        let token = bao.token(&[&namespace], TOKEN_LIFE).await?;
        stage.scene.apply(&secret("token", &[("token", &token)])).await?;
        let world = World { namespace, store_permits: true, ..World::default() };
        Ok((stage, vec![world]))
    }

    /// Does the step, and waits until what is there is what the model says of one of the worlds; those are left.
    pub async fn act(&mut self, step: &Step, worlds: &mut Vec<World>) -> Result {
        let outcomes = outcomes::of(step, worlds);
        let kills = self.controller.kills();
        self.may_fail.extend(outcomes.may_fail);
        self.perform(step, &worlds[0], &outcomes.worlds[0]).await?;
        *worlds = outcomes.worlds;
        let looks = AtomicUsize::new(0);
        let seen = wait::until("the namespace to be as the model says", PATIENCE, || async {
            let seen = self.view().await.map_err(|failure| failure.to_string())?;
            if worlds.iter().all(|world| agrees(world, &seen)) {
                return Ok(seen);
            }
            if !worlds.iter().any(|world| agrees(world, &seen)) {
                return Err(difference(worlds, &seen));
            }
            // What is seen may be a step on the way to another of the worlds.
            if looks.fetch_add(1, Ordering::Relaxed) < LOOKS {
                self.controller_is_idle().await?;
            }
            let seen = self.view().await.map_err(|failure| failure.to_string())?;
            if worlds.iter().any(|world| agrees(world, &seen)) { Ok(seen) } else { Err(difference(worlds, &seen)) }
        })
        .await?;
        worlds.retain(|world| agrees(world, &seen));
        self.adoptions_are_told(worlds, kills).await?;
        for (name, seen) in &seen.secrets {
            // What the model leaves open.
            for world in worlds.iter_mut() {
                if let Some(secret) = world.secrets.get_mut(name) {
                    secret.is_managed = seen.is_managed;
                }
            }
        }
        Ok(())
    }

    /// Fails while the controller looks at any ExternalSecret, or is about to.
    async fn controller_is_idle(&self) -> std::result::Result<(), String> {
        let process = self.controller.held().await;
        for metric in ["workqueue_depth", "controller_runtime_active_workers"] {
            let busy = process.metric(metric, &["controller=\"externalsecret\""]).await;
            let busy = busy.map_err(|failure| failure.to_string())?;
            if busy != Some(0.0) {
                return Err(format!("{metric} is {busy:?}"));
            }
        }
        Ok(())
    }

    /// Whether the namespace is still as the model says, and what was told in it is what may be told.
    pub async fn ends(&self, worlds: &[World]) -> Result {
        let seen = self.view().await?;
        // What failed may have been tried again.
        let later = outcomes::of(&Step::Restart, worlds).worlds;
        if !later.iter().chain(worlds).any(|world| agrees(world, &seen)) {
            return Err(Failure::new(difference(worlds, &seen)));
        }
        self.nothing_else_is_told().await
    }

    async fn perform(&mut self, step: &Step, before: &World, after: &World) -> Result {
        match step {
            Step::Restart => {
                let mut process = self.controller.held().await;
                self.controller.kill_9(&mut process).await?;
                process.restart().await
            }
            Step::WhileDown(step) => {
                let controller = self.controller.clone();
                let mut process = controller.held().await;
                controller.kill_9(&mut process).await?;
                let done = self.change(step, before, after).await;
                process.restart().await?;
                done
            }
            Step::HandOver { .. } => {
                let controller = self.controller.clone();
                // Its counts end with it.
                let process = controller.held().await;
                let looks = self.looks_of_bystander(&process).await?;
                self.change(step, before, after).await?;
                self.bystander_is_looked_at(&process, looks).await
            }
            Step::CreateStore => {
                self.change(step, before, after).await?;
                self.bystander_rests().await
            }
            Step::DeleteStore => {
                self.change(step, before, after).await?;
                self.deletion_of_the_store_is_seen().await
            }
            step => self.change(step, before, after).await,
        }
    }

    /// Waits until the controller has no more series of the store: stores and ExternalSecrets come by watches of their own, and what
    /// is created before the deletion has come still reads from the deleted store, rightly.
    async fn deletion_of_the_store_is_seen(&self) -> Result {
        let namespace = format!("namespace=\"{}\"", self.scene.namespace);
        wait::until("the controller to see that the store is gone", SOON, || async {
            let process = self.controller.held().await;
            let series = process.metric("secretstore_status_condition", &[&namespace]).await;
            match series.map_err(|failure| failure.to_string())? {
                None => Ok(()),
                Some(_) => Err("it has series of the store".to_owned()),
            }
        })
        .await
    }

    async fn change(&mut self, step: &Step, before: &World, after: &World) -> Result {
        match step {
            Step::Create(app, spec) => {
                let created = self.scene.apply(&self.manifest(app, spec)).await?;
                self.uids.push(created.uid().unwrap_or_default());
            }
            Step::Change(app, spec) => {
                let mut patch = json!({"spec": self.manifest(app, spec)["spec"]});
                if spec.template == Template::Absent {
                    patch["spec"]["target"]["template"] = Value::Null;
                }
                self.scene.change("ExternalSecret", app, &patch).await?;
            }
            Step::Delete(app) => {
                self.scene.ours("ExternalSecret").delete(app, &DeleteParams::default()).await?;
                wait::gone(&self.scene.ours("ExternalSecret"), app, SOON).await?;
            }
            Step::SetProperty(entry, ..) | Step::RemoveEntry(entry) => {
                let path = format!("secret/{}/{entry}", self.scene.namespace);
                match after.entries.get(entry) {
                    Some(entry) => self.bao.put(&path, &json!(entry)).await?,
                    None => self.bao.delete(&path).await?,
                }
            }
            Step::CreateStore => drop(self.scene.apply(&secret_store(STORE, &vault(&self.gate.address))).await?),
            Step::DeleteStore => {
                self.scene.ours("SecretStore").delete(STORE, &DeleteParams::default()).await?;
                wait::gone(&self.scene.ours("SecretStore"), STORE, SOON).await?;
            }
            Step::HandOver { is_ours } => {
                let class = if *is_ours { Value::Null } else { json!("another") };
                self.scene.change("SecretStore", STORE, &json!({"spec": {"controller": class}})).await?;
            }
            Step::Permit(permits) => self.permit(*permits).await?,
            Step::Fail(fault) => self.gate.set(Some(*fault)),
            Step::Recover => self.gate.set(None),
            Step::Force | Step::Restart | Step::WhileDown(_) => {}
            _ => self.change_secret(step).await?,
        }
        if step.asks_for_refresh() {
            for app in before.apps() {
                self.scene.force_sync(app).await?;
            }
        }
        Ok(())
    }

    async fn change_secret(&self, step: &Step) -> Result {
        match step {
            Step::CreateSecret(name, data) => {
                let data: Vec<_> = data.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                let secret = serde_json::from_value(secret(name, &data))?;
                self.scene.secrets().create(&PostParams::default(), &secret).await?;
            }
            Step::EditSecret(name, key, value) => {
                let patch = match value {
                    Some(value) => json!({"stringData": {key: value}}),
                    None => json!({"data": {key: null}}),
                };
                self.scene.edit_secret(name, &patch).await?;
            }
            Step::DeleteSecret(name) => self.scene.delete_secret(name).await?,
            Step::StripLabel(name) => {
                self.scene.edit_secret(name, &json!({"metadata": {"labels": {MANAGED_LABEL: null}}})).await?;
            }
            Step::StripOwner(name) => {
                self.scene.edit_secret(name, &json!({"metadata": {"ownerReferences": null}})).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn permit(&self, permits: bool) -> Result {
        let namespace = &self.scene.namespace;
        let verbs = if permits { r#""read", "list""# } else { r#""deny""# };
        let mut rules = String::new();
        for kind in ["data", "metadata"] {
            for path in [namespace.clone(), format!("{namespace}/*"), format!("{namespace}-{BYSTANDER}")] {
                // Writing to a String cannot fail.
                let _ = writeln!(rules, r#"path "secret/{kind}/{path}" {{ capabilities = [{verbs}] }}"#);
            }
        }
        self.bao.policy(namespace, &rules).await
    }

    fn manifest(&self, app: &str, spec: &Spec) -> Value {
        let namespace = &self.scene.namespace;
        let entry = |index: &usize| {
            let (key, entry, property) = WANTED[*index];
            json!({"secretKey": key, "remoteRef": {"key": format!("{namespace}/{entry}"), "property": property}})
        };
        let extract = spec.extract.then(|| json!({"extract": {"key": format!("{namespace}/two")}}));
        let find = spec.find.then(|| json!({"find": {"path": namespace, "name": {"regexp": "."}}}));
        let mut target = json!({
            "name": spec.target, "creationPolicy": creation(spec.creation), "deletionPolicy": deletion(spec.deletion),
        });
        if spec.template != Template::Absent {
            let policy = if spec.template == Template::Merge { "Merge" } else { "Replace" };
            target["template"] = json!({"mergePolicy": policy, "data": {"url": "to {{ .a }}"}});
        }
        let (policy, interval) = match spec.refresh {
            Refresh::Periodic => ("Periodic", "1h"),
            Refresh::OnChange => ("OnChange", "1h"),
            Refresh::CreatedOnce => ("CreatedOnce", "1h"),
            Refresh::Never => ("Periodic", "0"),
        };
        let spec = json!({
            "secretStoreRef": {"name": STORE},
            "refreshPolicy": policy,
            "refreshInterval": interval,
            "target": target,
            "data": spec.data.iter().map(entry).collect::<Vec<_>>(),
            "dataFrom": extract.into_iter().chain(find).collect::<Vec<_>>(),
        });
        external_secret(app, &spec)
    }
}

fn creation(policy: Creation) -> &'static str {
    match policy {
        Creation::Owner => "Owner",
        Creation::Orphan => "Orphan",
        Creation::Merge => "Merge",
        Creation::CreateOrMerge => "CreateOrMerge",
        Creation::None => "None",
    }
}

fn deletion(policy: Deletion) -> &'static str {
    match policy {
        Deletion::Retain => "Retain",
        Deletion::Delete => "Delete",
        Deletion::Merge => "Merge",
    }
}
