//! What must be in a namespace: the pure model that the operator is compared with.
//!
//! Two ExternalSecrets, the two entries of a store that they can read, and two Secrets that they can write to. [`World::wake`]
//! is what the operator must do when it looks at one of them. Written from what upstream documents and from
//! `docs/differences.md`, not from the operator's code. Pure: no I/O, no clock.
//!
//! Some of it is left open: which of two is looked at first, when what failed is tried again, and whether the operator still
//! knows what it wrote into a Secret of others, since it may have been restarted. So one step leads to several worlds
//! ([`outcomes`](crate::outcomes)).

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::{Creation, Deletion, Refresh, Spec, Template, WANTED};

/// Keys and values of a Secret.
pub type Data = BTreeMap<String, String>;

/// The entries of the store.
pub const ENTRIES: [&str; 2] = ["one", "two"];

/// The properties that an entry can have.
pub const PROPERTIES: [&str; 2] = ["x", "y"];

/// The ExternalSecrets.
pub const APPS: [&str; 2] = ["app", "side"];

/// Some of them.
pub type Apps = BTreeSet<&'static str>;

/// The Secrets that an ExternalSecret can name as its target.
pub const TARGETS: [&str; 2] = ["first", "second"];

/// A Secret as far as it matters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Secret {
    pub data: Data,
    pub is_managed: bool,
    /// Whether it may as well carry the managed label: a target that cannot be written is labelled once for each failure that is new,
    /// and which are new depends on their words.
    pub label_is_open: bool,
    /// The ExternalSecret that owns it, by the count of those that there were, and its name.
    pub owner: Option<(u32, &'static str)>,
    pub creator: Option<&'static str>,
    /// The data when the operator last wrote its hash.
    pub written: Option<Data>,
    /// Somebody else created it, and no ExternalSecret has written to it.
    pub is_foreign: bool,
    /// The keys that the operator wrote last for each ExternalSecret.
    pub ours: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Secret {
    /// Somebody has changed a key: it is not what anybody else wrote any more.
    pub fn disown(&mut self, key: &str) {
        for keys in self.ours.values_mut() {
            keys.remove(key);
        }
    }

    /// Whether writing this takes from others what must be told. What some ExternalSecret has written to is left open: how much
    /// of it is whose depends on the ways of managed fields.
    fn takes_over(&self, keeps: bool, content: &Data) -> bool {
        let replaces = |(key, value): (&String, &String)| self.data.get(key).is_some_and(|theirs| theirs != value);
        self.is_foreign && (!keeps || content.iter().any(replaces))
    }

    fn is_intact(&self) -> bool {
        self.written.as_ref() == Some(&self.data)
    }
}

/// The condition Ready: status and reason.
pub type Ready = (&'static str, &'static str);

const SYNCED: Ready = ("True", "SecretSynced");
const MISSING: Ready = ("True", "SecretMissing");
const DELETED: Ready = ("True", "SecretDeleted");
const FAILED: Ready = ("False", "SecretSyncedError");

/// The ExternalSecret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Object {
    /// The count of those that there were when it was created.
    uid: u32,
    pub spec: Spec,
    pub ready: Option<Ready>,
    /// It failed because its target is another's.
    awaits_target: bool,
    /// The target that it wrote last, of whatever policy.
    binding: Option<&'static str>,
    /// What it wrote into a target that it shares with others.
    share: Option<Data>,
    /// Whether a refresh has come to its end at least once.
    has_synced: bool,
    /// Whether spec or metadata differ from what they were at the end of the last refresh.
    has_changed: bool,
}

/// Whether there is a store, and whose it is by its class.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Store {
    #[default]
    Absent,
    Ours,
    Another,
}

/// See the module documentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// By entry and property.
    pub entries: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    pub store: Store,
    pub store_permits: bool,
    /// The store's backend does not answer, or is sealed.
    pub is_out: bool,
    pub objects: BTreeMap<&'static str, Object>,
    /// How many ExternalSecrets there were.
    pub created: u32,
    pub secrets: BTreeMap<&'static str, Secret>,
    /// The prefix of what `find` brings.
    pub namespace: String,
    /// Of which ExternalSecret, by the count, and of which Secret must have been told that it was taken over, or that values of
    /// others were replaced in it.
    pub adoptions: BTreeSet<(u32, &'static str)>,
}

/// What came of looking at an ExternalSecret.
pub struct Woken {
    pub world: World,
    /// Others who must be looked at because of it, and those who are if the operator knows what they wrote.
    pub others: Apps,
    pub perhaps: Apps,
}

