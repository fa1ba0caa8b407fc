//! What is wrong with an object, told to the person who can change it.

use std::fmt;

/// One thing that is wrong: where, what, and what to write instead.
///
/// Prints as `path: what; advice`. Neither part ever holds a secret value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Path of the field, such as `spec.data[1].remoteRef.key`.
    pub path: String,
    /// What is wrong, in lower case, without a final stop.
    pub what: String,
    /// What to write instead; may be empty when `what` says it all.
    pub advice: String,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into(), advice: advice.into() }
    }

    /// The same problem, seen from a parent: `prefix` is put in front of the path.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.path = match (prefix, self.path.as_str()) {
            (prefix, "") => prefix.to_owned(),
            ("", path) => path.to_owned(),
            (prefix, path) if path.starts_with('[') => format!("{prefix}{path}"),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.what)?;
        if self.advice.is_empty() { Ok(()) } else { write!(formatter, "; {}", self.advice) }
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong with an object, in the order of its fields. Prints one problem per line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// `value` when there is no problem.
    pub fn none_or<T>(self, value: impl FnOnce() -> T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value()) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            problem.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_print_one_per_line_as_path_what_advice() {
        let problems = Problems(vec![Problem::new("spec.a", "is empty", "write b"), Problem::new("", "absent", "")]);
        assert_eq!(problems.to_string(), "spec.a: is empty; write b\nabsent");
    }

    #[test]
    fn a_prefix_joins_with_a_dot_unless_an_index_follows() {
        let path = |path: &str, prefix: &str| Problem::new(path, "", "").under(prefix).path;
        assert_eq!(path("key", "spec"), "spec.key");
        assert_eq!(path("[0].key", "spec.data"), "spec.data[0].key");
        assert_eq!(path("", "spec"), "spec");
        assert_eq!(path("key", ""), "key");
    }
}
