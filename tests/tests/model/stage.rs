//! The namespace that a sequence of steps happens in, on real servers, and what is seen in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use api::{
    hash::{data_hash, metadata_hash},
    names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, MANAGED_VALUE, OWNER_LABEL},
};
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};
use tests::{Failure, OpenBao, Process, Result, wait};

use crate::{
    Controller,
    gate::Gate,
    outcomes,
    spec::{Creation, Deletion, Refresh, Spec, Template, WANTED},
    steps::Step,
    support::{
        SOON, Scene, data,
        manifest::{external_secret, secret, secret_store, vault},
    },
    world::{APPS, Apps, Data, TARGETS, World},
};

/// Longer than any run.
const TOKEN_LIFE: Duration = Duration::from_hours(12);

const STORE: &str = "store";

/// An ExternalSecret beside those of the model.
const BYSTANDER: &str = "bystander";

/// How long an outage may be in noticing that it is over, with a margin.
const PATIENCE: Duration = Duration::from_secs(90);

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

/// What is there, in a form that can be compared and printed.
#[derive(Debug, Eq, PartialEq)]
struct View {
    secrets: BTreeMap<&'static str, SecretView>,
    apps: BTreeMap<&'static str, AppView>,
}

#[derive(Debug, Eq, PartialEq)]
struct AppView {
    ready: Option<(String, String)>,
    /// Whether the status says the present version.
    is_taken_up: bool,
}