impl World {
    /// The ExternalSecret is created.
    pub fn create(&mut self, app: &'static str, spec: Spec) {
        self.created += 1;
        let object = Object {
            uid: self.created,
            spec,
            ready: None,
            awaits_target: false,
            binding: None,
            share: None,
            has_synced: false,
            has_changed: true,
        };
        self.objects.insert(app, object);
    }

    /// It is deleted, and Kubernetes collects what it owns. Who is woken by that.
    pub fn delete(&mut self, app: &'static str) -> Apps {
        let Some(object) = self.objects.remove(app) else { return Apps::new() };
        let before = self.secrets.clone();
        self.secrets.retain(|_, secret| secret.owner != Some((object.uid, app)));
        self.concerned(app, &before).0
    }

    /// Its spec changes.
    pub fn change(&mut self, app: &'static str, spec: Spec) {
        if let Some(object) = self.objects.get_mut(app) {
            object.has_changed |= object.spec != spec;
            object.spec = spec;
        }
    }

    /// An annotation of each of them changes.
    pub fn force(&mut self) {
        self.objects.values_mut().for_each(|object| object.has_changed = true);
    }

    /// Those that failed last.
    pub fn failed(&self) -> Apps {
        self.objects.keys().copied().filter(|app| self.has_failed(app)).collect()
    }

    fn has_failed(&self, app: &str) -> bool {
        self.objects.get(app).is_some_and(|object| object.ready == Some(FAILED))
    }

    pub fn apps(&self) -> Apps {
        self.objects.keys().copied().collect()
    }

    /// The ExternalSecrets with this target that are woken when somebody else has changed it: those that are in step, and those
    /// that wait for it.
    pub fn authors(&self, target: &str) -> Apps {
        let names =
            |object: &Object| object.spec.target == target && (object.ready != Some(FAILED) || object.awaits_target);
        self.objects.iter().filter(|(_, object)| names(object)).map(|(app, _)| *app).collect()
    }

    /// Those that wait for a Secret of this name to merge into it.
    pub fn awaiting(&self, target: &str) -> Apps {
        let awaits = |object: &Object| object.spec.target == target && object.ready == Some(MISSING);
        self.objects.iter().filter(|(_, object)| awaits(object)).map(|(app, _)| *app).collect()
    }

    /// The operator looks at the ExternalSecret; what can come of it.
    pub fn wake(&self, app: &'static str) -> Vec<Woken> {
        let Some(object) = self.objects.get(app) else { return vec![self.clone().woken(app, self)] };
        // It is another operator's to look after, were it refused or drifted.
        if self.store == Store::Another {
            return vec![self.clone().woken(app, self)];
        }
        if object.spec.is_refused() {
            let mut world = self.clone();
            world.set(app, |object| (object.ready, object.awaits_target) = (Some(FAILED), false));
            world.leave_label_open(object.spec.target);
            return vec![world.woken(app, self)];
        }
        let mut worlds = Vec::new();
        for knows in [true, false] {
            let (mut world, due) = (self.clone(), self.is_due(app, object, knows));
            if due {
                world.refresh(app, object);
                // A failure that is news labels the target, as does one that is tried again and differs.
                if world.has_failed(app)
                    && let Some(target) = self.secrets.get(object.spec.target).filter(|target| !target.is_managed)
                {
                    let mut labelled = world.clone();
                    let target = Secret { is_managed: true, label_is_open: false, ..target.clone() };
                    labelled.secrets.insert(object.spec.target, target);
                    worlds.push(labelled.woken(app, self));
                }
            } else {
                if knows
                    && self.only_others_changed(object)
                    && let Some(secret) = world.secrets.get_mut(object.spec.target)
                {
                    secret.written = Some(secret.data.clone());
                }
                // What failed is not wanted any more, and the target is as it was synced.
                if object.ready == Some(FAILED) {
                    world.set(app, |object| object.ready = Some(SYNCED));
                }
            }
            worlds.push(world.woken(app, self));
        }
        worlds
    }

    fn woken(self, app: &'static str, before: &Self) -> Woken {
        let (others, perhaps) = self.concerned(app, &before.secrets);
        Woken { world: self, others, perhaps }
    }

    fn set(&mut self, app: &str, act: impl FnOnce(&mut Object)) {
        if let Some(object) = self.objects.get_mut(app) {
            act(object);
        }
    }

    /// Others whose target has been another's, is gone, or has lost a key of theirs.
    fn concerned(&self, app: &str, before: &BTreeMap<&'static str, Secret>) -> (Apps, Apps) {
        let (mut others, mut perhaps) = (Apps::new(), Apps::new());
        for (other, object) in self.objects.iter().filter(|(other, _)| **other != app) {
            let (target, waits) = (object.spec.target, object.ready != Some(FAILED) || object.awaits_target);
            match (before.get(target), self.secrets.get(target)) {
                (Some(_), None) if waits => drop(others.insert(*other)),
                (None, Some(_)) if object.ready == Some(MISSING) => drop(others.insert(*other)),
                (Some(before), Some(now)) if (before.owner, before.creator) != (now.owner, now.creator) && waits => {
                    others.insert(*other);
                }
                (Some(_), Some(now)) if lacks(object, now) => drop(perhaps.insert(*other)),
                _ => {}
            }
        }
        (others, perhaps)
    }

