//! From entries of a plan to values by key.
//!
//! Every store is opened once, entries are read side by side up to a bound, and their results are put together in the
//! order of the plan: `dataFrom` first, then `data`; later entries win. Nothing is written here.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use api::{
    admission::ours::is_data_key,
    external_secret::{ConversionStrategy, DeletionPolicy, NullBytePolicy},
    plan::{Entry, Fetch, Plan, ResolvedStoreRef},
};
use futures::{StreamExt, stream};

use super::{rewrite, shown, values};
use crate::{
    ctx::Ctx,
    engine::{Lane, ObjectKey},
    error::{Code, Error},
    provider::{Store, Values, keys},
    reconcile::{
        external_secret::stores,
        guard::{origins::Brought, wiring as guard},
    },
    templates::{Budget, Place, Templates},
};

/// What the stores hold for an ExternalSecret.
#[derive(Debug, Default)]
pub struct Fetched {
    pub values: Values,
    /// Entries that do not exist at the provider and that the deletion policy lets pass, as `path (key)`.
    pub missing: Vec<String>,
    /// Indexes of those entries, and of searches that found nothing.
    pub gone: Vec<usize>,
    /// What the searches brought.
    pub searched: Brought,
    /// Why there are no values, where there are none.
    pub lack: Lack,
    /// Keys that no Secret takes, and the entry that each came from. A template may use them all the same.
    pub odd: BTreeMap<String, String>,
}

/// Why a target would hold nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lack {
    #[default]
    Data,
    /// There is data, and every name that it got is empty.
    Keys,
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Data => "the provider has no data",
            Self::Keys => "the provider has data, but rewriting leaves no key of it",
        })
    }
}

/// Entries read at the same time for one ExternalSecret: hides latency without flooding a store.
const AT_ONCE: usize = 8;

/// Fetches every entry for the ExternalSecret `key`. An answer of a store that was asked since `since` may be shared with
/// others. `lane`: interactive when somebody changed something, and not only time passed. The mass-deletion guard learns
/// what there is and what not.
pub async fn fetch(
    ctx: &Ctx,
    place: &Place,
    key: &ObjectKey,
    plan: &Plan,
    since: Instant,
    lane: Lane,
) -> Result<Fetched, Error> {
    let opened = open(ctx, key.namespace(), plan, since).await?;
    if lane == Lane::Interactive {
        reconsider(plan, &opened);
    }
    let names = Names { templates: &ctx.templates, place };
    let mut reads = Vec::with_capacity(plan.entries.len());
    for entry in &plan.entries {
        let store = opened.get(&entry.store).cloned();
        reads.push(read(store, &names, entry, since));
    }
    let results: Vec<Result<Option<Found>, Error>> = stream::iter(reads).buffered(AT_ONCE).collect().await;
    let (found, missing) = answers(plan, &results);
    guard::answered(ctx, key, plan, &found, &missing);
    assemble(plan, results)
}

/// Indexes of the entries that are there, and of those that are not; where nothing is, also of searches without a match.
fn answers(plan: &Plan, results: &[Result<Option<Found>, Error>]) -> (Vec<usize>, Vec<usize>) {
    let (mut found, mut missing, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (entry, result)) in plan.entries.iter().zip(results).enumerate() {
        match result {
            Ok(Some(there)) if there.values.is_empty() && matches!(entry.fetch, Fetch::Find(_)) => empty.push(index),
            Ok(Some(_)) => found.push(index),
            Ok(None) => missing.push(index),
            Err(_) => {}
        }
    }
    if found.is_empty() {
        missing.append(&mut empty);
    }
    (found, missing)
}

fn reconsider(plan: &Plan, opened: &BTreeMap<ResolvedStoreRef, Arc<dyn Store>>) {
    for entry in &plan.entries {
        let Some(store) = opened.get(&entry.store) else { continue };
        match &entry.fetch {
            Fetch::Value { remote, .. } | Fetch::Extract(remote) => store.reconsider(Some(remote)),
            Fetch::Find(_) => store.reconsider(None),
        }
    }
}

/// Every store that an entry asks, or what keeps each of those that cannot be asked.
async fn open(
    ctx: &Ctx,
    namespace: &str,
    plan: &Plan,
    since: Instant,
) -> Result<BTreeMap<ResolvedStoreRef, Arc<dyn Store>>, Error> {
    let (mut opened, mut errors) = (BTreeMap::new(), Vec::new());
    let stores = plan.stores();
    for store in &stores {
        match open_one(ctx, namespace, store, since).await {
            Ok(handle) => drop(opened.insert((*store).clone(), handle)),
            // One store is that of `secretStoreRef`; of several the place tells which reference is meant.
            Err(error) if stores.len() == 1 => return Err(error),
            Err(error) => {
                let user = plan.entries.iter().find(|entry| entry.store == **store);
                errors.push(user.map_or(error.clone(), |entry| error.at(&entry.path)));
            }
        }
    }
    if errors.is_empty() { Ok(opened) } else { Err(together(errors)) }
}

async fn open_one(
    ctx: &Ctx,
    namespace: &str,
    store: &ResolvedStoreRef,
    since: Instant,
) -> Result<Arc<dyn Store>, Error> {
    let handle = match stores::usable(ctx, namespace, store) {
        Err(error) if error.code() == Code::StoreNotFound => {
            return Err(stores::on_its_way(ctx, namespace, store).await.unwrap_or(error));
        }
        usable => usable?,
    };
    ctx.pool.open(&handle, namespace, since).await
}

async fn read(
    store: Option<Arc<dyn Store>>,
    names: &Names<'_>,
    entry: &Entry,
    since: Instant,
) -> Result<Option<Found>, Error> {
    let store = store.ok_or_else(|| Error::bug(Code::Panicked, "an entry's store was not opened"))?;
    one(store.as_ref(), names, entry, since).await.map_err(|error| error.at(&entry.path))
}

