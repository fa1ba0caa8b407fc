//! Brings stores and ExternalSecrets before the guard, and its verdict before their readers.

use api::{
    condition::{self, Condition},
    external_secret::{DeletionPolicy, ExternalSecretStatus},
    names::{
        ALLOW_DELETIONS_ANNOTATION,
        condition_reason::{DELETIONS_HELD, DELETIONS_RESUMED},
        condition_type,
    },
    plan::{Fetch, Plan, ResolvedStoreRef},
    reference::StoreKind,
    store::StoreStatus,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Lost, News, Said, Seen, Served, Verdict,
    going::{self, Going},
    origins::Brought,
    served,
};
use crate::{
    ctx::Ctx,
    engine::{ObjectKey, cache::Versioned as _, object::Watched},
    error::{Code, Error},
};

/// The furthest that deletions can be allowed ahead: whoever allows them should be there to see them.
const FURTHEST: SignedDuration = SignedDuration::from_hours(24);

/// A store as the watch shows it.
struct Standing {
    kind: StoreKind,
    key: ObjectKey,
    uid: String,
    said: Option<(String, Option<Timestamp>)>,
    allowed: bool,
    /// The annotation is there and allows nothing.
    misses: bool,
}

impl Standing {
    fn of<K>(kind: StoreKind, key: ObjectKey, object: &Watched<K>, now: Timestamp) -> Self {
        let status: StoreStatus = object.status();
        let condition = condition::find(&status.conditions, condition_type::DELETIONS_HELD);
        let until = object.meta.annotations.as_ref().and_then(|all| all.get(ALLOW_DELETIONS_ANNOTATION));
        let allowed = until.is_some_and(|until| allows(until, now));
        Self {
            kind,
            key,
            uid: object.uid().to_owned(),
            said: condition.filter(|condition| condition.is_true()).map(|condition| {
                (text_of(&condition.message), condition.last_transition_time.as_ref().map(|time| time.0))
            }),
            allowed,
            misses: until.is_some() && !allowed,
        }
    }

    fn find(ctx: &Ctx, namespace: &str, store: &ResolvedStoreRef, now: Timestamp) -> Option<Self> {
        match store.kind {
            StoreKind::SecretStore => {
                let key = ObjectKey::new(namespace, &store.name);
                ctx.secret_stores.find(&key).map(|object| Self::of(store.kind, key, &object, now))
            }
            StoreKind::ClusterSecretStore => {
                let key = ObjectKey::new("", &store.name);
                ctx.cluster_secret_stores.find(&key).map(|object| Self::of(store.kind, key, &object, now))
            }
        }
    }

    fn seen<'a>(&'a self, ctx: &'a Ctx, now: Timestamp) -> Seen<'a, impl Fn() -> Served + 'a> {
        let served = || served::served(&ctx.external_secrets, self.kind, &self.key);
        let said = self.said.as_ref().map(|(text, since)| Said { text, since: *since });
        Seen { uid: &self.uid, said, allowed: self.allowed, now, served }
    }
}

/// Whether a text in the annotation allows deletions now.
fn allows(until: &str, now: Timestamp) -> bool {
    until.parse::<Timestamp>().is_ok_and(|until| now < until && until.duration_since(now) <= FURTHEST)
}

/// What the message of the condition says after its code, and before what is said of the annotation.
fn text_of(message: &str) -> String {
    let text = message.strip_prefix(&format!("{}: ", Code::DeletionsHeld)).unwrap_or(message);
    text.strip_suffix(MISSES).unwrap_or(text).to_owned()
}

const MISSES: &str = "; the annotation that is there names no time within the next 24 h";

/// What may not go now.
pub struct Refusal {
    pub error: Error,
    /// The keys to keep as they are, where all others can be brought in step; `None`: the target stays whole.
    pub keep: Option<Vec<String>>,
}

/// Whether something may be removed from the target.
pub fn permit(ctx: &Ctx, key: &ObjectKey, plan: &Plan, goes: &Going<'_>) -> Result<(), Refusal> {
    let now = Timestamp::now();
    for store in plan.stores() {
        let may_be_its = |found: &str| ctx.guard.origins.may_be(key, store, found);
        let (lost, holds) = going::lost(key, plan, goes, store, may_be_its);
        if lost.is_empty() {
            continue;
        }
        let Some(standing) = Standing::find(ctx, key.namespace(), store, now) else { continue };
        if let Verdict::Held { text, news } = ctx.guard.may_remove(&standing.seen(ctx, now), &lost, holds) {
            if news {
                announce(ctx, &standing, store, &text);
            }
            let keep = going::kept(plan, goes);
            let stays = if keep.is_some() {
                "the keys of what is missing stay, all others are in step"
            } else {
                "it stays whole"
            };
            let error = Error::wait(Code::DeletionsHeld, format!("{store}: {text}; of this target, {stays}"));
            return Err(Refusal { error, keep });
        }
    }
    Ok(())
}

fn announce(ctx: &Ctx, standing: &Standing, store: &ResolvedStoreRef, text: &str) {
    tracing::warn!(store = %store, namespace = standing.key.namespace(), "deletions are held: {text}");
    ctx.pool.announce(&standing.uid);
}

