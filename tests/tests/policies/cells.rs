//! Every cell of creationPolicy × deletionPolicy × what the target is × what the provider says, in one table.
//!
//! The expectations are the Go operator's, from its description; a cell in which we differ on purpose says so.

use std::collections::{BTreeMap, BTreeSet};

use api::{
    hash::{data_hash, owner_label},
    names::{DATA_HASH_ANNOTATION, MANAGED_LABEL, OWNER_LABEL},
};
use futures::{StreamExt, stream};
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};
use tests::{Failure, Result, wait};

use crate::support::{
    Ready, SOON, Scene, data,
    manifest::{external_secret, fake, secret, secret_store, with},
};

/// What the ExternalSecret comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cell {
    /// The target holds what the provider has, as far as creationPolicy makes or finds one.
    Written,
    /// The same of a provider that has nothing: our keys go.
    Emptied,
    /// creationPolicy None: nothing is written.
    Left,
    /// The target goes.
    Deleted,
    /// The provider has nothing, which is no failure, and nothing happens.
    Retained,
    /// Nothing is written because of the provider's answer, which has this code.
    Failed(&'static str),
    /// The provider has nothing, and the target is not one that may be deleted.
    Undeletable,
    /// The two policies contradict each other. The Go operator's webhook refuses them and its controller, where they get past it,
    /// acts on them; ours refuses them too, on purpose.
    Refused,
}

/// What is there before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Target {
    /// Made by the same ExternalSecret under creationPolicy Owner.
    Ours,
    Absent,
    /// Somebody else's, with a key of its own and another password.
    Foreign,
}

const GONE: Cell = Cell::Failed("RemoteSecretMissing");
const BROKEN: Cell = Cell::Failed("RemoteValueInvalid");

