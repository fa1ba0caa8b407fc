//! A value in a JSON text by its path, in the dialect of the Go library gjson 1.18 that users write.
//!
//! What enters is a text, which need not be valid JSON, and a path; what leaves is the first value that the path selects,
//! or nothing. As in Go, nothing about the two is an error: a path that is no path selects nothing, and a text is read
//! as far as it goes. Keys, escapes, wildcards, indices, `#`, queries, modifiers, multipaths, literals, pipes and JSON
//! lines are all here; `tests` compares them with what the Go library answers.
//!
//! Both path and text come from others. Steps, memory and nesting are bounded; past a bound the path is [`Refused`].

use std::cell::Cell;

mod modifiers;
mod path;
mod pattern;
mod piece;
mod pretty;
mod query;
mod scan;
mod text;
mod walk;

pub use piece::Found;

use piece::{Kind, Piece};

/// Longest path, in bytes. A thousand is far beyond what can be read.
const MAX_PATH: usize = 1024;

/// Bytes looked at for one path: a fraction of a second. A path over the largest secret of a backend takes a few millions.
const MAX_STEPS: usize = 50_000_000;

/// Bytes that multipaths and modifiers put together for one path.
const MAX_MADE: usize = 64 << 20;

/// Paths within paths. Each takes a few hundred bytes of stack.
const MAX_NESTING: usize = 128;

/// Why a path is not looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused(&'static str);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// What `path` selects of `json`. `None`: nothing.
pub fn get<'a>(json: &'a [u8], path: &str) -> Result<Option<Found<'a>>, Refused> {
    if path.len() > MAX_PATH {
        return Err(Refused("the path is longer than 1024 bytes"));
    }
    let lookup = Lookup::default();
    let found = lookup.get(&Piece::from(json), path.as_bytes())?;
    Ok(Some(found).filter(Found::exists))
}

/// One look-up, with what it has used of its bounds.
#[derive(Default)]
struct Lookup {
    steps: Cell<usize>,
    made: Cell<usize>,
    nesting: Cell<usize>,
}

impl Lookup {
    /// What `path` selects of one value, be it taken from the text or made by an earlier part of the path.
    fn get<'a>(&self, json: &Piece<'a>, path: &[u8]) -> Result<Found<'a>, Refused> {
        self.nested(|| {
            self.step(json.len())?;
            match path {
                [b'@', _, ..] => {
                    if let Some(call) = path::modifier(path) {
                        let made = modifiers::apply(self, &call, json)?;
                        return self.then(&made, call.rest);
                    }
                }
                [b'!', _, ..] => {
                    if let Some((literal, rest)) = path::literal(path) {
                        self.make(literal.len())?;
                        return self.then(&Piece::made(literal.to_vec()), rest);
                    }
                }
                [b'[' | b'{', _, ..] => {
                    let Some((parts, rest)) = path::multipath(path) else { return self.walk(json, b"") };
                    return match rest {
                        [] => self.gather(json, &parts),
                        [b'.' | b'|', rest @ ..] => self.get(&self.gather(json, &parts)?.raw, rest),
                        _ => self.walk(json, rest),
                    };
                }
                _ => {}
            }
            self.walk(json, path)
        })
    }

    /// What the rest of a path selects of what its beginning made.
    fn then<'a>(&self, made: &Piece<'a>, rest: &[u8]) -> Result<Found<'a>, Refused> {
        match rest {
            [b'.' | b'|', rest @ ..] => self.get(made, rest),
            _ => Ok(Found::of(made)),
        }
    }

    fn walk<'a>(&self, json: &Piece<'a>, path: &[u8]) -> Result<Found<'a>, Refused> {
        let (found, pipe) = walk::walk(self, json, path)?;
        match pipe {
            Some(rest) => self.get(&found.raw, rest),
            None => Ok(found),
        }
    }

    /// An array or object of what several paths select; what is not there is left out.
    fn gather<'a>(&self, json: &Piece<'a>, parts: &path::Multipath<'_>) -> Result<Found<'a>, Refused> {
        let mut out = vec![if parts.keyed { b'{' } else { b'[' }];
        for part in &parts.parts {
            let found = self.get(json, part.path)?;
            if !found.exists() {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            if parts.keyed {
                part.write_name(&mut out);
                out.push(b':');
            }
            self.make(found.raw.len())?;
            out.extend_from_slice(&found.raw);
        }
        out.push(if parts.keyed { b'}' } else { b']' });
        self.make(out.len())?;
        Ok(Found { kind: Kind::Json, raw: Piece::made(out) })
    }

    /// Accounts for looking at so many bytes.
    fn step(&self, bytes: usize) -> Result<(), Refused> {
        let steps = self.steps.get().saturating_add(bytes).saturating_add(1);
        self.steps.set(steps);
        if steps > MAX_STEPS { Err(Refused("the path takes too many steps for so long a value")) } else { Ok(()) }
    }

    /// Accounts for memory before it is taken.
    fn make(&self, bytes: usize) -> Result<(), Refused> {
        let made = self.made.get().saturating_add(bytes);
        self.made.set(made);
        if made > MAX_MADE { Err(Refused("the path repeats the value too often")) } else { self.step(bytes) }
    }

    fn nested<T>(&self, work: impl FnOnce() -> Result<T, Refused>) -> Result<T, Refused> {
        let depth = self.nesting.get();
        if depth >= MAX_NESTING {
            return Err(Refused("the path is nested too deeply"));
        }
        self.nesting.set(depth + 1);
        let result = work();
        self.nesting.set(depth);
        result
    }
}

#[cfg(test)]
mod tests;