/// Tells the guard what the stores answered, by indexes of entries: `found` are there, and `missing` are not.
pub fn answered(ctx: &Ctx, key: &ObjectKey, plan: &Plan, found: &[usize], missing: &[usize]) {
    let now = Timestamp::now();
    // Of the other policies, what is missing counts when something would go.
    let since = if plan.target.deletion == DeletionPolicy::Retain { missing_since(ctx, key, now) } else { None };
    for store in plan.stores() {
        let Some(standing) = Standing::find(ctx, key.namespace(), store, now) else { continue };
        let of_store = |indexes: &[usize]| -> Vec<&Fetch> {
            let entries = indexes.iter().filter_map(|index| plan.entries.get(*index));
            entries.filter(|entry| entry.store == *store).map(|entry| &entry.fetch).collect()
        };
        let keys: Vec<u64> = of_store(found).into_iter().filter_map(served::entry_of).collect();
        if ctx.guard.found(&standing.seen(ctx, now), &keys) == News::TryAgain {
            ctx.pool.announce(&standing.uid);
        }
        let Some(since) = since else { continue };
        let search = || Lost::search(served::searcher(key), 0);
        let lost = of_store(missing).into_iter().map(|fetch| served::entry_of(fetch).map_or_else(search, Lost::named));
        if let Some(text) = ctx.guard.missing(&standing.seen(ctx, now), &lost.collect::<Vec<_>>(), since) {
            announce(ctx, &standing, store, &text);
        }
    }
}

/// Since when an ExternalSecret misses entries that it once had: now, if it did not say so before. `None` if its spec
/// has not synced: what it refers to may never have been there.
fn missing_since(ctx: &Ctx, key: &ObjectKey, now: Timestamp) -> Option<Timestamp> {
    let object = ctx.external_secrets.find(key)?;
    let status: ExternalSecretStatus = object.status();
    if !is_of(&status, object.generation()) {
        return None;
    }
    let ready = condition::find(&status.conditions, condition_type::READY);
    let missed = ready.filter(|ready| !ready.is_true() && served::says(ready, Code::RemoteSecretMissing));
    Some(missed.and_then(|ready| ready.last_transition_time.as_ref()).map_or(now, |time| time.0))
}

/// Whether the spec of this generation has synced.
pub fn is_of(status: &ExternalSecretStatus, generation: i64) -> bool {
    let synced = status.synced_resource_version.as_deref().and_then(|version| version.split_once('-'));
    synced.is_some_and(|(synced, _)| synced == generation.to_string())
}

/// The target has what the stores have. `missing`: indexes of entries that they do not have; `searched`: what the
/// searches brought.
pub fn in_step(ctx: &Ctx, key: &ObjectKey, plan: &Plan, missing: &[usize], searched: &Brought) {
    let now = Timestamp::now();
    ctx.guard.origins.set(key, searched);
    for store in plan.stores() {
        let entries = || plan.entries.iter().enumerate().filter(|(_, entry)| entry.store == *store);
        let finds = entries().any(|(_, entry)| matches!(entry.fetch, Fetch::Find(_)));
        let missing = entries().filter(|(index, _)| missing.contains(index));
        let missing = missing.filter_map(|(_, entry)| served::entry_of(&entry.fetch)).map(Lost::named);
        let missing: Vec<Lost> = missing.collect();
        if !finds && missing.is_empty() {
            continue;
        }
        let Some(standing) = Standing::find(ctx, key.namespace(), store, now) else { continue };
        let searched = finds.then(|| (served::searcher(key), searched.count(store)));
        if ctx.guard.in_step(&standing.seen(ctx, now), searched, &missing) == News::TryAgain {
            ctx.pool.announce(&standing.uid);
        }
    }
}

/// Brings the condition `DeletionsHeld` of a store's status up to date; returns it when it turned.
pub fn tell<K>(
    ctx: &Ctx,
    kind: StoreKind,
    key: &ObjectKey,
    store: &Watched<K>,
    status: &mut StoreStatus,
) -> Option<Condition> {
    let now = Timestamp::now();
    let standing = Standing::of(kind, key.clone(), store, now);
    let (held, news) = ctx.guard.standing(&standing.seen(ctx, now));
    if news == News::TryAgain {
        ctx.pool.announce(&standing.uid);
    }
    let before = condition::find(&status.conditions, condition_type::DELETIONS_HELD).cloned();
    let was_held = before.as_ref().is_some_and(Condition::is_true);
    let next = match held {
        Some(text) => {
            let misses = if standing.misses { MISSES } else { "" };
            let message = format!("{}: {text}{misses}", Code::DeletionsHeld);
            Condition::new(condition_type::DELETIONS_HELD, true, DELETIONS_HELD, message)
        }
        None if was_held => {
            let message = if standing.allowed {
                "deletions go on: the annotation allows them"
            } else {
                "deletions go on: the entries were found again"
            };
            Condition::new(condition_type::DELETIONS_HELD, false, DELETIONS_RESUMED, message)
        }
        None => return None,
    };
    let turned = (next.is_true() != was_held).then(|| next.clone());
    condition::set(&mut status.conditions, next, now);
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotation_allows_until_its_time_and_at_most_a_day() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().expect("time");
        for (until, expected) in [
            ("2026-01-01T12:00:01Z", true),
            ("2026-01-01T14:00:00+01:00", true),
            ("2026-01-02T12:00:00Z", true),
            ("2026-01-02T12:00:01Z", false),
            ("2026-01-01T12:00:00Z", false),
            ("2025-12-31T12:00:00Z", false),
            ("tomorrow", false),
            ("", false),
        ] {
            assert_eq!(allows(until, now), expected, "{until}");
        }
    }

    #[test]
    fn spec_has_synced_when_its_generation_has() {
        for (synced, expected) in
            [(None, false), (Some(""), false), (Some("3-x"), true), (Some("2-x"), false), (Some("3"), false)]
        {
            let status = ExternalSecretStatus { synced_resource_version: synced.map(Into::into), ..Default::default() };
            assert_eq!(is_of(&status, 3), expected, "{synced:?}");
        }
    }

    #[test]
    fn text_is_read_back_from_the_condition() {
        assert_eq!(text_of(&format!("DeletionsHeld: words{MISSES}")), "words");
        assert_eq!(text_of("others"), "others");
    }
}
