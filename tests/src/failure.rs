//! The one error of the bed: a text for the person who reads a failed test.
//!
//! Every `std::error::Error` becomes a [`Failure`] through `?`, with its chain of sources. A test that returns one has failed, and
//! the harness prints it with `Debug`; that is the moment at which the folders of the running beds are marked to be kept, as they
//! are by a panic.

use std::{error::Error, fmt};

use crate::folder;

/// What the functions of the bed, and tests, return.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a test or the bed could not go on.
pub struct Failure(String);

impl Failure {
    /// A failure in one sentence: lower case, naming the thing and the next step.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The same failure, with what was being done in front.
    #[must_use]
    pub fn during(self, act: impl fmt::Display) -> Self {
        Self(format!("{act}: {}", self.0))
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors already print their source; saying it twice helps nobody.
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)?;
        for path in folder::keep_all() {
            write!(f, "\nthe logs of the test bed are kept in {}", path.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_names_every_cause_once() {
        let inner = std::io::Error::other("disk full");
        let outer = std::io::Error::other(inner);
        assert_eq!(Failure::from(outer).during("writing a log").to_string(), "writing a log: disk full");
    }
}
