//! What one render carries along: its budget, its options, and what must be undone at its end.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use crate::data::Bytes;
use crate::error::Message;
use crate::funcs::Pattern;
use crate::limits::Options;
use crate::value::{MAX_DEPTH, Map, Value, too_deep};

/// Steps between two looks at the clock.
const STEPS_PER_CLOCK: u64 = 512;
/// Bytes that cost as much as a step: a scan over them takes about as long.
const BYTES_PER_STEP: usize = 32;
/// What trying to compile a pattern into the smallest size is charged as; a larger size is charged as several.
const STEPS_PER_COMPILE: usize = 2_000;
/// Compiled patterns kept at the same time; each takes up to a few MiB.
const KEPT_PATTERNS: usize = 8;
/// What a list or map is charged as before it has elements.
const COLLECTION_BYTES: usize = 128;
/// What one element of a list or map is charged as.
const ELEMENT_BYTES: usize = size_of::<Value>() + size_of::<Bytes>();

/// Entries for which a map keeps room in each of its nodes.
const NODE_ENTRIES: usize = 11;

/// The state of one render that functions see.
pub(crate) struct Context<'o> {
    options: &'o Options,
    started: Instant,
    steps: Cell<u64>,
    bytes: Cell<usize>,
    expensive: Cell<usize>,
    depth: OnceCell<Rc<Cell<u32>>>,
    changed: Vec<Map>,
    regexes: Vec<(Vec<u8>, Rc<Pattern>)>,
}

/// Counts one level of a recursion through maps, until dropped.
pub(crate) struct Nested(Rc<Cell<u32>>);

impl Drop for Nested {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<'o> Context<'o> {
    pub(crate) fn new(options: &'o Options) -> Self {
        Self {
            options,
            started: Instant::now(),
            steps: Cell::new(0),
            bytes: Cell::new(0),
            expensive: Cell::new(0),
            depth: OnceCell::new(),
            changed: Vec::new(),
            regexes: Vec::new(),
        }
    }

    pub(crate) fn options(&self) -> &'o Options {
        self.options
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.options.now
    }

    /// Longest string a function may make, in bytes.
    pub(crate) fn value_bytes(&self) -> usize {
        self.options.limits.value_bytes
    }

