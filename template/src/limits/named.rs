//! Limits by name and as text, for flags and for the documentation.
//!
//! What enters is a name such as `steps` and a text such as `1000000`, `8Mi` or `2s`; what leaves is a changed
//! [`Limits`], or an error that says what the limit is called, how it is written and which values it takes.

use std::fmt;
use std::time::Duration;

use super::Limits;

const KI: u64 = 1 << 10;
const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;
/// Factors of counts and bytes, greatest first.
const FACTORS: [(&str, u64); 3] = [("Gi", GI), ("Mi", MI), ("Ki", KI)];
/// Milliseconds in the units of durations. `ms` comes first, because it ends in `s` too.
const TIMES: [(&str, u64); 3] = [("ms", 1), ("s", 1_000), ("m", 60_000)];

/// One of the [`Limits`]: its name, what it bounds, and the values it may have.
#[derive(Clone, Copy)]
pub struct NamedLimit {
    /// The name, which is the field's.
    pub name: &'static str,
    /// What runs into it. A phrase.
    pub bounds: &'static str,
    /// The least value, in the unit of the limit.
    least: u64,
    /// The greatest value, in the unit of the limit.
    most: u64,
    field: Field,
}

/// Where a limit is kept, and with that its unit.
#[derive(Clone, Copy)]
enum Field {
    Count(fn(&mut Limits) -> &mut usize),
    Bytes(fn(&mut Limits) -> &mut usize),
    Steps(fn(&mut Limits) -> &mut u64),
    /// In milliseconds.
    Time(fn(&mut Limits) -> &mut Duration),
}

/// All limits. The greatest values keep one render from taking a usual Pod down: parentheses cost native stack, of
/// which a thread has 2 MiB, everything else memory and time.
const LIMITS: &[NamedLimit] = &[
    NamedLimit {
        name: "text_bytes",
        bounds: "the text of one template",
        least: 1,
        most: 16 * MI,
        field: Field::Bytes(|limits| &mut limits.text_bytes),
    },
    NamedLimit {
        name: "block_depth",
        bounds: "blocks inside each other: `if`, `with`, `range`, `define`, `block`; a chain of `else if` counts once",
        least: 1,
        most: 10_000,
        field: Field::Count(|limits| &mut limits.block_depth),
    },
    NamedLimit {
        name: "paren_depth",
        bounds: "parentheses inside each other",
        least: 1,
        most: 200,
        field: Field::Count(|limits| &mut limits.paren_depth),
    },
    NamedLimit {
        name: "call_depth",
        bounds: "`template` actions inside each other, recursion included",
        least: 1,
        most: 100_000,
        field: Field::Count(|limits| &mut limits.call_depth),
    },
    NamedLimit {
        name: "steps",
        bounds: "actions, operands, turns of loops and elements that functions visit, in one render",
        least: 1,
        most: 1_000_000_000,
        field: Field::Steps(|limits| &mut limits.steps),
    },
    NamedLimit {
        name: "output_bytes",
        bounds: "the rendered text",
        least: 1,
        most: 64 * MI,
        field: Field::Bytes(|limits| &mut limits.output_bytes),
    },
    NamedLimit {
        name: "value_bytes",
        bounds: "one text that a function makes, or the elements of one list",
        least: 1,
        most: 64 * MI,
        field: Field::Bytes(|limits| &mut limits.value_bytes),
    },
    NamedLimit {
        name: "total_bytes",
        bounds: "all values that functions make in one render, kept or not",
        least: 1,
        most: GI,
        field: Field::Bytes(|limits| &mut limits.total_bytes),
    },
    NamedLimit {
        name: "expensive_calls",
        bounds: "keys and password hashes that one render makes: a `bcrypt` counts as 1, an RSA key of 2048 bits as 2, \
                 a `derivePassword` as 3, an RSA key of 4096 bits as 8",
        least: 0,
        most: 1_000,
        field: Field::Count(|limits| &mut limits.expensive_calls),
    },
    NamedLimit {
        name: "deadline",
        bounds: "the time that one render takes",
        least: 1,
        most: 60_000,
        field: Field::Time(|limits| &mut limits.deadline),
    },
];

impl Limits {
    /// All limits, in the order of the fields.
    pub fn named() -> &'static [NamedLimit] {
        LIMITS
    }

    /// Sets a limit by its name. Counts are decimal numbers; counts and bytes may end in `Ki`, `Mi` or `Gi`; times end
    /// in `ms`, `s` or `m`. Leaves everything as it is when the name is unknown, or the value is written otherwise or
    /// out of range.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), LimitError> {
        let limit = LIMITS.iter().find(|limit| limit.name == name);
        let limit = limit.ok_or_else(|| LimitError::Unknown { name: name.to_owned() })?;
        let amount =
            limit.field.parse(value).ok_or_else(|| LimitError::Malformed { limit, value: value.to_owned() })?;
        if !(limit.least..=limit.most).contains(&amount) {
            return Err(LimitError::OutOfRange { limit, value: value.to_owned() });
        }
        limit.field.write(self, amount);
        Ok(())
    }
}

impl NamedLimit {
    /// The value in `limits`, written as [`Limits::set`] reads it.
    pub fn value(&self, limits: &Limits) -> String {
        self.field.show(self.field.read(limits))
    }

    /// The least and the greatest value, written as [`Limits::set`] reads them.
    pub fn range(&self) -> (String, String) {
        (self.field.show(self.least), self.field.show(self.most))
    }

    /// How values are written.
    fn form(&self) -> &'static str {
        match self.field {
            Field::Count(_) | Field::Steps(_) => "a number such as 500 or 2Ki",
            Field::Bytes(_) => "a number of bytes such as 65536 or 4Mi",
            Field::Time(_) => "a time such as 500ms or 5s",
        }
    }
}

