//! Watches that are late: a kind's news are held back while others change the world, and come afterwards in order.
//!
//! Each row says what the controller may not take from others while it does not know, and what it comes to once it does.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use kube::ResourceExt;
use serde_json::{Value, json};
use tests::{Failure, Result, wait};

use crate::{
    scenarios::{app, entry, force_sync, stored, synced, target},
    steps::Step,
    support::{SOON, data, manifest::secret},
    world::{PLACES, World, store, token},
};

/// One row. `Secret` and `keys`: what others have and keep.
struct Late {
    name: &'static str,
    /// Whose news are late.
    frozen: &'static str,
    given: Vec<Step>,
    /// While nothing is told.
    others: Vec<Step>,
    /// The request by which is known that the controller acts on what it knows.
    acts_by: &'static str,
    keeps: Keeps,
    /// Once all is told.
    then: Vec<Step>,
}

/// What must be there throughout: the very Secret with these entries. Or nothing at all.
enum Keeps {
    Secret(&'static str, &'static [(&'static str, &'static str)]),
    Absence(&'static str),
}

const THEIRS: &[(&str, &str)] = &[("theirs", "x")];
const SYNCED: Step = Step::Ready("SecretSynced");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_others_is_deleted_or_overwritten_on_old_knowledge() -> Result {
    let rows: Vec<Late> = [late_secrets(), late_external_secrets(), late_stores()].into_iter().flatten().collect();
    let number = rows.len();
    let outcomes = stream::iter(rows).map(|row| async move {
        let name = row.name;
        run(row).await.map_err(|failure| format!("{name}: {failure}"))
    });
    let outcomes: Vec<_> = outcomes.buffer_unordered(number).collect().await;
    let failures: Vec<_> = outcomes.into_iter().filter_map(std::result::Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n\n"))) }
}

/// Two watches: that of the ExternalSecret may be the faster one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_of_which_nothing_is_told_yet_is_not_told_to_be_missing() -> Result {
    let _place = PLACES.acquire().await?;
    let world = World::new("untold").await?;
    world.take(&[entry("first")]).await?;
    world.at_rest(0.0).await?;
    world.proxy.record(None).await;
    world.proxy.freeze("secretstores");
    world.take(&[Step::Apply(store(&token(), "secret")), app(&json!({}))]).await?;
    let look = "GET secretstores store";
    wait::until(look, SOON, || async {
        let calls: Vec<_> = world.proxy.calls().iter().map(ToString::to_string).collect();
        if calls.iter().any(|call| call == look) { Ok(()) } else { Err(format!("there were {calls:?}")) }
    })
    .await?;
    world.at_rest(0.0).await?;
    let told = world.scene.ours("ExternalSecret").get("app").await?;
    assert!(told.data.get("status").is_none(), "{}", told.data);
    world.proxy.thaw("secretstores");
    world.take(&[Step::Holds("app", &[("password", "first")]), SYNCED]).await
}

/// What was synced from where a store no longer is, is not right because it is synced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn value_read_from_a_store_whose_move_is_not_told_yet_is_fetched_again_when_it_is() -> Result {
    let _place = PLACES.acquire().await?;
    let world = World::new("unseen").await?;
    world.take(&stored()).await?;
    world.at_rest(1.0).await?;
    world.proxy.record(None).await;
    world.proxy.freeze("secretstores");
    let elsewhere = json!({"spec": {"provider": {"vault": {"path": "kv", "version": "v1"}}}});
    let moved = Step::Change("SecretStore", "store", elsewhere);
    world.take(&[Step::MovedEntry(json!({"password": "second"})), moved, app(&json!({}))]).await?;
    world.take(&[Step::Holds("app", &[("password", "first")]), SYNCED]).await?;
    world.proxy.thaw("secretstores");
    world.take(&[Step::Holds("app", &[("password", "second")]), SYNCED]).await
}

async fn run(row: Late) -> Result {
    let _place = PLACES.acquire().await?;
    let world = World::new("late").await?;
    world.take(&row.given).await?;
    world.at_rest(1.0).await?;
    world.proxy.record(None).await;
    world.proxy.freeze(row.frozen);
    world.take(&row.others).await?;
    let kept = row.keeps.seen(&world).await?;
    wait::until(row.acts_by, SOON, || async {
        let calls: Vec<_> = world.proxy.calls().iter().map(ToString::to_string).collect();
        if calls.iter().any(|call| call == row.acts_by) { Ok(()) } else { Err(format!("there were {calls:?}")) }
    })
    .await?;
    world.at_rest(1.0).await?;
    row.keeps.check(&world, kept.as_deref()).await.map_err(|failure| failure.during("before the news"))?;
    world.proxy.thaw(row.frozen);
    world.take(&row.then).await?;
    world.at_rest(1.0).await?;
    row.keeps.check(&world, kept.as_deref()).await.map_err(|failure| failure.during("after the news"))
}

impl Keeps {
    /// The UID of what is kept.
    async fn seen(&self, world: &World) -> Result<Option<String>> {
        match self {
            Self::Secret(name, _) => Ok(world.scene.secrets().get(name).await?.uid()),
            Self::Absence(name) => {
                wait::gone(&world.scene.secrets(), name, SOON).await?;
                Ok(None)
            }
        }
    }

    async fn check(&self, world: &World, kept: Option<&str>) -> Result {
        let (Self::Secret(name, _) | Self::Absence(name)) = self;
        let there = world.scene.secrets().get_opt(name).await?;
        let fits = match (self, &there) {
            (Self::Absence(_), there) => there.is_none(),
            (Self::Secret(_, entries), Some(there)) => {
                let data: BTreeMap<_, _> = data(there);
                there.metadata.uid.as_deref() == kept
                    && entries.iter().all(|(key, value)| data.get(*key).is_some_and(|it| it == value))
            }
            (Self::Secret(..), None) => false,
        };
        let calls: Vec<_> = world.proxy.calls().iter().map(ToString::to_string).collect();
        if fits { Ok(()) } else { Err(Failure::new(format!("secret {name} is {there:?} after {calls:?}"))) }
    }
}

