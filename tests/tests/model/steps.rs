//! What can happen in a namespace, chosen by chance: edits of the spec, of the store's entries and of Secrets, faults, restarts and other operators.

use std::collections::BTreeSet;

use crate::{
    spec::{Creation, Deletion, Refresh, Spec, Template, WANTED},
    world::{APPS, Apps, Data, ENTRIES, PROPERTIES, Secret, Store, TARGETS, World},
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
    Create(&'static str, Spec),
    Change(&'static str, Spec),
    Delete(&'static str),
    /// Somebody asks for a refresh of everything.
    Force,
    /// A property gets this value, or goes.
    SetProperty(&'static str, &'static str, Option<String>),
    RemoveEntry(&'static str),
    CreateStore,
    DeleteStore,
    Permit(bool),
    /// The store becomes another operator's, by its class, or ours again.
    HandOver {
        is_ours: bool,
    },
    /// The backend cannot be reached, or is sealed.
    Fail(Fault),
    Recover,
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

/// What is wrong with the backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    Unreachable,
    Sealed,
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
        let app = chance.of(&APPS);
        Some(match chance.below(100) {
            0..30 => match world.objects.get(app) {
                Some(object) => Self::Change(app, changed(chance, &object.spec)),
                None => Self::Create(app, changed(chance, &first(app))),
            },
            30..33 => Self::Delete(app),
            33..36 => Self::Force,
            36..38 => Self::Fail(chance.of(&[Fault::Unreachable, Fault::Sealed])),
            38..40 => Self::Recover,
            40..54 => Self::SetProperty(entry, property, Some(chance.value())),
            54..57 => Self::SetProperty(entry, property, None),
            57..61 => Self::RemoveEntry(entry),
            61..63 => Self::DeleteStore,
            63..68 => Self::CreateStore,
            68..70 => Self::Permit(false),
            70..72 => Self::Permit(true),
            72 => Self::HandOver { is_ours: false },
            73 => Self::HandOver { is_ours: true },
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
            Self::Create(app, spec) => !world.objects.contains_key(app) && spec.is_sensible(),
            Self::Change(app, spec) => {
                world.objects.get(app).is_some_and(|object| object.spec != *spec) && spec.is_sensible()
            }
            Self::Delete(app) => world.objects.contains_key(app),
            Self::Force => !world.objects.is_empty(),
            Self::Fail(_) => !world.is_out,
            Self::Recover => world.is_out,
            Self::SetProperty(_, _, Some(_)) | Self::Restart => true,
            // An entry without properties is no entry.
            Self::SetProperty(entry, property, None) => {
                world.entries.get(entry).is_some_and(|entry| entry.len() > 1 && entry.contains_key(property))
            }
            Self::RemoveEntry(entry) => world.entries.contains_key(entry),
            Self::CreateStore => world.store == Store::Absent,
            // Nobody is told that another operator's store is gone: who uses it stays as it was until something else happens.
            Self::DeleteStore => world.store == Store::Ours,
            Self::HandOver { is_ours } => world.store == if *is_ours { Store::Another } else { Store::Ours },
            Self::Permit(permits) => world.store_permits != *permits,
            Self::CreateSecret(name, _) => !world.secrets.contains_key(name),
            Self::EditSecret(name, ..) | Self::DeleteSecret(name) => world.secrets.contains_key(name),
            Self::StripLabel(name) => world.secrets.get(name).is_some_and(|secret| secret.is_managed),
            Self::StripOwner(name) => world.secrets.get(name).is_some_and(|secret| secret.owner.is_some()),
            Self::WhileDown(step) => step.is_possible(world),
        }
    }

    /// Does the step in the model; who must be looked at because of it.
    pub fn act(&self, world: &mut World) -> Apps {
        match self {
            Self::Create(app, spec) => {
                world.create(app, spec.clone());
                Apps::from([*app])
            }
            Self::Change(app, spec) => {
                world.change(app, spec.clone());
                Apps::from([*app])
            }
            Self::Delete(app) => world.delete(app),
            Self::Force
            | Self::SetProperty(..)
            | Self::RemoveEntry(_)
            | Self::Permit(_)
            | Self::DeleteStore
            | Self::Fail(_) => {
                self.act_on_store(world);
                // The operator cannot know; somebody asks for a refresh.
                world.force();
                world.apps()
            }
            Self::HandOver { is_ours } => {
                world.store = if *is_ours { Store::Ours } else { Store::Another };
                world.apps()
            }
            Self::CreateStore | Self::Recover => {
                self.act_on_store(world);
                world.failed()
            }
            Self::CreateSecret(..)
            | Self::EditSecret(..)
            | Self::DeleteSecret(_)
            | Self::StripLabel(_)
            | Self::StripOwner(_) => self.act_on_secret(world),
            Self::Restart => world.apps(),
            Self::WhileDown(step) => {
                step.act(world);
                world.apps()
            }
        }
    }

    /// Whether somebody asks for a refresh with it.
    pub fn asks_for_refresh(&self) -> bool {
        matches!(
            self,
            Self::Force
                | Self::SetProperty(..)
                | Self::RemoveEntry(_)
                | Self::Permit(_)
                | Self::DeleteStore
                | Self::Fail(_)
        )
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
            Self::CreateStore => world.store = Store::Ours,
            Self::DeleteStore => world.store = Store::Absent,
            Self::Fail(_) => world.is_out = true,
            Self::Recover => world.is_out = false,
            _ => {}
        }
    }

    fn act_on_secret(&self, world: &mut World) -> Apps {
        let name = match self {
            Self::CreateSecret(name, _)
            | Self::EditSecret(name, ..)
            | Self::DeleteSecret(name)
            | Self::StripLabel(name)
            | Self::StripOwner(name) => *name,
            _ => return Apps::new(),
        };
        match self {
            // It has no label: but for those who wait for it, it is found with the next refresh.
            Self::CreateSecret(name, data) => {
                world.secrets.insert(name, Secret { data: data.clone(), is_foreign: true, ..Secret::default() });
            }
            Self::DeleteSecret(name) => drop(world.secrets.remove(name)),
            Self::EditSecret(name, key, value) => {
                if let Some(secret) = world.secrets.get_mut(name) {
                    secret.disown(key);
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
        match self {
            Self::CreateSecret(..) => world.awaiting(name),
            _ => world.authors(name),
        }
    }
}

/// The spec that changes begin with: of the second ExternalSecret one that adds to what the first has written.
fn first(app: &str) -> Spec {
    Spec {
        target: TARGETS[0],
        creation: if app == APPS[0] { Creation::Owner } else { Creation::CreateOrMerge },
        deletion: Deletion::Retain,
        refresh: Refresh::Periodic,
        template: Template::Absent,
        data: BTreeSet::from([if app == APPS[0] { 0 } else { 2 }]),
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
