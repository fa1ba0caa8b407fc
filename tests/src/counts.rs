//! Counting what went over the wire, from the servers' own logs: a [`Mark`] before, and the requests since.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use serde::de::DeserializeOwned;

use crate::failure::{Failure, Result};

/// A moment in a log.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// Requests that a server answered, narrowed step by step: `requests.operation("read").path("secret/data/team/db").len()`.
///
/// `Display` is a table for the message of an assertion: how many of what.
#[derive(Clone, Debug)]
pub struct Requests<T>(Vec<T>);

impl<T: Clone> Requests<T> {
    pub(crate) fn new(requests: impl IntoIterator<Item = T>) -> Self {
        Self(requests.into_iter().collect())
    }

    /// Those that `holds` says yes to.
    #[must_use]
    pub fn filter(&self, holds: impl Fn(&T) -> bool) -> Self {
        Self::new(self.0.iter().filter(|request| holds(request)).cloned())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of their answers.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T: fmt::Display> fmt::Display for Requests<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = BTreeMap::<String, usize>::new();
        for request in &self.0 {
            *counts.entry(request.to_string()).or_default() += 1;
        }
        for (request, count) in counts {
            writeln!(f, "{count:>5} × {request}")?;
        }
        Ok(())
    }
}

/// A file of JSON lines that a server appends to.
pub struct JsonLog {
    path: PathBuf,
}

impl JsonLog {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The end of what is written now.
    pub fn end(&self) -> Mark {
        Mark(self.path.metadata().map_or(0, |file| file.len()))
    }

    /// The complete lines after a mark; a line that is still being written is left for later, and one that was being
    /// written at the mark belongs before it.
    pub fn since<T: DeserializeOwned>(&self, mark: Mark) -> Result<Vec<T>> {
        let mut text = Vec::new();
        // A log that does not exist yet is an empty one.
        if let Ok(mut file) = File::open(&self.path) {
            file.seek(SeekFrom::Start(mark.0.saturating_sub(1)))?;
            file.read_to_end(&mut text)?;
        }
        if mark.0 > 0 {
            let first = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1);
            text.drain(..first);
        }
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        text[..complete]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|error| Failure::from(error).during(self.path.display())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_being_written_is_left_for_later() {
        let path = std::env::temp_dir().join(format!("bed-audit-{}.log", crate::ports::random_word()));
        std::fs::write(&path, "{\"a\":1}\n{\"a\":").unwrap();
        let log = JsonLog::new(path.clone());
        let since = |mark| log.since::<serde_json::Value>(Mark(mark)).unwrap();
        assert_eq!(since(0), [serde_json::json!({"a": 1})]);
        let within = log.end();
        std::fs::write(&path, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n").unwrap();
        assert_eq!(since(within.0), [serde_json::json!({"a": 3})], "the mark is within the second line");
        assert_eq!(
            since(8),
            [serde_json::json!({"a": 2}), serde_json::json!({"a": 3})],
            "the mark is between two lines"
        );
        std::fs::remove_file(&path).unwrap();
    }
}
