//! Modifiers: functions that a path applies to a value, `@name` or `@name:argument`.

use zeroize::Zeroizing;

use super::{
    Lookup, Refused,
    path::Call,
    piece::{Found, Kind, Piece},
    pretty, query, scan, text,
};
use crate::provider::json::Json;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Name {
    Dig,
    Flatten,
    FromStr,
    Group,
    Join,
    Keys,
    Pretty,
    Reverse,
    This,
    ToStr,
    Ugly,
    Valid,
    Values,
}

impl Name {
    pub fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"dig" => Self::Dig,
            b"flatten" => Self::Flatten,
            b"fromstr" => Self::FromStr,
            b"group" => Self::Group,
            b"join" => Self::Join,
            b"keys" => Self::Keys,
            b"pretty" => Self::Pretty,
            b"reverse" => Self::Reverse,
            b"this" => Self::This,
            b"tostr" => Self::ToStr,
            b"ugly" => Self::Ugly,
            b"valid" => Self::Valid,
            b"values" => Self::Values,
            _ => return None,
        })
    }
}

/// What a modifier makes of a value; of what it does not apply to, the value itself or nothing.
pub fn apply<'a>(lookup: &Lookup, call: &Call<'_>, json: &Piece<'a>) -> Result<Piece<'a>, Refused> {
    lookup.step(json.len())?;
    let value = Found::of(json);
    let stays = match call.name {
        Name::This => true,
        Name::Valid => Json::parse(json).is_ok(),
        Name::Values => is_array(&value),
        Name::Reverse => value.kind != Kind::Json,
        Name::Flatten | Name::Join => !is_array(&value),
        _ => false,
    };
    if stays {
        return Ok(json.clone());
    }
    let mut out = Output { lookup, bytes: Vec::new() };
    out.write(call, json, &value)?;
    Ok(Piece::made(out.bytes))
}

fn is_array(value: &Found<'_>) -> bool {
    value.kind == Kind::Json && value.raw.first() == Some(&b'[')
}

fn is_object(value: &Found<'_>) -> bool {
    value.kind == Kind::Json && value.raw.first() == Some(&b'{')
}

/// A member of a modifier's argument; the last one of that name.
pub fn option<'p>(argument: &'p [u8], name: &[u8]) -> Option<Found<'p>> {
    let argument = Found::of(&Piece::from(argument));
    if !is_object(&argument) {
        return None;
    }
    let members = scan::members(&argument.raw);
    let named = members.filter(|(key, _)| argument.raw.get(key.clone()).is_some_and(|key| text::unquoted(key) == name));
    named.last().map(|(_, value)| Found::of(&argument.raw.part(value)))
}

pub fn is_true(value: &Found<'_>) -> bool {
    match value.kind {
        Kind::True => true,
        Kind::Number => query::float(&value.raw) != 0.0,
        Kind::Text => matches!(value.plain().to_ascii_lowercase().as_slice(), b"1" | b"t" | b"true"),
        Kind::Null | Kind::False | Kind::Json => false,
    }
}

/// What a modifier writes.
struct Output<'l> {
    lookup: &'l Lookup,
    bytes: Vec<u8>,
}

