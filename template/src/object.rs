//! Values of opaque Go types, with fields and methods.

use std::fmt;

use crate::value::Value;

/// A value that templates see only through its text, fields and methods.
pub(crate) enum Object {}

impl Object {
    pub(crate) fn type_name(&self) -> &'static str {
        match *self {}
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match *self {}
    }

    pub(crate) fn is_true(&self) -> bool {
        match *self {}
    }

    /// The field or method of that name.
    pub(crate) fn member(&self, _name: &str) -> Option<Member> {
        match *self {}
    }
}

impl fmt::Display for Object {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// What a name behind an object gives.
pub(crate) enum Member {
    Field(Value),
    /// Called with the object as first argument, which its signature does not count.
    Method(&'static crate::funcs::Function),
}
