//! Following a path into objects and arrays.

use super::{
    Lookup, Refused,
    path::{Item, Member, Next, What, split_pipe},
    piece::{Found, Kind, Piece},
    query::Query,
    scan,
};

/// What a path selects, and the rest of the path that is meant for that, if it reached a pipe.
pub fn walk<'a, 'p>(
    lookup: &Lookup,
    json: &Piece<'a>,
    path: &'p [u8],
) -> Result<(Found<'a>, Option<&'p [u8]>), Refused> {
    let mut walk = Walk { lookup, json, found: Found::nothing(), pipe: None };
    if let Some(path) = path.strip_prefix(b"..") {
        // Lines of JSON are the items of an array without brackets.
        walk.array(0, path)?;
    } else if let Some(at) = json.iter().position(|byte| matches!(byte, b'{' | b'[')) {
        walk.container(at, path)?;
    }
    Ok((walk.found, walk.pipe))
}

struct Walk<'w, 'a, 'p> {
    lookup: &'w Lookup,
    json: &'w Piece<'a>,
    found: Found<'a>,
    pipe: Option<&'p [u8]>,
}

/// Where looking at a container stopped, and whether it was because everything has been found.
struct Stop {
    at: usize,
    done: bool,
}

impl<'a, 'p> Walk<'_, 'a, 'p> {
    fn container(&mut self, at: usize, path: &'p [u8]) -> Result<Stop, Refused> {
        if self.json.get(at) == Some(&b'{') { self.object(at + 1, path) } else { self.array(at + 1, path) }
    }

    /// Looks for a member. If it is there but the rest of the path leads nowhere, another one may match too.
    fn object(&mut self, mut at: usize, path: &'p [u8]) -> Result<Stop, Refused> {
        let member = Member::new(path);
        self.note(member.next);
        loop {
            let key = match scan::key(self.json, at) {
                scan::Key::Is(key) => key,
                scan::Key::End(at) => return Ok(Stop { at, done: false }),
                scan::Key::Broken => return Ok(self.broken()),
            };
            let Some(start) = scan::value_start(self.json, key.end) else { return Ok(self.broken()) };
            self.lookup.step(member.cost(key.len()))?;
            let is_it = self.json.get(key).is_some_and(|key| member.is(key));
            let stop = self.value(start, is_it.then_some(member.next))?;
            if stop.done {
                return Ok(stop);
            }
            at = stop.at;
        }
    }

    fn array(&mut self, mut at: usize, path: &'p [u8]) -> Result<Stop, Refused> {
        let item = Item::new(path);
        self.note(item.next);
        let (mut index, mut gathered) = (0, Gathered::default());
        loop {
            let start = match scan::item_start(self.json, at) {
                Ok(start) => start,
                Err(at) => return Ok(Stop { at, done: self.close(&item, index, gathered) }),
            };
            let stop = match &item.what {
                What::Query(query) => self.asked(start, query, item.next, &mut gathered)?,
                What::Each(path) => self.each(start, split_pipe(path).0, &mut gathered)?,
                What::Index(wanted) => self.value(start, (*wanted == Some(index)).then_some(item.next))?,
                What::Count => self.value(start, None)?,
            };
            if stop.done || stop.at > self.json.len() {
                return Ok(stop);
            }
            (at, index) = (stop.at, index + 1);
        }
    }

    /// Passes over a value, or takes it, or goes into it.
    fn value(&mut self, start: usize, wanted: Option<Next<'p>>) -> Result<Stop, Refused> {
        if let (Some(Next::Deeper(path)), Some(Kind::Json)) = (wanted, scan::kind(self.json, start)) {
            let lookup = self.lookup;
            return lookup.nested(|| self.container(start, path));
        }
        let Some((value, end)) = self.at(start) else { return Ok(self.broken()) };
        let done = matches!(wanted, Some(Next::End | Next::Pipe(_)));
        if done {
            self.found = value;
        }
        Ok(Stop { at: end, done })
    }

    /// An item that is to be judged by a query.
    fn asked(
        &mut self,
        start: usize,
        query: &Query<'p>,
        next: Next<'p>,
        gathered: &mut Gathered,
    ) -> Result<Stop, Refused> {
        let Some((item, at)) = self.at(start) else { return Ok(self.broken()) };
        if !query.holds(self.lookup, &item)? {
            return Ok(Stop { at, done: false });
        }
        let found = match next {
            Next::Deeper(path) => {
                let (path, pipe) = split_pipe(path);
                self.pipe = pipe.or(self.pipe);
                self.lookup.get(&item.raw, path)?
            }
            Next::End | Next::Pipe(_) => item,
        };
        if query.all {
            gathered.push(self.lookup, &found)?;
        } else {
            self.found = found;
        }
        Ok(Stop { at, done: !query.all })
    }

    fn each(&self, start: usize, path: &[u8], gathered: &mut Gathered) -> Result<Stop, Refused> {
        let Some((item, at)) = self.at(start) else { return Ok(self.broken()) };
        let found = self.lookup.get(&item.raw, path)?;
        if found.exists() {
            gathered.push(self.lookup, &found)?;
        }
        Ok(Stop { at, done: false })
    }

    /// At the end of an array: whether everything has been found.
    fn close(&mut self, item: &Item<'p>, count: usize, gathered: Gathered) -> bool {
        match &item.what {
            What::Index(_) => false,
            What::Count => {
                self.found = Found { kind: Kind::Number, raw: Piece::made(count.to_string().into_bytes()) };
                true
            }
            What::Each(path) => {
                self.pipe = split_pipe(path).1.or(self.pipe);
                self.found = gathered.into_array();
                true
            }
            What::Query(query) => {
                if query.all && !self.found.exists() {
                    self.found = gathered.into_array();
                }
                false
            }
        }
    }

    /// The value that begins at a position, and where it ends.
    fn at(&self, start: usize) -> Option<(Found<'a>, usize)> {
        let kind = scan::kind(self.json, start)?;
        let end = scan::value_end(self.json, start)?;
        Some((Found { kind, raw: self.json.part(start..end) }, end))
    }

    const fn note(&mut self, next: Next<'p>) {
        if let Next::Pipe(rest) = next {
            self.pipe = Some(rest);
        }
    }

    /// The text ends within a text.
    fn broken(&self) -> Stop {
        Stop { at: self.json.len() + 1, done: false }
    }
}

/// Values that become an array.
#[derive(Default)]
struct Gathered(Vec<u8>);

impl Gathered {
    fn push(&mut self, lookup: &Lookup, found: &Found<'_>) -> Result<(), Refused> {
        if found.raw.is_empty() {
            return Ok(());
        }
        lookup.make(found.raw.len() + 1)?;
        self.0.push(if self.0.is_empty() { b'[' } else { b',' });
        self.0.extend_from_slice(&found.raw);
        Ok(())
    }

    fn into_array<'a>(self) -> Found<'a> {
        let mut array = self.0;
        if array.is_empty() {
            array.push(b'[');
        }
        array.push(b']');
        Found { kind: Kind::Json, raw: Piece::made(array) }
    }
}
