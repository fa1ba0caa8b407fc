//! Whom a change of a target wakes.
//!
//! Whoever is synced and may have something to put right. Whoever failed only if what changed is its own, or is what the
//! failure waits for: a target that it could not write is labelled all the same, and what its owner does to it must not have
//! a store asked again each time.

use std::sync::Arc;

use api::{
    condition,
    external_secret::{ExternalSecret, ExternalSecretStatus},
    hash::owner_label,
    names::condition_type::READY,
};

use super::{
    ours::Identity,
    shares::{Part, Shares},
};
use crate::{
    engine::{
        Lane, ObjectKey, Queue,
        cache::{Cache, Versioned as _},
        object::Watched,
    },
    error::Code,
    reconcile::{guard::served::says, managed::Change},
};

/// See the module documentation.
#[derive(Clone)]
pub struct Waker {
    pub external_secrets: Arc<Cache<Watched<ExternalSecret>>>,
    pub shares: Arc<Shares>,
    pub queue: Arc<Queue>,
}

impl Waker {
    /// The target of `author` has changed.
    pub fn changed(&self, author: &ObjectKey, target: &ObjectKey, change: Change<'_>) {
        let Some(object) = self.external_secrets.find(author) else { return };
        let status: ExternalSecretStatus = object.status();
        let ready = condition::find(&status.conditions, READY);
        let user = User {
            me: Identity { uid: object.uid(), label: &owner_label(author.namespace(), author.name()) },
            state: match ready {
                Some(ready) if ready.is_true() => State::Synced,
                Some(ready) if WAIT_FOR_THE_TARGET.iter().any(|code| says(ready, *code)) => State::WaitsForTarget,
                _ => State::Failing,
            },
            has_share: self.shares.is_known(author, target),
            part: change.now.and_then(|now| self.shares.part(author, target, now)),
        };
        match user.wakes_for(change) {
            Some(Call::Anew) => self.queue.add(author, Lane::Interactive),
            Some(Call::Again) => self.queue.remind(author, Lane::Interactive),
            None => {}
        }
    }
}

/// Failures that end when somebody else's claim to the target does.
const WAIT_FOR_THE_TARGET: [Code; 4] =
    [Code::TargetOwnedByAnother, Code::TargetNotOurs, Code::TargetImmutable, Code::AdoptionRefused];

/// An ExternalSecret as far as this decision looks at it.
struct User<'a> {
    me: Identity<'a>,
    state: State,
    /// Whether it is known to have written to the target beside others.
    has_share: bool,
    /// What became of that.
    part: Option<Part>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Synced,
    /// It failed, or has not been synced yet.
    Failing,
    /// It failed because of the target.
    WaitsForTarget,
}

/// How an ExternalSecret is woken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Call {
    /// Failures before it do not count any more.
    Anew,
    /// They do.
    Again,
}

impl User<'_> {
    fn wakes_for(&self, change: Change<'_>) -> Option<Call> {
        let Change { before, now } = change;
        let Some(now) = now else {
            let was_ours = self.has_share || before.is_some_and(|before| self.me.has_a_claim(before));
            return match self.state {
                State::Synced | State::WaitsForTarget => Some(Call::Anew),
                State::Failing => was_ours.then_some(Call::Again),
            };
        };
        // It got the managed label, perhaps from this very ExternalSecret when that had failed.
        if before.is_none() && !self.has_share && !self.me.has_a_claim(now) {
            return None;
        }
        let changed_hands = before.is_some_and(|before| now.has_another_owner_than(before));
        let is_touched = match self.part {
            Some(Part::Gone) => true,
            Some(Part::Changed) => !now.intact,
            Some(Part::Whole) => false,
            None if now.intact => changed_hands && !self.me.owns_wholly(now),
            None => self.me.has_a_claim(now) || before.is_some_and(|before| self.me.has_a_claim(before)),
        };
        match self.state {
            State::Synced => (is_touched || !now.intact).then_some(Call::Anew),
            State::WaitsForTarget if changed_hands => Some(Call::Anew),
            State::WaitsForTarget | State::Failing => is_touched.then_some(Call::Again),
        }
    }
}

#[cfg(test)]
mod tests {
    use api::{hash::data_hash, names::DATA_HASH_ANNOTATION};
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;
    use crate::reconcile::managed::Managed;

    /// A Secret that holds nothing.
    fn managed(intact: bool, owner: &str) -> Managed {
        let hash =
            if intact { data_hash(&std::collections::BTreeMap::<String, Vec<u8>>::new()) } else { String::new() };
        let owner = json!({"apiVersion": "v1", "kind": "K", "name": "n", "uid": owner, "controller": true});
        let secret: Secret = serde_json::from_value(json!({"metadata": {
            "name": "s", "namespace": "n", "uid": "s", "resourceVersion": "1",
            "annotations": {DATA_HASH_ANNOTATION: hash}, "ownerReferences": [owner],
        }}))
        .expect("a secret");
        Managed::from(&secret)
    }

    #[test]
    fn whoever_failed_is_woken_by_what_is_its_own_or_what_it_waits_for() {
        let (ours, edited, theirs) = (managed(true, "me"), managed(false, "me"), managed(true, "other"));
        let (foreign, foreign_edited) = (managed(false, "other"), managed(false, "other"));
        let rows = [
            (
                "our own is edited",
                Some(&ours),
                Some(&edited),
                None,
                [Some(Call::Anew), Some(Call::Again), Some(Call::Again)],
            ),
            ("our own is gone", Some(&ours), None, None, [Some(Call::Anew), Some(Call::Again), Some(Call::Anew)]),
            (
                "our own is taken",
                Some(&ours),
                Some(&theirs),
                None,
                [Some(Call::Anew), Some(Call::Again), Some(Call::Anew)],
            ),
            ("theirs is edited", Some(&foreign), Some(&foreign_edited), None, [Some(Call::Anew), None, None]),
            ("theirs is labelled", None, Some(&foreign), None, [None, None, None]),
            (
                "ours comes into view",
                None,
                Some(&edited),
                None,
                [Some(Call::Anew), Some(Call::Again), Some(Call::Again)],
            ),
            ("theirs is gone", Some(&foreign), None, None, [Some(Call::Anew), None, Some(Call::Anew)]),
            (
                "theirs is freed",
                Some(&theirs),
                Some(&managed(true, "nobody")),
                None,
                [Some(Call::Anew), Some(Call::Again), Some(Call::Anew)],
            ),
            ("theirs beside ours", Some(&foreign), Some(&foreign), Some(Part::Whole), [Some(Call::Anew), None, None]),
            (
                "ours beside theirs",
                Some(&foreign),
                Some(&foreign),
                Some(Part::Changed),
                [Some(Call::Anew), Some(Call::Again), Some(Call::Again)],
            ),
            ("replaced by another of us", Some(&theirs), Some(&theirs), Some(Part::Changed), [None, None, None]),
            (
                "removed by another of us",
                Some(&theirs),
                Some(&theirs),
                Some(Part::Gone),
                [Some(Call::Anew), Some(Call::Again), Some(Call::Again)],
            ),
        ];
        for (what, before, now, part, expected) in rows {
            for (state, expected) in [State::Synced, State::Failing, State::WaitsForTarget].into_iter().zip(expected) {
                let user = User { me: Identity { uid: "me", label: "l" }, state, has_share: part.is_some(), part };
                assert_eq!(user.wakes_for(Change { before, now }), expected, "{what}: {state:?}");
            }
        }
    }
}
