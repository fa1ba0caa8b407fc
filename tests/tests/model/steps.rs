//! What can happen in a namespace, chosen by chance: edits of the spec, of the store's entries and of Secrets, faults and restarts.

use std::collections::BTreeSet;

use crate::world::{
    Creation, Data, Deletion, ENTRIES, PROPERTIES, Refresh, Secret, Spec, TARGETS, Template, WANTED, World,
};

/// A small source of chance, so that a failure repeats itself.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give similar beginnings.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % end.max(1)
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// A value that no other step has written.
    fn value(&mut self) -> String {
        format!("v{:08x}", self.below(1 << 31))
    }
}

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Step {
    Create(Spec),
    Change(Spec),
    Delete,
    Force,
    /// A property gets this value, or goes.
    SetProperty(&'static str, &'static str, Option<String>),
    RemoveEntry(&'static str),
    CreateStore,
    DeleteStore,
    Permit(bool),
    /// Somebody else creates a Secret.
    CreateSecret(&'static str, Data),
    /// Somebody else writes a key of a Secret, or removes it.
    EditSecret(&'static str, String, Option<String>),
    DeleteSecret(&'static str),
    StripLabel(&'static str),
    StripOwner(&'static str),
    Restart,
    /// The step happens while no controller runs.
    WhileDown(Box<Self>),
}

impl Step {
    /// A step that can be done in this world.
    pub fn choose(chance: &mut Chance, world: &World) -> Self {
        loop {
            let step = Self::any(chance, world);
            if step.as_ref().is_some_and(|step| step.is_possible(world)) {
                return step.unwrap_or(Self::Force);
            }
        }
    }

    fn any(chance: &mut Chance, world: &World) -> Option<Self> {
        let (entry, property, target) = (chance.of(&ENTRIES), chance.of(&PROPERTIES), chance.of(&TARGETS));
        Some(match chance.below(100) {
            0..30 => match &world.object {
                Some(object) => Self::Change(changed(chance, &object.spec)),
                None => Self::Create(changed(chance, &first())),
            },
            30..34 => Self::Delete,
            34..40 => Self::Force,
            40..54 => Self::SetProperty(entry, property, Some(chance.value())),
            54..57 => Self::SetProperty(entry, property, None),
            57..61 => Self::RemoveEntry(entry),
            61..63 => Self::DeleteStore,
            63..68 => Self::CreateStore,
            68..70 => Self::Permit(false),
            70..74 => Self::Permit(true),
            74..78 => Self::CreateSecret(target, foreign(chance)),
            78..87 => edited(chance, target, world.secrets.get(target)?),
            87..90 => Self::DeleteSecret(target),
            90..93 => Self::StripLabel(target),
            93..96 => Self::StripOwner(target),
            96 => Self::Restart,
            _ => match Self::any(chance, world)? {
                Self::Restart | Self::WhileDown(_) => return None,
                step => Self::WhileDown(Box::new(step)),
            },
        })
    }

    fn is_possible(&self, world: &World) -> bool {
        match self {
            Self::Create(spec) => world.object.is_none() && spec.is_sensible(),
            Self::Change(spec) => {
                world.object.as_ref().is_some_and(|object| object.spec != *spec) && spec.is_sensible()
            }
            Self::Delete | Self::Force => world.object.is_some(),
            Self::SetProperty(_, _, Some(_)) | Self::Restart => true,
            // An entry without properties is no entry.
            Self::SetProperty(entry, property, None) => {
                world.entries.get(entry).is_some_and(|entry| entry.len() > 1 && entry.contains_key(property))
            }
            Self::RemoveEntry(entry) => world.entries.contains_key(entry),
            Self::CreateStore => !world.store_exists,
            Self::DeleteStore => world.store_exists,
            Self::Permit(permits) => world.store_permits != *permits,
            Self::CreateSecret(name, _) => !world.secrets.contains_key(name),
            Self::EditSecret(name, ..) | Self::DeleteSecret(name) => world.secrets.contains_key(name),
            Self::StripLabel(name) => world.secrets.get(name).is_some_and(|secret| secret.is_managed),
            Self::StripOwner(name) => world.secrets.get(name).is_some_and(|secret| secret.owner.is_some()),
            Self::WhileDown(step) => step.is_possible(world),
        }
    }

    /// Does the step in the model, with all that the operator must do because of it.
    pub fn act(&self, world: &mut World) {
        match self {
            Self::Create(spec) => world.create(spec.clone()),
            Self::Change(spec) => world.change(spec.clone()),
            Self::Delete => world.delete(),
            Self::Force => world.force(),
            Self::SetProperty(..) | Self::RemoveEntry(_) | Self::Permit(_) => {
                self.act_on_store(world);
                // The operator cannot know; somebody asks for a refresh.
                world.force();
            }
            Self::DeleteStore => {
                world.store_exists = false;
                world.force();
            }
            Self::CreateStore => {
                world.store_exists = true;
                world.wake();
            }
            Self::CreateSecret(..)
            | Self::EditSecret(..)
            | Self::DeleteSecret(_)
            | Self::StripLabel(_)
            | Self::StripOwner(_) => self.act_on_secret(world),
            Self::Restart => drop(world.wake()),
            Self::WhileDown(step) => {
                step.act(world);
                world.wake();
            }
        }
    }

    /// Whether somebody asks for a refresh with it.
    pub fn asks_for_refresh(&self) -> bool {
        matches!(self, Self::Force | Self::SetProperty(..) | Self::RemoveEntry(_) | Self::Permit(_) | Self::DeleteStore)
    }

    fn act_on_store(&self, world: &mut World) {
        match self {
            Self::SetProperty(entry, property, Some(value)) => {
                world.entries.entry(entry).or_default().insert(property, value.clone());
            }
            Self::SetProperty(entry, property, None) => {
                if let Some(entry) = world.entries.get_mut(entry) {
                    entry.remove(property);
                }
            }
            Self::RemoveEntry(entry) => drop(world.entries.remove(entry)),
            Self::Permit(permits) => world.store_permits = *permits,
            _ => {}
        }
    }

    fn act_on_secret(&self, world: &mut World) {
        match self {
            Self::CreateSecret(name, data) => {
                // Nobody watches a Secret without the label: it is found with the next refresh.
                world.secrets.insert(name, Secret { data: data.clone(), ..Secret::default() });
                return;
            }
            Self::DeleteSecret(name) => drop(world.secrets.remove(name)),
            Self::EditSecret(name, key, value) => {
                if let Some(secret) = world.secrets.get_mut(name) {
                    secret.ours.remove(key);
                    match value {
                        Some(value) => drop(secret.data.insert(key.clone(), value.clone())),
                        None => drop(secret.data.remove(key)),
                    }
                }
            }
            Self::StripLabel(name) => {
                if let Some(secret) = world.secrets.get_mut(name) {
                    (secret.is_managed, secret.label_is_open) = (false, false);
                }
            }
            Self::StripOwner(name) => {
                if let Some(secret) = world.secrets.get_mut(name) {
                    secret.owner = None;
                }
            }
            _ => {}
        }
        world.wake();
    }
}

/// The spec that changes begin with.
fn first() -> Spec {
    Spec {
        target: TARGETS[0],
        creation: Creation::Owner,
        deletion: Deletion::Retain,
        refresh: Refresh::Periodic,
        template: Template::Absent,
        data: BTreeSet::from([0]),
        extract: false,
        find: false,
    }
}

fn changed(chance: &mut Chance, spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    for _ in 0..=chance.below(2) {
        match chance.below(9) {
            0 => spec.target = chance.of(&TARGETS),
            1 | 2 => {
                let policies = [
                    Creation::Owner,
                    Creation::Owner,
                    Creation::Orphan,
                    Creation::Merge,
                    Creation::CreateOrMerge,
                    Creation::None,
                ];
                spec.creation = chance.of(&policies);
            }
            3 => spec.deletion = chance.of(&[Deletion::Retain, Deletion::Delete, Deletion::Merge]),
            4 => {
                // Mostly one that lets the other steps have an effect.
                let policies =
                    [Refresh::Periodic, Refresh::Periodic, Refresh::OnChange, Refresh::CreatedOnce, Refresh::Never];
                spec.refresh = chance.of(&policies);
            }
            5 => spec.template = chance.of(&[Template::Absent, Template::Absent, Template::Replace, Template::Merge]),
            6 => spec.extract = chance.below(3) == 0,
            7 => spec.find = chance.below(3) == 0,
            _ => {
                let index = chance.below(WANTED.len());
                if !spec.data.remove(&index) {
                    spec.data.insert(index);
                }
            }
        }
    }
    spec
}

/// A Secret of somebody else, which may have a key that we would write too.
fn foreign(chance: &mut Chance) -> Data {
    let keys = ["foreign", "a", "url"];
    let count = 1 + chance.below(2);
    (0..count).map(|_| (chance.of(&keys).to_owned(), chance.value())).collect()
}

fn edited(chance: &mut Chance, name: &'static str, secret: &Secret) -> Step {
    let keys: Vec<&str> = secret.data.keys().map(String::as_str).chain(["added"]).collect();
    let key = chance.of(&keys).to_owned();
    let is_there = secret.data.contains_key(&key);
    let value = (!is_there || chance.below(3) > 0).then(|| chance.value());
    Step::EditSecret(name, key, value)
}
