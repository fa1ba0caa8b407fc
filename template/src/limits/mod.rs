//! Bounds on the work of one parse and one render, and what a caller may choose.
//!
//! Templates come from anybody who may create an ExternalSecret, so each loop, buffer and recursion of this crate
//! counts against one of these numbers and stops with an error instead of taking the process with it.

use std::time::{Duration, SystemTime};

mod named;

pub use named::{LimitError, NamedLimit};

/// What a template may cost. The defaults suit the content of a Kubernetes Secret. [`Limits::named`] lists the values
/// that each may have when it is set by [`Limits::set`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest template text in bytes. A Secret holds at most 1 MiB, so its template has no use for more.
    pub text_bytes: usize,
    /// Blocks (`if`, `range`, …) open at the same time.
    pub block_depth: usize,
    /// Parentheses open at the same time. They cost native stack, so this is far below what a 2 MiB thread carries.
    pub paren_depth: usize,
    /// `{{template}}` calls open at the same time; they cost heap only.
    pub call_depth: usize,
    /// Nodes executed, loop turns and elements visited by functions.
    pub steps: u64,
    /// Bytes of the rendered text.
    pub output_bytes: usize,
    /// Bytes of one string, or elements of one list times the size of an element.
    pub value_bytes: usize,
    /// Bytes of all values that functions make during one render, whether still in use or not.
    pub total_bytes: usize,
    /// Calls of functions that compute long for a short text, in units of one `bcrypt`, about 60 ms of one core: an RSA
    /// key of 2048 bits counts as 2, a derived password as 3, an RSA key of 4096 bits as 8. The default is about
    /// a second's work: room for a certificate authority, a certificate, an RSA key of 4096 bits and two hashes.
    ///
    /// How long an RSA key takes is luck, because primes are found by trying. Of 160 keys of 4096 bits, made by an optimised
    /// build on a core shared with other work, half took about 0.6 s or less, nine of ten less than 1.4 s, and the slowest
    /// 2.6 s; 100 keys of real Go, made on the same machine at the same time, took as long (0.6, 1.3 and 2.8 s). About 200
    /// candidates are tested for a key, each in some milliseconds, and no test is worth leaving out. The deadline is looked
    /// at before such a call and not during it.
    pub expensive_calls: usize,
    /// Wall-clock time of one render.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 1 << 20,
            block_depth: 500,
            paren_depth: 100,
            call_depth: 1_000,
            steps: 5_000_000,
            output_bytes: 4 << 20,
            value_bytes: 4 << 20,
            total_bytes: 32 << 20,
            expensive_calls: 15,
            deadline: Duration::from_secs(5),
        }
    }
}

/// What `.name` gives when the map has no such key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// The render fails and names the key: what `target.template` does.
    #[default]
    Error,
    /// The text `<no value>`: what rewrite transforms do.
    Default,
}

/// The marks around an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delimiters {
    left: String,
    right: String,
}

impl Delimiters {
    /// Marks of the caller's choice; an empty one means the usual `{{` or `}}`.
    pub fn new(left: &str, right: &str) -> Self {
        let or = |given: &str, usual: &str| if given.is_empty() { usual.to_owned() } else { given.to_owned() };
        Self { left: or(left, "{{"), right: or(right, "}}") }
    }

    pub(crate) fn left(&self) -> &[u8] {
        self.left.as_bytes()
    }

    pub(crate) fn right(&self) -> &[u8] {
        self.right.as_bytes()
    }
}

impl Default for Delimiters {
    fn default() -> Self {
        Self::new("", "")
    }
}

/// How one render behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// What an absent key gives.
    pub missing_key: MissingKey,
    /// What the render may cost.
    pub limits: Limits,
    /// The time that `now` answers; one instant for the whole render.
    pub now: SystemTime,
}

impl Default for Options {
    fn default() -> Self {
        Self { missing_key: MissingKey::default(), limits: Limits::default(), now: SystemTime::now() }
    }
}