impl Output<'_> {
    fn write(&mut self, call: &Call<'_>, json: &Piece<'_>, value: &Found<'_>) -> Result<(), Refused> {
        let is_set = |name: &[u8]| option(call.argument, name).is_some_and(|value| is_true(&value));
        match call.name {
            Name::ToStr => {
                // Six bytes for one that is escaped.
                self.lookup.make(json.len().saturating_mul(6))?;
                text::quote(&mut self.bytes, json);
                Ok(())
            }
            Name::FromStr if Json::parse(json).is_ok() => self.push(&value.plain()),
            Name::Ugly => self.ugly(json),
            Name::Pretty => {
                let pretty = pretty::pretty(self.lookup, json, &pretty::Options::new(call.argument))?;
                self.push(&pretty)
            }
            Name::Keys => self.keys(value),
            Name::Values => self.values(value),
            Name::Dig => {
                self.push(b"[")?;
                self.dig(value, call.argument)?;
                self.push(b"]")
            }
            Name::Group if is_object(value) => self.group(value),
            // What is no JSON, or no object, becomes nothing.
            Name::FromStr | Name::Group | Name::This | Name::Valid => Ok(()),
            Name::Reverse => self.reverse(value),
            Name::Flatten => self.flatten(value, is_set(b"deep")),
            Name::Join => self.join(value, is_set(b"preserve")),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.lookup.make(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// A comma, unless what is written ends in an opening bracket.
    fn separate(&mut self) -> Result<(), Refused> {
        if matches!(self.bytes.last(), Some(b'[' | b'{')) { Ok(()) } else { self.push(b",") }
    }

    /// Without white space between values.
    fn ugly(&mut self, json: &[u8]) -> Result<(), Refused> {
        let mut at = 0;
        while let Some(byte) = json.get(at) {
            let end = if *byte == b'"' { scan::string_end(json, at).unwrap_or(json.len()) } else { at + 1 };
            if *byte > b' ' {
                self.push(json.get(at..end).unwrap_or_default())?;
            }
            at = end;
        }
        Ok(())
    }

    fn keys(&mut self, value: &Found<'_>) -> Result<(), Refused> {
        self.push(b"[")?;
        if is_object(value) {
            for (key, _) in scan::members(&value.raw) {
                self.item(&value.raw, key)?;
            }
        } else {
            let count = if is_array(value) { scan::items(&value.raw).count() } else { usize::from(value.exists()) };
            for _ in 0..count {
                self.separate()?;
                self.push(b"null")?;
            }
        }
        self.push(b"]")
    }

    fn values(&mut self, value: &Found<'_>) -> Result<(), Refused> {
        self.push(b"[")?;
        if is_object(value) {
            for (_, member) in scan::members(&value.raw) {
                self.item(&value.raw, member)?;
            }
        } else {
            self.push(&value.raw)?;
        }
        self.push(b"]")
    }

    fn reverse(&mut self, value: &Found<'_>) -> Result<(), Refused> {
        if is_array(value) {
            self.push(b"[")?;
            for item in backwards(scan::items(&value.raw)) {
                self.item(&value.raw, item)?;
            }
            return self.push(b"]");
        }
        self.push(b"{")?;
        for (key, member) in backwards(scan::members(&value.raw)) {
            self.member(&value.raw.part(key), &value.raw.part(member))?;
        }
        self.push(b"}")
    }

    /// An array with the items of its arrays in their place.
    fn flatten(&mut self, value: &Found<'_>, deep: bool) -> Result<(), Refused> {
        self.push(b"[")?;
        self.flatten_items(value, deep)?;
        self.push(b"]")
    }

    fn flatten_items(&mut self, value: &Found<'_>, deep: bool) -> Result<(), Refused> {
        self.lookup.step(value.raw.len())?;
        for item in scan::items(&value.raw) {
            let item = Found::of(&value.raw.part(item));
            if is_array(&item) && deep {
                let lookup = self.lookup;
                lookup.nested(|| self.flatten_items(&item, deep))?;
                continue;
            }
            let text = if is_array(&item) { inside(&item.raw).trim_ascii() } else { &item.raw };
            if !text.is_empty() {
                self.separate()?;
                self.push(text)?;
            }
        }
        Ok(())
    }

    /// The objects of an array as one.
    fn join(&mut self, value: &Found<'_>, preserve: bool) -> Result<(), Refused> {
        self.push(b"{")?;
        let objects = scan::items(&value.raw).map(|item| Found::of(&value.raw.part(item))).filter(is_object);
        if preserve {
            for (index, object) in objects.enumerate() {
                // An empty object leaves its comma, in Go too.
                self.push(if index > 0 { b"," } else { b"" })?;
                self.push(inside(&object.raw))?;
            }
            return self.push(b"}");
        }
        // Keys where they stand first, with what stands last.
        let (mut order, mut latest) = (Vec::new(), std::collections::HashMap::new());
        for object in objects {
            for (key, member) in scan::members(&object.raw) {
                let key = object.raw.part(key);
                let name = text::unquoted(&key);
                if latest.insert(name.clone(), object.raw.part(member)).is_none() {
                    order.push((name, key));
                }
            }
        }
        for (name, key) in order {
            if let Some(member) = latest.get(&name) {
                self.member(&key, member)?;
            }
        }
        self.push(b"}")
    }

    /// An object of arrays as an array of objects.
    fn group(&mut self, value: &Found<'_>) -> Result<(), Refused> {
        let mut objects: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for (key, member) in scan::members(&value.raw) {
            let (key, member) = (value.raw.part(key), Found::of(&value.raw.part(member)));
            if !is_array(&member) {
                continue;
            }
            for (index, item) in scan::items(&member.raw).enumerate() {
                let item = member.raw.part(item);
                self.lookup.make(key.len() + item.len() + 2)?;
                if index == objects.len() {
                    objects.push(Zeroizing::default());
                }
                let Some(object) = objects.get_mut(index) else { continue };
                let separator = if object.is_empty() { b'{' } else { b',' };
                object.push(separator);
                object.extend_from_slice(&key);
                object.push(b':');
                object.extend_from_slice(&item);
            }
        }
        self.push(b"[")?;
        for object in objects {
            self.separate()?;
            self.push(&object)?;
            self.push(b"}")?;
        }
        self.push(b"]")
    }

    /// What a path selects of a value, and of every value within it.
    fn dig(&mut self, value: &Found<'_>, path: &[u8]) -> Result<(), Refused> {
        let found = self.lookup.get(&value.raw, path)?;
        if found.exists() {
            self.separate()?;
            self.push(&found.raw)?;
        }
        if value.kind != Kind::Json {
            return Ok(());
        }
        let lookup = self.lookup;
        lookup.nested(|| {
            let inner: Box<dyn Iterator<Item = _>> = if is_array(value) {
                Box::new(scan::items(&value.raw))
            } else {
                Box::new(scan::members(&value.raw).map(|(_, member)| member))
            };
            for item in inner {
                self.dig(&Found::of(&value.raw.part(item)), path)?;
            }
            Ok(())
        })
    }

    fn item(&mut self, json: &Piece<'_>, range: std::ops::Range<usize>) -> Result<(), Refused> {
        self.separate()?;
        self.push(&json.part(range))
    }

    fn member(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.separate()?;
        self.push(key)?;
        self.push(b":")?;
        self.push(value)
    }
}

/// What stands between a value's brackets.
fn inside(raw: &[u8]) -> &[u8] {
    let raw = raw.trim_ascii();
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

fn backwards<T>(items: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let mut items: Vec<_> = items.collect();
    items.reverse();
    items.into_iter()
}
