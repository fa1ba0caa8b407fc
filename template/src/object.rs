//! Values of opaque Go types, with methods.

use std::fmt;
use std::rc::Rc;

use crate::data::Bytes;
use crate::funcs::{Function, methods};
use crate::semver::Version;
use crate::time::{MONTHS, Time, WEEKDAYS, Zone, duration_text};
use crate::value::Map;
use crate::value::Value;

/// A value that templates see only through its text and methods.
pub(crate) enum Object {
    /// `*semver.Version`, or `semver.Version` where Go returns it by value.
    Version {
        version: Version,
        pointer: bool,
    },
    Time(Time),
    /// `*time.Location`
    Location(Zone),
    /// Nanoseconds.
    Duration(i64),
    /// From 1.
    Month(u8),
    /// From 0, Sunday.
    Weekday(u8),
    /// Certificate and private key as PEM: a struct with the fields `Cert` and `Key`.
    Certificate {
        cert: Bytes,
        key: Bytes,
    },
}

impl Object {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Version { pointer: true, .. } => "*semver.Version",
            Self::Version { pointer: false, .. } => "semver.Version",
            Self::Time(_) => "time.Time",
            Self::Location(_) => "*time.Location",
            Self::Duration(_) => "time.Duration",
            Self::Month(_) => "time.Month",
            Self::Weekday(_) => "time.Weekday",
            Self::Certificate { .. } => "sprig.certificate",
        }
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Version { pointer: true, .. } | Self::Location(_) => "ptr",
            Self::Version { pointer: false, .. } | Self::Time(_) | Self::Certificate { .. } => "struct",
            Self::Duration(_) => "int64",
            Self::Month(_) | Self::Weekday(_) => "int",
        }
    }

    /// What `if` makes of the value.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Version { .. } | Self::Time(_) | Self::Location(_) | Self::Certificate { .. } => true,
            Self::Duration(_) | Self::Month(_) | Self::Weekday(_) => self.number() != Some(0),
        }
    }

    /// Go's `==`: everything alike. Zones are compared by where they lie in memory.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Version { pointer: true, .. }, _) => false,
            (Self::Time(left), Self::Time(right)) => left.order(right).is_eq() && left.zone.is_shared_with(&right.zone),
            (Self::Location(left), Self::Location(right)) => left.is_shared_with(right),
            _ => self.deep_equals(other),
        }
    }

    /// Whether type and content are alike.
    pub(crate) fn deep_equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Version { version: left, .. }, Self::Version { version: right, .. }) => {
                left == right && self.type_name() == other.type_name()
            }
            (Self::Time(left), Self::Time(right)) => left.is_alike(right),
            (Self::Location(left), Self::Location(right)) => left.is_alike(right),
            (Self::Certificate { .. }, Self::Certificate { .. }) => self.fields() == other.fields(),
            _ => self.number().is_some() && self.number() == other.number() && self.type_name() == other.type_name(),
        }
    }

    /// The integer that the type is made of, if it is.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Version { .. } | Self::Time(_) | Self::Location(_) | Self::Certificate { .. } => None,
            Self::Duration(nanoseconds) => Some(*nanoseconds),
            Self::Month(number) | Self::Weekday(number) => Some(i64::from(*number)),
        }
    }

    /// The fields that templates can read, in order, if the type has any.
    pub(crate) fn fields(&self) -> Option<[(&'static str, &Bytes); 2]> {
        match self {
            Self::Certificate { cert, key } => Some([("Cert", cert), ("Key", key)]),
            _ => None,
        }
    }

    /// The fields as the map that they are in JSON and YAML.
    pub(crate) fn as_map(&self) -> Option<Map> {
        let entry = |(name, value): (&str, &Bytes)| (name.as_bytes().into(), value.clone());
        self.fields().map(|fields| Map::of_strings(fields.map(entry)))
    }

    /// The same type made of another integer.
    pub(crate) fn with_number(&self, number: u64) -> Value {
        let small = u8::try_from(number).unwrap_or(u8::MAX);
        Value::Object(Rc::new(match self {
            Self::Duration(_) => Self::Duration(i64::try_from(number).unwrap_or(i64::MAX)),
            Self::Month(_) => Self::Month(small),
            Self::Weekday(_) => Self::Weekday(small),
            _ => return Value::Nil,
        }))
    }

    /// The text that the object is in JSON; none is an empty object there. Fails with the reason why JSON has no such value.
    pub(crate) fn json_text(&self) -> Result<Option<String>, String> {
        match self {
            Self::Time(time) => match time.marshal_text() {
                Ok(text) => Ok(Some(crate::text::lossy(&text))),
                Err(problem) => Err(format!("Time.MarshalJSON: {problem}")),
            },
            Self::Location(_) => Ok(None),
            other => Ok(Some(other.to_string())),
        }
    }

    /// Whether Go keeps a field of that name to the package of the type.
    pub(crate) fn hides(&self, name: &str) -> bool {
        let hidden: &[&str] = match self {
            Self::Version { .. } => &["major", "minor", "patch", "pre", "metadata", "original"],
            Self::Time(_) => &["wall", "ext", "loc"],
            Self::Location(_) => &["name", "zone", "tx", "extend", "cacheStart", "cacheEnd", "cacheZone"],
            Self::Duration(_) | Self::Month(_) | Self::Weekday(_) | Self::Certificate { .. } => &[],
        };
        hidden.contains(&name)
    }

    /// Why Go does not call a method that the type does have: it has more results than a template can take. None of
    /// these methods takes arguments.
    pub(crate) fn refusal(&self, name: &str) -> Option<&'static str> {
        match (self, name) {
            (Self::Time(_), "Date") => Some("function Date has 3 return values; should be 1 or 2"),
            (Self::Time(_), "Clock") => Some("function Clock has 3 return values; should be 1 or 2"),
            (Self::Time(_), "Zone") => {
                Some("invalid function signature for Zone: second return value should be error; is int")
            }
            (Self::Time(_), "ISOWeek") => {
                Some("invalid function signature for ISOWeek: second return value should be error; is int")
            }
            (Self::Time(_), "ZoneBounds") => {
                Some("invalid function signature for ZoneBounds: second return value should be error; is time.Time")
            }
            _ => None,
        }
    }

    /// The method of that name. It is called with the object as first argument, which its signature does not count.
    pub(crate) fn method(&self, name: &str) -> Option<&'static Function> {
        let tables: &[&[Function]] = match self {
            Self::Version { .. } => &[methods::VERSION],
            Self::Time(_) => &[methods::TIME, methods::TIME_ZONES, methods::TIME_ENCODINGS],
            Self::Location(_) => &[methods::LOCATION],
            Self::Duration(_) => &[methods::DURATION],
            Self::Month(_) | Self::Weekday(_) => &[methods::NAMED_NUMBER],
            Self::Certificate { .. } => &[],
        };
        if matches!(self, Self::Version { pointer: false, .. }) && methods::VERSION_POINTER_ONLY.contains(&name) {
            return None;
        }
        tables.iter().copied().flatten().find(|method| method.name == name)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |names: &[&str], index: Option<u8>| {
            index.and_then(|index| names.get(usize::from(index)).copied()).map(str::to_owned)
        };
        match self {
            Self::Version { version, .. } => version.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Location(zone) => f.write_str(zone.name()),
            Self::Duration(nanoseconds) => f.write_str(&duration_text(*nanoseconds)),
            Self::Month(number) => match name(&MONTHS, number.checked_sub(1)) {
                Some(name) => f.write_str(&name),
                None => write!(f, "%!Month({number})"),
            },
            Self::Weekday(number) => match name(&WEEKDAYS, Some(*number)) {
                Some(name) => f.write_str(&name),
                None => write!(f, "%!Weekday({number})"),
            },
            // Printed field by field where values are printed: a private key belongs in no other text.
            Self::Certificate { .. } => f.write_str(self.type_name()),
        }
    }
}