    fn refresh(&mut self, app: &'static str, before: &Object) {
        let mut outcome = Outcome::of(FAILED);
        if let Some(values) = self.fetch(&before.spec) {
            outcome = self.settle(app, before, values);
        }
        if outcome.ready == FAILED {
            self.leave_label_open(before.spec.target);
        }
        self.set(app, |object| {
            (object.ready, object.awaits_target) = (Some(outcome.ready), outcome.awaits_target);
            if outcome.ready != FAILED {
                (object.has_synced, object.has_changed) = (true, false);
            }
        });
    }

    /// Whether the status must say the present version of the ExternalSecret. Policies that fetch once say the one that was
    /// fetched for: which that is, is open when a retry of what failed comes between a value that appears and an annotation.
    pub fn is_taken_up(&self, app: &str) -> bool {
        let follows = |object: &Object| matches!(object.spec.refresh, Refresh::Periodic | Refresh::OnChange);
        self.objects.get(app).is_some_and(|object| follows(object) && object.has_synced && !object.has_changed)
    }

    fn leave_label_open(&mut self, target: &str) {
        if let Some(secret) = self.secrets.get_mut(target) {
            secret.label_is_open = true;
        }
    }

    fn is_due(&self, app: &'static str, object: &Object, knows: bool) -> bool {
        let has_appeared = object.spec.creation == Creation::Merge
            && (object.ready == Some(MISSING) || (object.ready == Some(FAILED) && object.binding.is_none()))
            && self.secrets.contains_key(object.spec.target);
        if !object.has_synced || has_appeared || self.has_drifted(app, object, knows) {
            return true;
        }
        match object.spec.refresh {
            Refresh::CreatedOnce | Refresh::Never => false,
            Refresh::Periodic | Refresh::OnChange => object.has_changed,
        }
    }

    /// Whether the target is not what was written, for the policies that promise it. `knows`: what it wrote beside others.
    fn has_drifted(&self, app: &'static str, object: &Object, knows: bool) -> bool {
        let creation = object.spec.creation;
        if matches!(creation, Creation::Orphan | Creation::None) {
            return false;
        }
        let target = self.secrets.get(object.spec.target).filter(|secret| secret.is_managed);
        let me = Some((object.uid, app));
        let Some(target) = target else {
            let expected = if creation == Creation::Merge { MISSING } else { DELETED };
            return object.ready != Some(expected);
        };
        match creation {
            Creation::Owner => !target.is_intact() || target.owner != me || target.creator != Some(app),
            _ if knows && object.share.is_some() => {
                lacks(object, target) || (!target.is_intact() && !self.only_others_changed(object))
            }
            _ => !target.is_intact(),
        }
    }

    /// Whether all that it wrote beside others is there.
    fn only_others_changed(&self, object: &Object) -> bool {
        let target = self.secrets.get(object.spec.target).filter(|secret| secret.is_managed);
        let is_shared = matches!(object.spec.creation, Creation::Merge | Creation::CreateOrMerge);
        target.zip(object.share.as_ref()).is_some_and(|(target, share)| {
            let is_there = |(key, value)| target.data.get(key) == Some(value);
            is_shared && target.creator.is_none() && share.iter().all(is_there)
        })
    }