#[derive(Debug, Eq, PartialEq)]
struct SecretView {
    data: Data,
    is_managed: bool,
    owner: Option<u32>,
    has_creator: bool,
    /// The operator's hash of the data.
    hash: Option<String>,
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
        let seen = wait::until("the namespace to be as the model says", PATIENCE, || async {
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

    /// Whether the namespace is still as the model says, and what was told in it is what may be told.
    pub async fn ends(&self, worlds: &[World]) -> Result {
        let seen = self.view().await?;
        // What failed may have been tried again.
        let later = outcomes::of(&Step::Restart, worlds).worlds;
        if !later.iter().chain(worlds).any(|world| agrees(world, &seen)) {
            return Err(Failure::new(difference(worlds, &seen)));
        }
        let events: Api<Event> = Api::namespaced(self.scene.client.clone(), &self.scene.namespace);
        for event in events.list(&ListParams::default()).await?.items {
            let note = event.note.clone().unwrap_or_default();
            let object = event.regarding.unwrap_or_default();
            let (kind, name) = (object.kind.unwrap_or_default(), object.name.unwrap_or_default());
            let reason = event.reason.unwrap_or_default();
            let what = format!("{kind} {name}: {reason}: {note}");
            if note.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_value) {
                return Err(Failure::new(format!("an event tells a value: {what}")));
            }
            let is_warning = event.type_.as_deref() == Some("Warning") && kind == "ExternalSecret";
            let is_expected = match reason.as_str() {
                "UpdateFailed" => self.may_fail.contains(name.as_str()),
                // Others write to the Secrets all the time.
                "Adopted" | "Contested" => true,
                _ => false,
            };
            if is_warning && !is_expected {
                return Err(Failure::new(format!("an event warns of what did not happen: {what}")));
            }
        }
        Ok(())
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

    /// A user of the store that has synced once and for all, and writes nothing: of all that can happen only the store's class
    /// wakes it, which no status tells.
    async fn bystander_rests(&self) -> Result {
        let entry = json!({"secretKey": "a", "remoteRef": {"key": format!("{}-{BYSTANDER}", self.scene.namespace)}});
        let spec = json!({
            "secretStoreRef": {"name": STORE}, "refreshPolicy": "CreatedOnce", "target": {"creationPolicy": "None"},
            "data": [entry],
        });
        self.scene.apply(&external_secret(BYSTANDER, &spec)).await?;
        // The first step is the first CreateStore, so the store is not out yet.
        self.scene.is_synced(BYSTANDER).await.map(drop)
    }

    async fn looks_of_bystander(&self, process: &Process) -> Result<Option<f64>> {
        let namespace = format!("namespace=\"{}\"", self.scene.namespace);
        let name = format!("name=\"{BYSTANDER}\"");
        process.metric("externalsecret_sync_calls_total", &[&name, &namespace]).await
    }

    async fn bystander_is_looked_at(&self, process: &Process, before: Option<f64>) -> Result {
        wait::until("the controller to see whose the store is", SOON, || async {
            let now = self.looks_of_bystander(process).await.map_err(|failure| failure.to_string())?;
            if now > before { Ok(()) } else { Err(format!("{before:?} looks before, {now:?} now")) }
        })
        .await
    }

    /// Waits for the events of the takeovers that every world knows. One that was killed before it told its own never will.
    async fn adoptions_are_told(&mut self, worlds: &[World], kills: usize) -> Result {
        let everywhere = |adoption: &(u32, &str)| worlds.iter().all(|world| world.adoptions.contains(adoption));
        let known = worlds.first().map(|world| world.adoptions.clone()).unwrap_or_default();
        let wanted: Vec<_> = known.into_iter().filter(|it| everywhere(it) && !self.adoptions.contains(it)).collect();
        for adoption @ (app, target) in wanted {
            let uid = usize::try_from(app).ok().and_then(|app| self.uids.get(app.checked_sub(1)?));
            wait::until(&format!("Adopted of {target}"), SOON, || async {
                let told = self.adopted().await.map_err(|failure| failure.to_string())?;
                let target = format!("secret \"{target}\" ");
                let is_told = told.iter().any(|(by, note)| Some(by) == uid && note.starts_with(&target));
                if is_told || self.controller.kills() > kills { Ok(()) } else { Err(format!("there were {told:?}")) }
            })
            .await?;
            self.adoptions.insert(adoption);
        }
        Ok(())
    }

    /// By whom, and the note.
    async fn adopted(&self) -> Result<Vec<(String, String)>> {
        let events: Api<Event> = Api::namespaced(self.scene.client.clone(), &self.scene.namespace);
        let told = events.list(&ListParams::default()).await?.items.into_iter();
        let adopted = told.filter(|event| event.reason.as_deref() == Some("Adopted"));
        let uid = |event: &Event| event.regarding.as_ref().and_then(|object| object.uid.clone()).unwrap_or_default();
        Ok(adopted.map(|event| (uid(&event), event.note.unwrap_or_default())).collect())
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

    async fn view(&self) -> Result<View> {
        let mut secrets = BTreeMap::new();
        for name in TARGETS {
            if let Some(secret) = self.scene.secrets().get_opt(name).await? {
                secrets.insert(name, self.secret_view(&secret));
            }
        }
        let mut apps = BTreeMap::new();
        for app in APPS {
            if let Some(object) = self.scene.ours("ExternalSecret").get_opt(app).await? {
                let ready = crate::support::Ready::of(&object).map(|ready| (ready.status, ready.reason));
                apps.insert(app, AppView { ready, is_taken_up: is_taken_up(&object) });
            }
        }
        Ok(View { secrets, apps })
    }

    fn secret_view(&self, secret: &k8s_openapi::api::core::v1::Secret) -> SecretView {
        let owner = secret.owner_references().first().map(|owner| {
            let position = self.uids.iter().position(|uid| *uid == owner.uid);
            position.and_then(|position| u32::try_from(position + 1).ok()).unwrap_or(u32::MAX)
        });
        SecretView {
            data: data(secret),
            is_managed: secret.labels().get(MANAGED_LABEL).is_some_and(|value| value == MANAGED_VALUE),
            owner,
            has_creator: secret.labels().contains_key(OWNER_LABEL),
            hash: secret.annotations().get(DATA_HASH_ANNOTATION).cloned(),
        }
    }
}

fn agrees(world: &World, seen: &View) -> bool {
    wanted(world, seen) == *seen
}

fn wanted(world: &World, seen: &View) -> View {
    let secrets = world.secrets.iter().map(|(name, secret)| {
        let seen = seen.secrets.get(name).filter(|_| secret.label_is_open);
        let view = SecretView {
            data: secret.data.clone(),
            is_managed: seen.map_or(secret.is_managed, |seen| seen.is_managed),
            owner: secret.owner.map(|(uid, _)| uid),
            has_creator: secret.creator.is_some(),
            hash: secret.written.as_ref().map(data_hash),
        };
        (*name, view)
    });
    let apps = world.objects.iter().map(|(app, object)| {
        let ready = object.ready.map(|(status, reason)| (status.to_owned(), reason.to_owned()));
        let is_open = !world.is_taken_up(app) && seen.apps.get(app).is_some_and(|seen| !seen.is_taken_up);
        (*app, AppView { ready, is_taken_up: !is_open })
    });
    View { secrets: secrets.collect(), apps: apps.collect() }
}

/// Whether a word is a value that some step has written.
fn is_value(word: &str) -> bool {
    word == "begin"
        || (word.len() == 9 && word.starts_with('v') && word[1..].bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether the status says generation and metadata as they are.
fn is_taken_up(object: &DynamicObject) -> bool {
    let hash = metadata_hash(object.labels(), object.annotations());
    let version = format!("{}-{hash}", object.metadata.generation.unwrap_or_default());
    object.data.pointer("/status/syncedResourceVersion").and_then(Value::as_str) == Some(&version)
}

fn difference(worlds: &[World], seen: &View) -> String {
    let wanted: Vec<_> = worlds.iter().map(|world| wanted(world, seen)).collect();
    format!("\none of these is wanted: {wanted:#?}\nseen: {seen:#?}")
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