/// Somebody has put another Secret in the place of one of ours.
fn replaced(name: &'static str) -> Vec<Step> {
    vec![Step::DeleteSecret(name), Step::Apply(secret(name, THEIRS))]
}

/// Somebody has taken one of our Secrets for themselves.
fn taken(name: &'static str) -> Step {
    let theirs = json!({"metadata": {"ownerReferences": null, "labels": null}, "data": {"theirs": "eA=="}});
    Step::EditSecret(name, theirs)
}

fn late_secrets() -> Vec<Late> {
    let before = json!({"target": {"name": "before"}});
    let delete = json!({"target": {"deletionPolicy": "Delete"}});
    let merge = json!({"target": {"creationPolicy": "CreateOrMerge"}});
    let finalizer = json!({"metadata": {"finalizers": [api::names::ES_FINALIZER]}});
    let renamed = || target(&json!({"name": "after"}));
    let done = || vec![Step::Holds("after", &[("password", "first")]), SYNCED];
    let row = |name, given, others: Vec<Vec<Step>>, acts_by, keeps, then| Late {
        name,
        frozen: "secrets",
        given,
        others: others.concat(),
        acts_by,
        keeps: Keeps::Secret(keeps, THEIRS),
        then,
    };
    vec![
        row(
            "the old target was replaced by somebody before the rename",
            synced(&before),
            vec![replaced("before"), vec![renamed()]],
            "DELETE secrets before",
            "before",
            done(),
        ),
        row(
            "the old target was taken by somebody before the rename",
            synced(&before),
            vec![vec![taken("before"), renamed()]],
            "DELETE secrets before",
            "before",
            done(),
        ),
        row(
            "the target was replaced by somebody before its entry went",
            synced(&delete),
            vec![replaced("app"), vec![Step::NoEntry, force_sync()]],
            "DELETE secrets app",
            "app",
            vec![Step::Ready("SecretDeleted")],
        ),
        row(
            "the target was replaced by somebody before its ExternalSecret went",
            [synced(&delete), vec![Step::Change("ExternalSecret", "app", finalizer)]].concat(),
            vec![replaced("app"), vec![Step::Delete("ExternalSecret", "app")]],
            "DELETE secrets app",
            "app",
            vec![Step::Gone("ExternalSecret", "app")],
        ),
        row(
            "somebody added a key before the refresh",
            synced(&merge),
            vec![vec![Step::EditSecret("app", json!({"data": {"theirs": "eA=="}})), entry("second"), force_sync()]],
            "PATCH secrets app",
            "app",
            vec![Step::Holds("app", &[("password", "second"), ("theirs", "x")]), SYNCED],
        ),
    ]
}

fn late_external_secrets() -> Vec<Late> {
    let row = |name, others, acts_by, keeps, then| Late {
        name,
        frozen: "externalsecrets",
        given: synced(&json!({})),
        others,
        acts_by,
        keeps,
        then,
    };
    let again = |over: &Value| vec![Step::Orphan("app"), app(over)];
    vec![
        row(
            "the target was renamed and the old one taken by somebody",
            vec![target(&json!({"name": "after"})), taken("app")],
            "GET externalsecrets app",
            Keeps::Secret("app", THEIRS),
            vec![Step::Holds("after", &[("password", "first")]), SYNCED],
        ),
        row(
            "the policy became Merge and somebody added a key",
            vec![
                target(&json!({"creationPolicy": "Merge"})),
                Step::EditSecret("app", json!({"data": {"theirs": "eA=="}})),
            ],
            "GET externalsecrets app",
            Keeps::Secret("app", THEIRS),
            vec![SYNCED],
        ),
        row(
            "it was made anew with another target, and the old Secret kept",
            again(&json!({"target": {"name": "after"}})),
            "GET externalsecrets app",
            Keeps::Secret("app", &[("password", "first")]),
            vec![Step::Holds("after", &[("password", "first")]), SYNCED],
        ),
        row(
            "it was deleted, and its Secret with it",
            vec![Step::Delete("ExternalSecret", "app")],
            "GET externalsecrets app",
            Keeps::Absence("app"),
            vec![],
        ),
    ]
}

fn late_stores() -> Vec<Late> {
    let moved = || {
        let elsewhere = json!({"spec": {"provider": {"vault": {"path": "kv", "version": "v1"}}}});
        vec![Step::NoEntry, Step::Change("SecretStore", "store", elsewhere), force_sync()]
    };
    let row = |name, target: Value, values: Value, keeps, then| Late {
        name,
        frozen: "secretstores",
        given: synced(&json!({"target": target})),
        others: [vec![Step::MovedEntry(values)], moved()].concat(),
        acts_by: "GET secretstores store",
        keeps: Keeps::Secret("app", keeps),
        then: vec![then, SYNCED],
    };
    vec![
        row(
            "the entry was moved and the store with it: no Secret goes",
            json!({"deletionPolicy": "Delete"}),
            json!({"password": "second"}),
            &[],
            Step::Holds("app", &[("password", "second")]),
        ),
        row(
            "the entry was moved and the store with it: no key goes",
            json!({"creationPolicy": "CreateOrMerge", "deletionPolicy": "Merge"}),
            json!({"password": "first"}),
            &[("password", "first")],
            Step::Holds("app", &[("password", "first")]),
        ),
    ]
}