    /// What the store has for the spec; none if that is a failure.
    fn fetch(&self, spec: &Spec) -> Option<Data> {
        if self.store != Store::Ours || !self.store_permits || self.is_out {
            return None;
        }
        let passes = spec.deletion != Deletion::Retain;
        let mut values = Data::new();
        if spec.extract {
            match self.entries.get("two") {
                Some(entry) => values.extend(entry.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))),
                None if passes => {}
                None => return None,
            }
        }
        if spec.find {
            if self.entries.is_empty() && !passes {
                return None;
            }
            let named = |name: &str| format!("{}_{name}", self.namespace);
            values.extend(self.entries.iter().map(|(name, entry)| (named(name), as_json(entry))));
        }
        for index in &spec.data {
            let (key, entry, property) = WANTED[*index];
            match self.entries.get(entry).map(|entry| entry.get(property)) {
                Some(Some(value)) => drop(values.insert(key.to_owned(), value.clone())),
                None if passes => {}
                // A property that is missing is a failure under every policy.
                Some(None) | None => return None,
            }
        }
        Some(values)
    }

    fn settle(&mut self, app: &'static str, object: &Object, values: Data) -> Outcome {
        let spec = &object.spec;
        if values.is_empty() {
            match spec.deletion {
                Deletion::Delete if spec.creation != Creation::Owner => return Outcome::of(FAILED),
                Deletion::Delete => {
                    match self.secrets.get_mut(spec.target) {
                        Some(secret) if secret.owner == Some((object.uid, app)) && secret.is_managed => {
                            self.secrets.remove(spec.target);
                        }
                        // Somebody else's stays, with the label that every target gets.
                        Some(secret) => secret.is_managed = true,
                        None => {}
                    }
                    return Outcome::of(DELETED);
                }
                Deletion::Retain => return Outcome::of(SYNCED),
                Deletion::Merge => {}
            }
        }
        match rendered(spec.template, values) {
            Some(content) => self.write(app, object, content),
            None => Outcome::of(FAILED),
        }
    }

    fn write(&mut self, app: &'static str, object: &Object, content: Data) -> Outcome {
        let (spec, me) = (&object.spec, (object.uid, app));
        let existing = self.secrets.get(spec.target).cloned();
        let mut secret = match (existing, spec.creation) {
            (Some(secret), _) => secret,
            (None, Creation::None) => return Outcome::of(SYNCED),
            (None, Creation::Merge) => return Outcome::of(MISSING),
            (None, _) => Secret::default(),
        };
        let is_another_s = secret.owner.is_some_and(|(_, owner)| owner != app);
        if is_another_s && spec.creation != Creation::None {
            return Outcome { awaits_target: true, ..Outcome::of(FAILED) };
        }
        (secret.is_managed, secret.label_is_open) = (true, false);
        let mut share = None;
        if spec.creation != Creation::None {
            let keeps = matches!(spec.creation, Creation::Merge | Creation::CreateOrMerge);
            if secret.takes_over(keeps, &content) {
                self.adoptions.insert((object.uid, spec.target));
            }
            secret.is_foreign = false;
            share = keeps.then(|| content.clone());
            let mine = secret.ours.get(app).cloned().unwrap_or_default();
            let before = std::mem::take(&mut secret.data);
            secret.data = before.clone().into_iter().filter(|(key, _)| keeps && !mine.contains(key)).collect();
            secret.data.extend(content);
            let changed = secret.data.iter().filter(|(key, value)| before.get(*key) != Some(value));
            let changed: Vec<_> = changed.map(|(key, _)| key.clone()).collect();
            for key in changed {
                secret.disown(&key);
                secret.ours.entry(app).or_default().insert(key);
            }
            let (data, ours) = (&secret.data, &mut secret.ours);
            for keys in ours.values_mut() {
                keys.retain(|key| data.contains_key(key));
            }
            secret.written = Some(secret.data.clone());
            let owns = spec.creation == Creation::Owner;
            secret.owner = owns.then_some(me);
            secret.creator = owns.then_some(app);
        }
        self.secrets.insert(spec.target, secret);
        self.set(app, |object| {
            object.share = share;
            if spec.creation != Creation::None {
                object.binding = Some(spec.target);
            }
        });
        if spec.creation == Creation::Owner {
            let is_left =
                |secret: &Secret| secret.owner == Some(me) && secret.creator == Some(app) && secret.is_managed;
            self.secrets.retain(|name, secret| *name == spec.target || !is_left(secret));
        }
        Outcome::of(SYNCED)
    }
}

/// How a refresh ended.
struct Outcome {
    ready: Ready,
    awaits_target: bool,
}

impl Outcome {
    const fn of(ready: Ready) -> Self {
        Self { ready, awaits_target: false }
    }
}

/// Whether a key is gone that it wrote beside others, or all of it is another's now.
fn lacks(object: &Object, target: &Secret) -> bool {
    let is_shared = matches!(object.spec.creation, Creation::Merge | Creation::CreateOrMerge);
    let Some(share) = object.share.as_ref().filter(|_| is_shared) else { return false };
    target.creator.is_some() || share.keys().any(|key| !target.data.contains_key(key))
}

/// What the template makes of the values; none where it uses a key that is not there.
fn rendered(template: Template, values: Data) -> Option<Data> {
    if template == Template::Absent {
        return Some(values);
    }
    let url = format!("to {}", values.get("a")?);
    let mut content = if template == Template::Merge { values } else { Data::new() };
    content.insert("url".to_owned(), url);
    Some(content)
}

fn as_json(entry: &BTreeMap<&'static str, String>) -> String {
    let members: Vec<_> = entry.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    format!("{{{}}}", members.join(","))
}
