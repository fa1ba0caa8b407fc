//! What an ExternalSecret of the model can ask for.

use std::collections::BTreeSet;

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
    pub fn is_refused(&self) -> bool {
        match self.deletion {
            Deletion::Retain => false,
            Deletion::Delete => matches!(self.creation, Creation::Merge | Creation::CreateOrMerge | Creation::None),
            Deletion::Merge => self.creation == Creation::None,
        }
    }
}
