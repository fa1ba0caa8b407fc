//! A place in an object, as `templateFrom[].target` names it: `spec.rules[0].from`.

use std::fmt;
use std::str::FromStr;

/// Steps from the top of an object to a place in it; at least one, the first is a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldPath(Vec<Step>);

/// One step down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Into a map.
    Field(String),
    /// Into a list.
    Index(usize),
}

/// A text that names no place that may be written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FieldPathError {
    /// Not fields with dots between them and numbers in brackets.
    #[error("{0:?} is not a path")]
    Syntax(String),
    /// A place far behind the end of any list, or very far down.
    #[error("{0:?} leads too far: at most {MOST_STEPS} steps, and positions up to {LAST_INDEX}")]
    TooFar(String),
    /// What makes the object the one that it is.
    #[error("{0:?} is not the template's to write")]
    Reserved(String),
}

/// What to write instead.
pub const PATH_ADVICE: &str = "write Data, Labels, Annotations, or a path such as spec.rules[0].from";

/// The Go operator's bound: what it names must exist, and is made.
const LAST_INDEX: usize = 10_000;

/// No schema is so deep.
const MOST_STEPS: usize = 64;

impl FieldPath {
    /// From the top down.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Name, namespace and owner are decided elsewhere: with them, an object in another namespace could be written.
    fn is_reserved(&self) -> bool {
        let field = |position: usize| match self.0.get(position) {
            Some(Step::Field(name)) => name.as_str(),
            _ => "",
        };
        match field(0) {
            "apiVersion" | "kind" => true,
            "metadata" => !matches!(field(1), "labels" | "annotations"),
            _ => false,
        }
    }
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let syntax = || FieldPathError::Syntax(text.to_owned());
        let mut steps = Vec::new();
        for part in text.split('.') {
            let mut pieces = part.split('[');
            let field = pieces.next().unwrap_or_default();
            if field.is_empty() || field.contains(']') {
                return Err(syntax());
            }
            steps.push(Step::Field(field.to_owned()));
            for index in pieces {
                let digits = index.strip_suffix(']').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let digits = digits.filter(|digits| !digits.is_empty()).ok_or_else(syntax)?;
                let index = digits.parse().ok().filter(|index| *index <= LAST_INDEX);
                steps.push(Step::Index(index.ok_or_else(|| FieldPathError::TooFar(text.to_owned()))?));
            }
        }
        let path = Self(steps);
        if path.0.len() > MOST_STEPS {
            return Err(FieldPathError::TooFar(text.to_owned()));
        }
        if path.is_reserved() { Err(FieldPathError::Reserved(text.to_owned())) } else { Ok(path) }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => formatter.write_str(name)?,
                Step::Field(name) => write!(formatter, ".{name}")?,
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_printed_as_they_were_written() {
        for text in ["spec", "spec.rules[0].from", "data", "a[1][20][3].b", "spec.a-b_c/d", "metadata.labels.x"] {
            let parsed = text.parse::<FieldPath>().map(|path| path.to_string());
            assert_eq!(parsed.as_deref(), Ok(text));
        }
        let path: FieldPath = "spec.rules[10000].from".parse().expect("a path");
        assert_eq!(path.steps().len(), 4);
        assert_eq!(path.steps()[2], Step::Index(10_000));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "", ".", ".spec", "spec.", "a..b", "[0]", "a.[0]", "a[", "a]", "a[]", "a[x]", "a[-1]", "a[+1]", "a[0]b",
            "a[ 0]", "a[٣]",
        ] {
            assert_eq!(text.parse::<FieldPath>(), Err(FieldPathError::Syntax(text.to_owned())));
        }
        let deep = vec!["a"; 65].join(".");
        for text in ["a[10001]", "a[99999999999999999999]", &deep] {
            assert_eq!(text.parse::<FieldPath>(), Err(FieldPathError::TooFar(text.to_owned())));
        }
    }

    #[test]
    fn identity_of_an_object_is_no_target() {
        for text in ["kind", "apiVersion", "metadata", "metadata.namespace", "metadata.ownerReferences[0].uid"] {
            assert_eq!(text.parse::<FieldPath>(), Err(FieldPathError::Reserved(text.to_owned())));
        }
    }
}