/// By deletionPolicy, what comes of each answer of the provider.
type Deletions = [(&'static str, [Cell; 3]); 3];

/// For each creationPolicy, under each deletionPolicy, what comes of a provider that has the entry, has it not, or fails.
const TABLE: [(&str, Deletions); 5] = {
    use Cell::{Deleted, Emptied, Left, Refused, Undeletable, Written};
    [
        (
            "Owner",
            [
                ("Retain", [Written, GONE, BROKEN]),
                ("Delete", [Written, Deleted, BROKEN]),
                ("Merge", [Written, Emptied, BROKEN]),
            ],
        ),
        (
            "Orphan",
            [
                ("Retain", [Written, GONE, BROKEN]),
                ("Delete", [Written, Undeletable, BROKEN]),
                ("Merge", [Written, Emptied, BROKEN]),
            ],
        ),
        (
            "CreateOrMerge",
            [
                ("Retain", [Written, GONE, BROKEN]),
                ("Delete", [Refused, Refused, Refused]),
                ("Merge", [Written, Emptied, BROKEN]),
            ],
        ),
        (
            "Merge",
            [
                ("Retain", [Written, GONE, BROKEN]),
                ("Delete", [Refused, Refused, Refused]),
                ("Merge", [Written, Emptied, BROKEN]),
            ],
        ),
        (
            "None",
            [
                ("Retain", [Left, GONE, BROKEN]),
                ("Delete", [Refused, Refused, Refused]),
                ("Merge", [Refused, Refused, Refused]),
            ],
        ),
    ]
};

/// The stores by what they have of the entry `creds`.
const PRESENT: &str = "present";
const EMPTY: &str = "empty";
const ERROR: &str = "error";
const BEFORE: &str = "before";

const TARGETS: [Target; 3] = [Target::Ours, Target::Absent, Target::Foreign];

/// Rows in hand at the same time: enough to be quick, few enough for a small machine.
const AT_ONCE: usize = 24;

struct Row {
    creation: &'static str,
    target: Target,
    cell: Cell,
    name: String,
    spec: Value,
}

impl Row {
    fn new(creation: &'static str, deletion: &str, target: Target, store: &str, cell: Cell) -> Self {
        let name = format!("{creation}-{deletion}-{target:?}-{store}").to_lowercase();
        let policies = json!({"creationPolicy": creation, "deletionPolicy": deletion});
        Self { creation, target, cell, name, spec: with(extracts(store), &json!({"target": policies})) }
    }
}

fn extracts(store: &str) -> Value {
    json!({"secretStoreRef": {"name": store}, "dataFrom": [{"extract": {"key": "creds"}}]})
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (creation, deletions) in TABLE {
        for target in TARGETS {
            for (deletion, cells) in deletions {
                for (store, cell) in [PRESENT, EMPTY, ERROR].into_iter().zip(cells) {
                    rows.push(Row::new(creation, deletion, target, store, cell));
                }
            }
            // A search that finds nothing is no failure, also where nothing may be missing.
            let mut found_nothing = Row::new(creation, "Retain", target, EMPTY, Cell::Retained);
            found_nothing.name.push_str("-find");
            found_nothing.spec["dataFrom"] = json!([{"find": {"name": {"regexp": "."}}}]);
            rows.push(found_nothing);
        }
    }
    rows
}

/// All that is seen of an ExternalSecret and its target.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outcome {
    status: String,
    reason: String,
    /// What opens the message of a failure.
    code: String,
    data: Option<BTreeMap<String, String>>,
    /// The owner label is `mine` or what it is; the hash of the data `right` or what it is.
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    owners: Vec<String>,
    /// For which spec `syncedResourceVersion` and `refreshTime` are.
    synced: &'static str,
    binding: Option<String>,
    /// Reasons.
    events: BTreeSet<String>,
}

fn texts(texts: &[(&str, &str)]) -> BTreeMap<String, String> {
    texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

impl Outcome {
    fn before(row: &Row) -> Self {
        let nothing = Self { synced: "never", ..Self::default() };
        match row.target {
            Target::Absent => nothing,
            Target::Foreign => Self {
                data: Some(texts(&[("password", "theirs"), ("foreign", "kept?")])),
                labels: texts(&[("team", "theirs")]),
                annotations: texts(&[("owner", "theirs")]),
                ..nothing
            },
            Target::Ours => Self {
                data: Some(texts(&[("password", "first")])),
                labels: texts(&[("from", "es"), (MANAGED_LABEL, "true"), (OWNER_LABEL, "mine")]),
                annotations: texts(&[("note", "es"), (DATA_HASH_ANNOTATION, "right")]),
                owners: vec!["mine".to_owned()],
                synced: "before",
                binding: Some(row.name.clone()),
                events: BTreeSet::from(["Created".to_owned()]),
                ..nothing
            },
        }
    }

    fn expected(row: &Row) -> Self {
        let before = Self::before(row);
        match row.cell {
            Cell::Written => before.written(row, true),
            Cell::Emptied => before.written(row, false).telling("MissingProviderSecret"),
            Cell::Left | Cell::Retained => before.marked().ending("SecretSynced"),
            Cell::Failed(code) => before.marked().failing(code),
            Cell::Undeletable => before.marked().failing("SpecInvalid").telling("MissingProviderSecret"),
            Cell::Refused => before.failing("SpecInvalid"),
            Cell::Deleted => {
                let after = match row.target {
                    Target::Ours => {
                        Self { synced: "now", binding: before.binding, events: before.events, ..Self::default() }
                            .telling("Deleted")
                    }
                    // The Go operator deletes also what it never owned; we leave it, on purpose.
                    Target::Absent | Target::Foreign => before.marked(),
                };
                after.ending("SecretDeleted").telling("MissingProviderSecret")
            }
        }
    }

    fn written(mut self, row: &Row, has_data: bool) -> Self {
        let values = if has_data { texts(&[("password", "first"), ("again", "first")]) } else { texts(&[]) };
        let rebuilds = matches!(row.creation, "Owner" | "Orphan");
        match (row.target, row.creation) {
            (Target::Absent, "Merge") => return self.ending("SecretMissing"),
            (Target::Absent, _) => self = self.telling("Created"),
            (Target::Ours | Target::Foreign, _) => self = self.telling("Updated"),
        }
        // The Go operator takes over and overwrites without a word; we warn, on purpose.
        if row.target == Target::Foreign && (rebuilds || has_data) {
            self = self.telling("Adopted");
        }
        let theirs = if row.target == Target::Foreign && !rebuilds { self.data.take() } else { None };
        self.data = Some(theirs.into_iter().flatten().chain(values).collect());
        self.labels.extend(texts(&[("from", "es"), (MANAGED_LABEL, "true")]));
        self.labels.remove(OWNER_LABEL);
        self.annotations.extend(texts(&[("note", "es"), (DATA_HASH_ANNOTATION, "right")]));
        self.owners.clear();
        if row.creation == "Owner" {
            self.labels.extend(texts(&[(OWNER_LABEL, "mine")]));
            self.owners.push("mine".to_owned());
        }
        self.binding = Some(row.name.clone());
        self.ending("SecretSynced")
    }

    /// The managed label comes on whatever is there, before anything else is tried.
    fn marked(mut self) -> Self {
        if self.data.is_some() {
            self.labels.extend(texts(&[(MANAGED_LABEL, "true")]));
        }
        self
    }

    fn ending(self, reason: &str) -> Self {
        Self { status: "True".into(), reason: reason.into(), synced: "now", ..self }
    }

    fn failing(self, code: &str) -> Self {
        let failed = Self { status: "False".into(), reason: "SecretSyncedError".into(), code: code.into(), ..self };
        failed.telling("UpdateFailed")
    }

    fn telling(mut self, event: &str) -> Self {
        self.events.insert(event.to_owned());
        self
    }

    /// As it is now, without events.
    async fn seen(scene: &Scene, name: &str) -> Result<Self> {
        let object = scene.ours("ExternalSecret").get(name).await?;
        let target = scene.secrets().get_opt(name).await?;
        let Ready { status, reason, message } = Ready::of(&object).unwrap_or_default();
        let code = message.split_once(": ").filter(|_| status == "False").map(|(code, _)| code.to_owned());
        let mut seen = Self {
            status,
            reason,
            code: code.unwrap_or_default(),
            synced: synced(&object),
            binding: object.data.pointer("/status/binding/name").and_then(Value::as_str).map(str::to_owned),
            ..Self::default()
        };
        if let Some(target) = target {
            seen.see(&target, &owner_label(&scene.namespace, name), &object.uid().unwrap_or_default());
        }
        Ok(seen)
    }

    fn see(&mut self, target: &Secret, label: &str, uid: &str) {
        let mine = |text: &str, mine: &str, word: &str| if text == mine { word.to_owned() } else { text.to_owned() };
        let values = data(target);
        self.labels.clone_from(target.labels());
        self.labels.entry(OWNER_LABEL.to_owned()).and_modify(|text| *text = mine(text, label, "mine"));
        self.annotations.clone_from(target.annotations());
        let hash = data_hash(&values);
        self.annotations.entry(DATA_HASH_ANNOTATION.to_owned()).and_modify(|text| *text = mine(text, &hash, "right"));
        self.owners = target.owner_references().iter().map(|owner| mine(&owner.uid, uid, "mine")).collect();
        self.data = Some(values);
    }
}

fn synced(object: &DynamicObject) -> &'static str {
    let status = |field: &str| object.data.pointer(&format!("/status/{field}")).and_then(Value::as_str);
    let generation = object.metadata.generation.unwrap_or_default().to_string();
    match (status("syncedResourceVersion"), status("refreshTime")) {
        (None, None) => "never",
        (Some(version), Some(_)) if version.split('-').next() == Some(&generation) => "now",
        (Some(_), Some(_)) => "before",
        _ => "one without the other",
    }
}

async fn prepare(scene: &Scene, row: &Row) -> Result {
    let name = row.name.as_str();
    match row.target {
        Target::Absent => {}
        Target::Foreign => {
            let metadata = json!({"metadata": {"labels": {"team": "theirs"}, "annotations": {"owner": "theirs"}}});
            let theirs = secret(name, &[("password", "theirs"), ("foreign", "kept?")]);
            scene.apply(&with(theirs, &metadata)).await?;
        }
        Target::Ours => {
            scene.apply(&labelled(name, &extracts(BEFORE))).await?;
            scene.is_synced(name).await?;
        }
    }
    Ok(())
}

fn labelled(name: &str, spec: &Value) -> Value {
    with(external_secret(name, spec), &json!({"metadata": {"labels": {"from": "es"}, "annotations": {"note": "es"}}}))
}

async fn act(scene: &Scene, row: &Row) -> Result {
    prepare(scene, row).await?;
    scene.apply(&labelled(&row.name, &row.spec)).await?;
    let expected = Outcome::expected(row);
    if expected.status == "True" {
        scene.settled(&row.name, |ready| ready.status == "True").await?;
    } else {
        scene.fails(&row.name, &expected.code).await?;
    }
    differs(scene, row).await.map_or(Ok(()), |difference| Err(Failure::new(difference)))
}

/// How a row is not as expected.
async fn differs(scene: &Scene, row: &Row) -> Option<String> {
    let expected = Outcome { events: BTreeSet::new(), ..Outcome::expected(row) };
    match Outcome::seen(scene, &row.name).await {
        Ok(seen) if seen == expected => None,
        Ok(seen) => Some(format!("{}:\n  expected {expected:?}\n  seen     {seen:?}", row.name)),
        Err(failure) => Some(format!("{}: {failure}", row.name)),
    }
}

/// The rows whose events are others than expected.
async fn unlike_events(scene: &Scene, rows: &[Row]) -> std::result::Result<(), String> {
    let api: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in api.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items {
        let about = event.regarding.filter(|about| about.kind.as_deref() == Some("ExternalSecret"));
        if let Some(name) = about.and_then(|about| about.name) {
            told.entry(name).or_default().insert(event.reason.unwrap_or_default());
        }
    }
    let unlike = rows.iter().filter_map(|row| {
        let (expected, told) = (Outcome::expected(row).events, told.get(&row.name).cloned().unwrap_or_default());
        (expected != told).then(|| format!("{}: events {told:?}, expected {expected:?}", row.name))
    });
    let unlike: Vec<_> = unlike.collect();
    if unlike.is_empty() { Ok(()) } else { Err(unlike.join("\n")) }
}

#[tokio::test]
async fn policies_decide_what_becomes_of_each_target() -> Result {
    let scene = Scene::new("cells").await?;
    for (store, entries) in [
        (PRESENT, &[("creds", r#"{"password":"first","again":"first"}"#)][..]),
        (EMPTY, &[]),
        (ERROR, &[("creds", "no JSON")]),
        (BEFORE, &[("creds", r#"{"password":"first"}"#)]),
    ] {
        scene.apply(&secret_store(store, &fake(entries))).await?;
        scene.store_is_valid("SecretStore", store).await?;
    }
    let rows = rows();
    assert_eq!(rows.len(), 5 * 3 * (3 * 3 + 1), "every cell, and a search that finds nothing");
    let (scene, outcomes) = (&scene, stream::iter(&rows));
    let outcomes: Vec<_> = outcomes.map(|row| act(scene, row)).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|failure| failure.to_string()).collect();
    assert!(failed.is_empty(), "{} rows:\n{}", failed.len(), failed.join("\n"));
    wait::until("the events of every row", SOON, || unlike_events(scene, &rows)).await?;
    // Nothing came after.
    let later: Vec<_> = stream::iter(&rows).map(|row| differs(scene, row)).buffer_unordered(AT_ONCE).collect().await;
    let later: Vec<_> = later.into_iter().flatten().collect();
    assert!(later.is_empty(), "changed afterwards:\n{}", later.join("\n"));
    Ok(())
}
