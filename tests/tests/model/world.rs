//! What must be in a namespace: the pure model that the operator is compared with.
//!
//! One ExternalSecret, the two entries of a store that it can read, and two Secrets that it can write to. [`World::wake`] is
//! what the operator must do when it looks at the ExternalSecret. Written from what upstream documents and from
//! `docs/differences.md`, not from the operator's code. Pure: no I/O, no clock.

use std::collections::{BTreeMap, BTreeSet};

/// Keys and values of a Secret.
pub type Data = BTreeMap<String, String>;

/// The entries of the store.
pub const ENTRIES: [&str; 2] = ["one", "two"];

/// The properties that an entry can have.
pub const PROPERTIES: [&str; 2] = ["x", "y"];

/// The Secrets that the ExternalSecret can name as its target.
pub const TARGETS: [&str; 2] = ["first", "second"];

/// What `spec.data` can ask for: key of the Secret, entry, property.
pub const WANTED: [(&str, &str, &str); 3] = [("a", "one", "x"), ("b", "one", "y"), ("c", "two", "x")];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Creation {
    Owner,
    Orphan,
    Merge,
    CreateOrMerge,
    None,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deletion {
    Retain,
    Delete,
    Merge,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refresh {
    Periodic,
    OnChange,
    CreatedOnce,
    /// `refreshInterval: 0`.
    Never,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Template {
    Absent,
    Replace,
    Merge,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spec {
    pub target: &'static str,
    pub creation: Creation,
    pub deletion: Deletion,
    pub refresh: Refresh,
    pub template: Template,
    /// Which of [`WANTED`] are asked for.
    pub data: BTreeSet<usize>,
    /// Every property of the entry `two`.
    pub extract: bool,
    /// Every entry, whole.
    pub find: bool,
}

impl Spec {
    /// An ExternalSecret has to ask for something.
    pub fn is_sensible(&self) -> bool {
        !self.data.is_empty() || self.extract || self.find
    }

    /// Whether its policies contradict each other, which the webhook would refuse and the controller refuses too.
    fn is_refused(&self) -> bool {
        match self.deletion {
            Deletion::Retain => false,
            Deletion::Delete => matches!(self.creation, Creation::Merge | Creation::CreateOrMerge | Creation::None),
            Deletion::Merge => self.creation == Creation::None,
        }
    }
}

/// A Secret as far as it matters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Secret {
    pub data: Data,
    pub is_managed: bool,
    /// Whether it may as well carry the managed label: a target that cannot be written is labelled once for each failure that is new,
    /// and which are new depends on their words.
    pub label_is_open: bool,
    /// The ExternalSecret that owns it, by the count of those that there were.
    pub owner: Option<u32>,
    pub has_creator: bool,
    /// The data when the operator last wrote its hash.
    pub written: Option<Data>,
    /// The keys that the operator wrote last.
    pub ours: BTreeSet<String>,
}

/// The condition Ready: status and reason.
pub type Ready = (&'static str, &'static str);

const SYNCED: Ready = ("True", "SecretSynced");
const MISSING: Ready = ("True", "SecretMissing");
const DELETED: Ready = ("True", "SecretDeleted");
const FAILED: Ready = ("False", "SecretSyncedError");

/// The ExternalSecret.
#[derive(Clone, Debug)]
pub struct Object {
    pub spec: Spec,
    pub ready: Option<Ready>,
    /// Whether a refresh has come to its end at least once.
    has_synced: bool,
    /// Whether spec or metadata differ from what they were at the end of the last refresh.
    has_changed: bool,
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// By entry and property.
    pub entries: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    pub store_exists: bool,
    pub store_permits: bool,
    pub object: Option<Object>,
    /// How many ExternalSecrets there were; the present one is the last.
    pub objects: u32,
    pub secrets: BTreeMap<&'static str, Secret>,
    /// The prefix of what `find` brings.
    pub namespace: String,
}

impl World {
    /// The ExternalSecret is created.
    pub fn create(&mut self, spec: Spec) {
        self.objects += 1;
        self.object = Some(Object { spec, ready: None, has_synced: false, has_changed: true });
        self.wake();
    }

    /// It is deleted, and Kubernetes collects what it owns.
    pub fn delete(&mut self) {
        self.object = None;
        let owner = Some(self.objects);
        self.secrets.retain(|_, secret| secret.owner != owner);
    }

    /// Its spec changes.
    pub fn change(&mut self, spec: Spec) {
        if let Some(object) = &mut self.object {
            object.has_changed |= object.spec != spec;
            object.spec = spec;
        }
        self.wake();
    }

    /// An annotation of it changes.
    pub fn force(&mut self) {
        if let Some(object) = &mut self.object {
            object.has_changed = true;
        }
        self.wake();
    }

    /// The operator looks at the ExternalSecret. Whether a refresh came to its end, so that the status says this version.
    pub fn wake(&mut self) -> bool {
        let Some(object) = self.object.clone() else { return false };
        if object.spec.is_refused() {
            self.leave_label_open(object.spec.target);
            self.object = Some(Object { ready: Some(FAILED), ..object });
            return false;
        }
        if !self.is_due(&object) {
            // What failed is not wanted any more, and the target is as it was synced.
            if object.ready == Some(FAILED) {
                self.object = Some(Object { ready: Some(SYNCED), ..object });
            }
            return false;
        }
        let ready = match self.fetch(&object.spec) {
            Some(values) => self.settle(&object.spec, values),
            None => FAILED,
        };
        let is_done = ready != FAILED;
        if !is_done {
            self.leave_label_open(object.spec.target);
        }
        if let Some(object) = &mut self.object {
            object.ready = Some(ready);
            if is_done {
                (object.has_synced, object.has_changed) = (true, false);
            }
        }
        is_done
    }

    /// Whether the status must say the present version of the ExternalSecret. Policies that fetch once say the one that was
    /// fetched for: which that is, is open when a retry of what failed comes between a value that appears and an annotation.
    pub fn is_taken_up(&self) -> bool {
        let follows = |object: &Object| matches!(object.spec.refresh, Refresh::Periodic | Refresh::OnChange);
        self.object.as_ref().is_some_and(|object| follows(object) && object.has_synced && !object.has_changed)
    }

    fn leave_label_open(&mut self, target: &str) {
        if let Some(secret) = self.secrets.get_mut(target) {
            secret.label_is_open = true;
        }
    }

    fn is_due(&self, object: &Object) -> bool {
        if !object.has_synced || self.has_drifted(object) {
            return true;
        }
        match object.spec.refresh {
            Refresh::CreatedOnce | Refresh::Never => false,
            Refresh::Periodic | Refresh::OnChange => object.has_changed,
        }
    }

    /// Whether the target is not what was written, for the policies that promise it.
    fn has_drifted(&self, object: &Object) -> bool {
        let creation = object.spec.creation;
        if matches!(creation, Creation::Orphan | Creation::None) {
            return false;
        }
        let Some(target) = self.secrets.get(object.spec.target).filter(|secret| secret.is_managed) else {
            let expected = if creation == Creation::Merge { MISSING } else { DELETED };
            return object.ready != Some(expected);
        };
        let is_owned = target.owner == Some(self.objects) && target.has_creator;
        target.written.as_ref() != Some(&target.data) || (creation == Creation::Owner && !is_owned)
    }

    /// What the store has for the spec; none if that is a failure.
    fn fetch(&self, spec: &Spec) -> Option<Data> {
        if !self.store_exists || !self.store_permits {
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

    fn settle(&mut self, spec: &Spec, values: Data) -> Ready {
        if values.is_empty() {
            match spec.deletion {
                Deletion::Delete if spec.creation != Creation::Owner => return FAILED,
                Deletion::Delete => {
                    let owner = Some(self.objects);
                    match self.secrets.get_mut(spec.target) {
                        Some(secret) if secret.owner == owner && secret.is_managed => {
                            self.secrets.remove(spec.target);
                        }
                        // Somebody else's stays, with the label that every target gets.
                        Some(secret) => secret.is_managed = true,
                        None => {}
                    }
                    return DELETED;
                }
                Deletion::Retain => return SYNCED,
                Deletion::Merge => {}
            }
        }
        match rendered(spec.template, values) {
            Some(content) => self.write(spec, content),
            None => FAILED,
        }
    }

    fn write(&mut self, spec: &Spec, content: Data) -> Ready {
        let existing = self.secrets.get(spec.target).cloned();
        let mut secret = match (existing, spec.creation) {
            (Some(secret), _) => secret,
            (None, Creation::None) => return SYNCED,
            (None, Creation::Merge) => return MISSING,
            (None, _) => Secret::default(),
        };
        (secret.is_managed, secret.label_is_open) = (true, false);
        if spec.creation != Creation::None {
            let keeps = matches!(spec.creation, Creation::Merge | Creation::CreateOrMerge);
            let before = std::mem::take(&mut secret.data);
            secret.data = before.clone().into_iter().filter(|(key, _)| keeps && !secret.ours.contains(key)).collect();
            secret.data.extend(content);
            let changed = secret.data.iter().filter(|(key, value)| before.get(*key) != Some(value));
            let changed: Vec<_> = changed.map(|(key, _)| key.clone()).collect();
            secret.ours.extend(changed);
            secret.ours.retain(|key| secret.data.contains_key(key));
            secret.written = Some(secret.data.clone());
            let owns = spec.creation == Creation::Owner;
            secret.owner = owns.then_some(self.objects);
            secret.has_creator = owns;
        }
        self.secrets.insert(spec.target, secret);
        if spec.creation == Creation::Owner {
            let owner = Some(self.objects);
            let is_left = |secret: &Secret| secret.owner == owner && secret.has_creator && secret.is_managed;
            self.secrets.retain(|name, secret| *name == spec.target || !is_left(secret));
        }
        SYNCED
    }
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