/// Shows the name: what the limit is.
impl fmt::Debug for NamedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Field {
    /// The amount that a text means, in the unit of the limit.
    fn parse(self, text: &str) -> Option<u64> {
        let units: &[(&str, u64)] = match self {
            Self::Count(_) | Self::Steps(_) | Self::Bytes(_) => &FACTORS,
            Self::Time(_) => &TIMES,
        };
        let unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
        let (digits, factor) = match (unit, self) {
            (Some(found), _) => found,
            (None, Self::Time(_)) => return None,
            (None, _) => (text, 1),
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // What does not fit is out of any range.
        is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(factor))
    }

    fn show(self, amount: u64) -> String {
        match self {
            Self::Count(_) | Self::Steps(_) => amount.to_string(),
            Self::Bytes(_) => {
                match FACTORS.iter().find(|(_, factor)| amount >= *factor && amount.is_multiple_of(*factor)) {
                    Some((unit, factor)) => format!("{}{unit}", amount / factor),
                    None => amount.to_string(),
                }
            }
            Self::Time(_) if amount.is_multiple_of(1_000) => format!("{}s", amount / 1_000),
            Self::Time(_) => format!("{amount}ms"),
        }
    }

    fn read(self, limits: &Limits) -> u64 {
        let mut limits = limits.clone();
        match self {
            Self::Count(field) | Self::Bytes(field) => u64::try_from(*field(&mut limits)).unwrap_or(u64::MAX),
            Self::Steps(field) => *field(&mut limits),
            Self::Time(field) => u64::try_from(field(&mut limits).as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn write(self, limits: &mut Limits, amount: u64) {
        match self {
            Self::Count(field) | Self::Bytes(field) => *field(limits) = usize::try_from(amount).unwrap_or(usize::MAX),
            Self::Steps(field) => *field(limits) = amount,
            Self::Time(field) => *field(limits) = Duration::from_millis(amount),
        }
    }
}

/// Why a limit was not set.
#[derive(Clone, Debug)]
pub enum LimitError {
    /// No limit has that name.
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// The value is not written as the limit needs it.
    Malformed {
        /// The limit that was meant.
        limit: &'static NamedLimit,
        /// The value that was given.
        value: String,
    },
    /// The value is too small or too great.
    OutOfRange {
        /// The limit that was meant.
        limit: &'static NamedLimit,
        /// The value that was given.
        value: String,
    },
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                let names: Vec<&str> = LIMITS.iter().map(|limit| limit.name).collect();
                write!(f, "template limit {name:?} does not exist; write one of {}", names.join(", "))
            }
            Self::Malformed { limit, value } => {
                write!(f, "template limit {}: {value:?} cannot be read; write {}", limit.name, limit.form())
            }
            Self::OutOfRange { limit, value } => {
                let (least, most) = limit.range();
                write!(f, "template limit {}: {value} is out of range; write {least} to {most}", limit.name)
            }
        }
    }
}

impl std::error::Error for LimitError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Limits, String> {
        let mut limits = Limits::default();
        limits.set(name, value).map(|()| limits).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_can_be_set_to_both_ends_of_its_range_and_no_further() {
        for limit in Limits::named() {
            let (least, most) = limit.range();
            assert_eq!(limit.value(&set(limit.name, &least).unwrap()), least, "{limit:?}");
            assert_eq!(limit.value(&set(limit.name, &most).unwrap()), most, "{limit:?}");
            let beyond = limit.field.show(limit.most + 1);
            assert!(set(limit.name, &beyond).unwrap_err().contains("out of range"), "{limit:?}");
        }
    }

    #[test]
    fn every_default_is_in_range_and_reads_back() {
        for limit in Limits::named() {
            let value = limit.value(&Limits::default());
            assert_eq!(set(limit.name, &value).unwrap(), Limits::default(), "{limit:?}");
        }
    }

    #[test]
    fn no_field_is_without_a_name() {
        // A new field does not compile here until it is listed.
        let Limits {
            text_bytes: _,
            block_depth: _,
            paren_depth: _,
            call_depth: _,
            steps: _,
            output_bytes: _,
            value_bytes: _,
            total_bytes: _,
            expensive_calls: _,
            deadline: _,
        } = Limits::default();
        let mut names: Vec<&str> = Limits::named().iter().map(|limit| limit.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 10);
    }

    #[test]
    fn a_limit_changes_its_own_field_only() {
        let limits = set("steps", "1000000").unwrap();
        assert_eq!(limits, Limits { steps: 1_000_000, ..Limits::default() });
        assert_eq!(set("deadline", "2m").unwrap_err(), "template limit deadline: 2m is out of range; write 1ms to 60s");
        assert_eq!(set("deadline", "1m").unwrap().deadline, Duration::from_mins(1));
        assert_eq!(set("value_bytes", "8Mi").unwrap().value_bytes, 8 << 20);
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let unknown = set("step", "1").unwrap_err();
        assert!(unknown.starts_with("template limit \"step\" does not exist; write one of text_bytes, "), "{unknown}");
        for value in ["", "-1", "1.5Mi", "Mi", "4MB", " 4", "+4", "1e3"] {
            let error = set("output_bytes", value).unwrap_err();
            assert!(error.ends_with("write a number of bytes such as 65536 or 4Mi"), "{value}: {error}");
        }
        for value in ["5", "5h", "s", "-5s"] {
            assert!(set("deadline", value).unwrap_err().ends_with("write a time such as 500ms or 5s"), "{value}");
        }
        for value in ["0", "99999999999999999999999", "17179869184Gi"] {
            assert!(set("steps", value).unwrap_err().ends_with("write 1 to 1000000000"), "{value}");
        }
    }
}