/// One entry's values, ready to become keys.
#[derive(Debug)]
struct Found {
    values: Values,
    /// Whether the provider has anything there.
    any: bool,
}

/// `None`: it does not exist at the provider.
async fn one(store: &dyn Store, names: &Names<'_>, entry: &Entry, since: Instant) -> Result<Option<Found>, Error> {
    match &entry.fetch {
        Fetch::Value { secret_key, remote } => {
            let Some(value) = store.get(remote, since).await? else { return Ok(None) };
            let value = values::decode(remote.decoding_strategy, secret_key, value)?;
            values::check_null_bytes(remote.null_byte_policy, secret_key, &value)?;
            Ok(Some(Found { values: Values::from([(secret_key.clone(), value)]), any: true }))
        }
        Fetch::Extract(remote) => {
            let Some(found) = store.get_map(remote, since).await? else { return Ok(None) };
            let any = !found.is_empty();
            let keyed = names.of(entry, remote.conversion_strategy, found).await?;
            finish(values::decode_all(remote.decoding_strategy, keyed)?, remote.null_byte_policy, any)
        }
        Fetch::Find(query) => {
            let Some(found) = store.find(query, since).await? else { return Ok(None) };
            let any = !found.is_empty();
            let keyed = names.of(entry, query.conversion_strategy, found).await?;
            finish(values::decode_all(query.decoding_strategy, keyed)?, query.null_byte_policy, any)
        }
    }
}

/// What gives values their names.
struct Names<'a> {
    templates: &'a Arc<Templates>,
    place: &'a Place,
}

impl Names<'_> {
    /// Names as the Secret takes them: rewritten, or converted where nothing is rewritten.
    async fn of(&self, entry: &Entry, conversion: ConversionStrategy, found: Values) -> Result<Values, Error> {
        let named = if entry.rewrite.is_empty() {
            keys::convert(conversion, found)?
        } else {
            let (templates, operations) = (self.templates.clone(), entry.rewrite.clone());
            let work = move |budget: &Budget| rewrite::apply(&templates, budget, &operations, found);
            // It stands beside `extract` or `find`, which the path names.
            let beside = entry.path.rsplit_once('.').map_or(entry.path.as_str(), |(beside, _)| beside);
            self.templates.off_thread(self.place, work).await.map_err(|error| error.within(beside))?
        };
        values::check_keys(named)
    }
}

fn finish(values: Values, policy: NullBytePolicy, any: bool) -> Result<Option<Found>, Error> {
    values.iter().try_for_each(|(key, value)| values::check_null_bytes(policy, key, value))?;
    Ok(Some(Found { values, any }))
}

/// Puts the results together, or says what is wrong with all of them.
fn assemble(plan: &Plan, results: Vec<Result<Option<Found>, Error>>) -> Result<Fetched, Error> {
    let mut fetched = Fetched::default();
    let mut errors = Vec::new();
    for (index, (entry, result)) in plan.entries.iter().zip(results).enumerate() {
        match result {
            Ok(Some(Found { values, any })) => {
                if any {
                    fetched.lack = Lack::Keys;
                }
                if matches!(entry.fetch, Fetch::Find(_)) {
                    fetched.searched.add(&entry.store, values.keys());
                    if values.is_empty() {
                        fetched.gone.push(index);
                    }
                }
                let odd = values.keys().filter(|key| !is_data_key(key));
                fetched.odd.extend(odd.map(|key| (key.clone(), entry.path.clone())));
                fetched.values.extend(values);
            }
            Ok(None) if plan.target.deletion != DeletionPolicy::Retain => {
                fetched.gone.push(index);
                fetched.missing.push(describe(entry));
            }
            Ok(None) => errors.push(absent(entry)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(fetched) } else { Err(together(errors)) }
}

fn describe(entry: &Entry) -> String {
    match &entry.fetch {
        Fetch::Value { remote, .. } | Fetch::Extract(remote) => {
            format!("{} ({})", entry.path, shown::name(&remote.key))
        }
        Fetch::Find(_) => entry.path.clone(),
    }
}

fn absent(entry: &Entry) -> Error {
    let message = match &entry.fetch {
        Fetch::Value { remote, .. } | Fetch::Extract(remote) => format!(
            "{} has no entry \"{}\"{}; create it or correct remoteRef.key (deletionPolicy Delete or Merge would pass over it)",
            entry.store,
            shown::name(&remote.key),
            remote
                .property
                .as_ref()
                .map(|path| format!(" with a property \"{}\"", shown::name(path)))
                .unwrap_or_default(),
        ),
        Fetch::Find(_) => format!("{} has nothing at the path of find; correct find.path", entry.store),
    };
    Error::fix(Code::RemoteSecretMissing, message).at(&entry.path)
}

/// Other causes named beside the first, so that five wrong entries need one round trip to mend and not five.
const NAMED: usize = 4;

/// One error out of several: the first, with the others named after it.
fn together(errors: Vec<Error>) -> Error {
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else { return Error::bug(Code::Panicked, "no error to report") };
    let (same, others): (Vec<_>, Vec<_>) = errors.partition(|error| error.is_same_cause(&first));
    let mut also: Vec<String> = others.iter().map(ToString::to_string).collect();
    also.dedup();
    if !same.is_empty() {
        let places = same.iter().filter_map(Error::context).take(NAMED).collect::<Vec<_>>().join(", ");
        also.insert(0, format!("the same at {places} ({} entries in all)", same.len() + 1));
    }
    first.with_others(&also, NAMED)
}
