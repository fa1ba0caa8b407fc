//! A table of the program under construction.

use crate::ast::Span;

/// Rows of parts that contain each other. The rows of one part come to lie next to each other, although those of the
/// parts inside it are complete earlier: they wait until their own part is complete.
pub(super) struct Table<T> {
    complete: Vec<T>,
    waiting: Vec<T>,
}

impl<T> Table<T> {
    /// A table with room for some rows, to begin with.
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self { complete: Vec::with_capacity(rows), waiting: Vec::with_capacity(rows) }
    }

    /// Where the rows of a part that begins now begin to wait.
    pub(super) fn begin(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a row to the innermost part.
    pub(super) fn push(&mut self, row: T) {
        self.waiting.push(row);
    }

    /// The rows of the innermost part so far.
    pub(super) fn since(&self, begin: usize) -> &[T] {
        self.waiting.get(begin..).unwrap_or_default()
    }

    /// Completes the innermost part.
    pub(super) fn end(&mut self, begin: usize) -> Span {
        let start = self.complete.len();
        self.complete.extend(self.waiting.drain(begin.min(self.waiting.len())..));
        Span::new(start, self.complete.len())
    }

    /// Adds a part of one row.
    pub(super) fn push_alone(&mut self, row: T) -> Span {
        let start = self.complete.len();
        self.complete.push(row);
        Span::new(start, start + 1)
    }

    /// The rows of complete parts.
    pub(super) fn complete(&self) -> &[T] {
        &self.complete
    }

    pub(super) fn finish(self) -> Vec<T> {
        self.complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_part_lie_next_to_each_other() {
        let mut table = Table::with_capacity(2);
        let outer = table.begin();
        table.push("a");
        let inner = table.begin();
        table.push("b");
        table.push("c");
        let inner = table.end(inner);
        table.push("d");
        assert_eq!(table.since(outer), ["a", "d"]);
        let alone = table.push_alone("e");
        let outer = table.end(outer);
        let rows = table.finish();
        assert_eq!((inner.of(&rows), alone.of(&rows), outer.of(&rows)), (&["b", "c"][..], &["e"][..], &["a", "d"][..]));
    }
}
