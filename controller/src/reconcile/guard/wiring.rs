//! Brings stores and ExternalSecrets before the guard, and its verdict before their readers.

use api::{
    condition::{self, Condition},
    names::{
        ALLOW_DELETIONS_ANNOTATION,
        condition_reason::{DELETIONS_HELD, DELETIONS_RESUMED},
        condition_type,
    },
    plan::{Entry, Fetch, Plan, ResolvedStoreRef},
    reference::StoreKind,
    store::StoreStatus,
};
use jiff::{SignedDuration, Timestamp};

use super::{News, Seen, Served, Verdict, served};
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
    said: Option<String>,
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
            said: condition.filter(|condition| condition.is_true()).map(|condition| text_of(&condition.message)),
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
        Seen { uid: &self.uid, said: self.said.as_deref(), allowed: self.allowed, now, served }
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

/// Whether what the entries `gone` (indexes) gave to the target may be removed from it. `dropped`: the keys that would
/// go, where the target stays.
pub fn permit(
    ctx: &Ctx,
    namespace: &str,
    plan: &Plan,
    gone: &[usize],
    dropped: Option<&[String]>,
) -> Result<(), Error> {
    let now = Timestamp::now();
    let concerned = |entry: &&Entry| is_concerned(entry, plan, dropped);
    for store in plan.stores() {
        let entries = gone.iter().filter_map(|index| plan.entries.get(*index));
        let entries = entries.filter(|entry| entry.store == *store).filter(concerned);
        let lost: Vec<u64> = entries.map(|entry| served::entry_of(&entry.fetch)).collect();
        if lost.is_empty() {
            continue;
        }
        let Some(standing) = Standing::find(ctx, namespace, store, now) else { continue };
        if let Verdict::Held { text, news } = ctx.guard.may_remove(&standing.seen(ctx, now), &lost) {
            if news {
                tracing::warn!(store = %store, namespace, "deletions are held: {text}");
                ctx.pool.announce(&standing.uid);
            }
            return Err(Error::wait(Code::DeletionsHeld, format!("{store}: {text}")));
        }
    }
    Ok(())
}

/// Whether a missing entry can be why keys would be dropped. Where the key of an entry is known, it must be one of them.
fn is_concerned(entry: &Entry, plan: &Plan, dropped: Option<&[String]>) -> bool {
    match (dropped, &entry.fetch) {
        (Some(dropped), Fetch::Value { secret_key, .. }) if plan.target.template.is_none() => {
            dropped.contains(secret_key)
        }
        _ => true,
    }
}

/// Tells the guard what the stores have.
pub fn found(ctx: &Ctx, namespace: &str, plan: &Plan, gone: &[usize]) {
    let now = Timestamp::now();
    for store in plan.stores() {
        let Some(standing) = Standing::find(ctx, namespace, store, now) else { continue };
        let entries =
            plan.entries.iter().enumerate().filter(|(index, entry)| entry.store == *store && !gone.contains(index));
        let keys: Vec<u64> = entries.map(|(_, entry)| served::entry_of(&entry.fetch)).collect();
        if ctx.guard.found(&standing.seen(ctx, now), &keys) == News::TryAgain {
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
    fn missing_entry_is_concerned_when_its_key_would_go_or_may_be_anywhere() {
        let plan = |template: Option<&str>| {
            let template = template.map(|text| serde_json::json!({"data": {"x": text}}));
            let spec = serde_json::from_value(serde_json::json!({
                "secretStoreRef": {"name": "store"},
                "target": {"template": template},
                "data": [{"secretKey": "a", "remoteRef": {"key": "one"}}],
                "dataFrom": [{"extract": {"key": "two"}}],
            }));
            Plan::new("es", &spec.expect("spec")).expect("plan")
        };
        let (keys, others) = (["a".to_owned()], ["b".to_owned()]);
        for (plan, dropped, expected) in [
            (plan(None), Some(&keys[..]), [true, true]),
            (plan(None), Some(&others[..]), [true, false]),
            (plan(None), None, [true, true]),
            (plan(Some("{{ .a }}")), Some(&others[..]), [true, true]),
        ] {
            let concerned: Vec<_> = plan.entries.iter().map(|entry| is_concerned(entry, &plan, dropped)).collect();
            assert_eq!(concerned, expected, "dataFrom, data: {dropped:?}");
        }
    }

    #[test]
    fn text_is_read_back_from_the_condition() {
        assert_eq!(text_of(&format!("DeletionsHeld: words{MISSES}")), "words");
        assert_eq!(text_of("others"), "others");
    }
}
