//! Go's `fmt`: printing values with and without a format.

use crate::bytes::Buffer;
use crate::error::Message;
use crate::value::{MAX_DEPTH, Value};

mod decimal;
pub(crate) mod float;
mod format;
mod numbers;
pub(crate) mod quote;
mod verbs;

pub(crate) use decimal::Decimal;
pub(crate) use format::sprintf;

use verbs::{Flags, Printer};

/// Bytes under construction, of which there can be no more than a limit.
pub(crate) struct Sink {
    bytes: Buffer,
    limit: usize,
    problem: Option<Message>,
}

impl Sink {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Buffer::default(), limit, problem: None }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(crate) fn fill(&mut self, byte: u8, count: usize) {
        if count > 0 && self.has_room(count) {
            self.bytes.fill(byte, count);
        }
    }

    /// Whether to stop: what is pushed now is lost.
    pub(crate) fn is_full(&self) -> bool {
        self.problem.is_some()
    }

    /// Refuses values that nest too deep, for instance in themselves.
    pub(crate) fn check_depth(&mut self, depth: u32) {
        if depth > MAX_DEPTH && self.problem.is_none() {
            self.problem = Some(crate::value::too_deep());
        }
    }

    pub(crate) fn last(&self) -> Option<u8> {
        self.bytes.last().copied()
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, Message> {
        self.problem.map_or_else(|| Ok(self.bytes.finish()), Err)
    }

    /// Whether so much more could be pushed.
    pub(crate) fn fits(&self, more: usize) -> bool {
        self.bytes.len().saturating_add(more) <= self.limit
    }

    fn has_room(&mut self, more: usize) -> bool {
        if self.problem.is_none() && !self.fits(more) {
            self.problem = Some(too_long(self.limit));
        }
        self.problem.is_none()
    }
}

/// The refusal of a value longer than `limit` bytes.
pub(crate) fn too_long(limit: usize) -> Message {
    Message::ours(format!("a value would be longer than {limit} bytes; make it smaller"))
}

/// Go's `Sprint`: a space between operands of which neither is a string.
pub(crate) fn sprint(args: &[Value], limit: usize) -> Result<Vec<u8>, Message> {
    let mut printer = Printer::new(limit);
    let mut after_string = true;
    for arg in args {
        let is_string = matches!(arg, Value::Str(_));
        if !is_string && !after_string {
            printer.sink.push(b" ");
        }
        printer.print(arg, 'v');
        after_string = is_string;
    }
    printer.sink.finish()
}

/// Go's `Sprintln`: a space between all operands, and a line end.
pub(crate) fn sprintln(args: &[Value], limit: usize) -> Result<Vec<u8>, Message> {
    let mut printer = Printer::new(limit);
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.sink.push(b" ");
        }
        printer.print(arg, 'v');
    }
    printer.sink.push(b"\n");
    printer.sink.finish()
}

/// One value under one verb without flags.
pub(crate) fn print_verb(value: &Value, verb: char, limit: usize) -> Result<Vec<u8>, Message> {
    let mut printer = Printer::new(limit);
    printer.flags = Flags::default();
    printer.print(value, verb);
    printer.sink.finish()
}