    /// Charges work that is proportional to `steps`.
    pub(crate) fn spend(&self, steps: usize) -> Result<(), Message> {
        let before = self.steps.get();
        let after = before.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX));
        self.steps.set(after);
        let limits = &self.options.limits;
        if after > limits.steps {
            return Err(Message::ours(format!("render takes more than {} steps; make it simpler", limits.steps)));
        }
        if after / STEPS_PER_CLOCK == before / STEPS_PER_CLOCK { Ok(()) } else { self.check_deadline() }
    }

    /// Charges a call that computes long, before it starts. `units` are those of the limit.
    pub(crate) fn spend_expensive(&self, units: usize) -> Result<(), Message> {
        let total = self.expensive.get().saturating_add(units);
        self.expensive.set(total);
        let limit = self.options.limits.expensive_calls;
        if total > limit {
            return Err(Message::ours(format!(
                "render makes keys and password hashes for {total} units of work, more than its {limit}; use elliptic \
                 curves instead of RSA, or several templates"
            )));
        }
        self.check_deadline()
    }

    fn check_deadline(&self) -> Result<(), Message> {
        let deadline = self.options.limits.deadline;
        if self.started.elapsed() > deadline {
            return Err(Message::ours(format!("render takes longer than {deadline:?}; make it simpler")));
        }
        Ok(())
    }

    /// Charges work that goes over so many bytes.
    pub(crate) fn spend_on_bytes(&self, bytes: usize) -> Result<(), Message> {
        if bytes < BYTES_PER_STEP { Ok(()) } else { self.spend(bytes / BYTES_PER_STEP) }
    }

    /// Refuses a string that would become too long, before it is made.
    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), Message> {
        if bytes > self.value_bytes() { Err(crate::fmt::too_long(self.value_bytes())) } else { Ok(()) }
    }

    /// Refuses a list that would become too long, before it is made.
    pub(crate) fn check_elements(&self, count: usize) -> Result<(), Message> {
        self.check_bytes(count.saturating_mul(ELEMENT_BYTES))
    }

    /// Charges the memory of a value that a function made.
    pub(crate) fn account(&self, value: &Value) -> Result<(), Message> {
        let bytes = match value {
            Value::Str(bytes) => bytes.len(),
            Value::List(list) => list.len().saturating_mul(ELEMENT_BYTES),
            Value::Map(map) if map.is_empty() => 0,
            // Even one entry takes a whole node.
            Value::Map(map) => map.len().max(NODE_ENTRIES).saturating_mul(ELEMENT_BYTES),
            _ => return Ok(()),
        };
        self.check_bytes(bytes)?;
        let around = if matches!(value, Value::Str(_)) { 0 } else { COLLECTION_BYTES };
        self.account_bytes(bytes.saturating_add(around))
    }

    /// Charges the memory of a list or map that is still empty and is told by [`Self::account_element`] or
    /// [`Self::account_entry`] of all that it gets.
    pub(crate) fn account_collection(&self) -> Result<(), Message> {
        self.account_bytes(COLLECTION_BYTES)
    }

    /// Charges the memory of one more element of a list that has so many, before it is kept.
    pub(crate) fn account_element(&self, before: usize) -> Result<(), Message> {
        self.check_elements(before + 1)?;
        self.account_bytes(ELEMENT_BYTES)
    }

    /// Charges the memory of one more entry of a map that has so many, before it is kept.
    pub(crate) fn account_entry(&self, before: usize) -> Result<(), Message> {
        self.check_elements(before + 1)?;
        // Even one entry takes a whole node.
        match before {
            0 => self.account_bytes(NODE_ENTRIES * ELEMENT_BYTES),
            1..NODE_ENTRIES => Ok(()),
            _ => self.account_bytes(ELEMENT_BYTES),
        }
    }

    /// Charges memory that a function keeps.
    pub(crate) fn account_bytes(&self, bytes: usize) -> Result<(), Message> {
        let total = self.bytes.get().saturating_add(bytes);
        self.bytes.set(total);
        let limit = self.options.limits.total_bytes;
        if total > limit {
            return Err(Message::ours(format!("render makes more than {limit} bytes of values; make it simpler")));
        }
        Ok(())
    }

    /// The compiled pattern, compiled once per render.
    pub(crate) fn regex(&mut self, pattern: &[u8]) -> Result<Rc<Pattern>, Message> {
        if let Some((_, known)) = self.regexes.iter().find(|(known, _)| known == pattern) {
            return Ok(Rc::clone(known));
        }
        let charge = |weight: usize| self.spend(STEPS_PER_COMPILE.saturating_mul(weight));
        let compiled = Rc::new(Pattern::compile(pattern, charge)?);
        if self.regexes.len() < KEPT_PATTERNS {
            self.regexes.push((pattern.to_vec(), Rc::clone(&compiled)));
        }
        Ok(compiled)
    }

    /// Goes one level deeper in a recursion through maps, which can contain themselves.
    pub(crate) fn nest(&self) -> Result<Nested, Message> {
        let depth = self.depth.get_or_init(Rc::default);
        depth.set(depth.get() + 1);
        let nested = Nested(Rc::clone(depth));
        if depth.get() > MAX_DEPTH { Err(too_deep()) } else { Ok(nested) }
    }

    /// Remembers a map that was changed in place. It may contain itself by now and would never be freed.
    pub(crate) fn changed(&mut self, map: &Map) {
        if !self.changed.last().is_some_and(|last| last.is_same(map)) {
            self.changed.push(map.clone());
        }
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        for map in &self.changed {
            map.clear();
        }
    }
}
