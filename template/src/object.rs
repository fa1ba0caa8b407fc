//! Values of opaque Go types, with methods.

use std::fmt;

use crate::funcs::{Function, methods};
use crate::semver::Version;

/// A value that templates see only through its text and methods.
pub(crate) enum Object {
    /// `*semver.Version`, or `semver.Version` where Go returns it by value.
    Version { version: Version, pointer: bool },
}

impl Object {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Version { pointer: true, .. } => "*semver.Version",
            Self::Version { pointer: false, .. } => "semver.Version",
        }
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Version { pointer: true, .. } => "ptr",
            Self::Version { pointer: false, .. } => "struct",
        }
    }

    /// What `if` makes of the value.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Version { .. } => true,
        }
    }

    /// The method of that name. It is called with the object as first argument, which its signature does not count.
    pub(crate) fn method(&self, name: &str) -> Option<&'static Function> {
        let table = match self {
            Self::Version { .. } => methods::VERSION,
        };
        table.iter().find(|method| method.name == name)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { version, .. } => version.fmt(f),
        }
    }
}
