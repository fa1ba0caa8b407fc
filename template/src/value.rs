//! Values as Go has them: with static types, maps shared by reference, and byte strings.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::data::{Bytes, Data};
use crate::error::Message;

/// Lists and maps inside each other. Dropping and printing recurse, so this bounds the native stack they take.
pub(crate) const MAX_DEPTH: u32 = 200;

/// A value during a render.
#[derive(Clone)]
pub(crate) enum Value {
    /// No value, or nil in an interface.
    Nil,
    Bool(bool),
    Int(IntKind, i64),
    Uint(UintKind, u64),
    Float(f64),
    /// Real and imaginary part. Templates can write and print such a number, nothing computes with it.
    Complex(f64, f64),
    Str(Bytes),
    List(List),
    Map(Map),
    Object(Rc<crate::object::Object>),
}

/// Signed integer types of Go that occur.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntKind {
    Int,
    Int64,
}

/// Unsigned integer types of Go that occur.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UintKind {
    Uint8,
    Uint64,
}

/// The element type of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elem {
    Any,
    Str,
    Int,
    /// `uint8`: what methods encode, which Go shows as text in many places.
    Byte,
    /// `[]interface {}`, the chunks of `chunk`.
    List,
}

/// An immutable list.
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) elem: Elem,
    items: Rc<Vec<Value>>,
    /// From 1; 0 for a list that is nil, which has no items either.
    depth: u32,
}

/// A map that all its owners see change.
#[derive(Clone)]
pub(crate) struct Map(Entries);

#[derive(Clone)]
enum Entries {
    /// `map[string]string`, which no function changes.
    Strings(Arc<BTreeMap<Bytes, Bytes>>),
    /// `map[string]interface {}`
    Any(Rc<AnyMap>),
}

struct AnyMap {
    entries: RefCell<BTreeMap<Bytes, Value>>,
    /// From 1; 0 for a map that is nil, until it is given an entry.
    depth: Cell<u32>,
}

impl Value {
    pub(crate) fn int(value: i64) -> Self {
        Self::Int(IntKind::Int, value)
    }

    pub(crate) fn int64(value: i64) -> Self {
        Self::Int(IntKind::Int64, value)
    }

    /// The length of something, which Go counts in `int`.
    pub(crate) fn length(length: usize) -> Self {
        Self::int(i64::try_from(length).unwrap_or(i64::MAX))
    }

    pub(crate) fn str(bytes: impl Into<Bytes>) -> Self {
        Self::Str(bytes.into())
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Str(text.as_bytes().into())
    }

    /// Go's name of the type, as `%T` prints it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(IntKind::Int, _) => "int",
            Self::Int(IntKind::Int64, _) => "int64",
            Self::Uint(UintKind::Uint8, _) => "uint8",
            Self::Uint(UintKind::Uint64, _) => "uint64",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Str(_) => "string",
            Self::List(list) => list.type_name(),
            Self::Map(map) => map.type_name(),
            Self::Object(object) => object.type_name(),
        }
    }

    /// Go's name of the kind.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Object(object) => object.kind_name(),
            other => other.type_name(),
        }
    }

    /// What `if` makes of the value.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(_, value) => *value != 0,
            Self::Uint(_, value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::Str(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.is_true(),
        }
    }

    fn depth(&self) -> u32 {
        match self {
            Self::List(list) => list.depth.max(1),
            Self::Map(map) => map.depth().max(1),
            _ => 0,
        }
    }
}

impl List {
    /// A list of `items`; fails when they nest too deep.
    pub(crate) fn new(elem: Elem, items: Vec<Value>) -> Result<Self, Message> {
        let depth = depth_over(items.iter())?;
        Ok(Self { elem, items: Rc::new(items), depth })
    }

    /// A list of strings.
    pub(crate) fn of_strings<T: Into<Bytes>>(items: impl IntoIterator<Item = T>) -> Self {
        Self { elem: Elem::Str, items: Rc::new(items.into_iter().map(Value::str).collect()), depth: 1 }
    }

    /// A list of `int`.
    pub(crate) fn of_ints(items: impl IntoIterator<Item = i64>) -> Self {
        Self { elem: Elem::Int, items: Rc::new(items.into_iter().map(Value::int).collect()), depth: 1 }
    }

    /// A list of `uint8`.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let byte = |byte: &u8| Value::Uint(UintKind::Uint8, u64::from(*byte));
        Self { elem: Elem::Byte, items: Rc::new(bytes.iter().map(byte).collect()), depth: 1 }
    }

    /// The bytes of a list of `uint8`; none of any other list.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let byte = |item: &Value| match item {
            Value::Uint(_, byte) => u8::try_from(*byte).ok(),
            _ => None,
        };
        if self.elem == Elem::Byte { self.items.iter().map(byte).collect() } else { None }
    }

    /// Go's nil for a list: empty, and null in JSON.
    pub(crate) fn nil(elem: Elem) -> Self {
        Self { elem, items: Rc::default(), depth: 0 }
    }

    pub(crate) fn is_nil(&self) -> bool {
        self.depth == 0
    }

    pub(crate) fn items(&self) -> &[Value] {
        &self.items
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self.elem {
            Elem::Any => "[]interface {}",
            Elem::Str => "[]string",
            Elem::Int => "[]int",
            Elem::Byte => "[]uint8",
            Elem::List => "[][]interface {}",
        }
    }
}

impl Map {
    /// A map of `interface {}`; fails when the values nest too deep.
    pub(crate) fn new(entries: BTreeMap<Bytes, Value>) -> Result<Self, Message> {
        let depth = Cell::new(depth_over(entries.values())?);
        Ok(Self(Entries::Any(Rc::new(AnyMap { entries: RefCell::new(entries), depth }))))
    }

    /// An empty map of `interface {}`.
    pub(crate) fn empty() -> Self {
        Self(Entries::Any(Rc::new(AnyMap { entries: RefCell::default(), depth: Cell::new(1) })))
    }

    /// Go's nil for a map: empty, and null in JSON.
    pub(crate) fn nil() -> Self {
        Self(Entries::Any(Rc::new(AnyMap { entries: RefCell::default(), depth: Cell::new(0) })))
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(&self.0, Entries::Any(any) if any.depth.get() == 0)
    }

    /// A map of strings.
    pub(crate) fn of_strings(entries: impl IntoIterator<Item = (Bytes, Bytes)>) -> Self {
        Self(Entries::Strings(Arc::new(entries.into_iter().collect())))
    }

    /// The map at the dot.
    pub(crate) fn of_data(data: &Data) -> Self {
        Self(Entries::Strings(data.shared()))
    }

    /// Whether the elements are strings by type (`map[string]string`) instead of `interface {}`.
    pub(crate) fn has_strings(&self) -> bool {
        matches!(self.0, Entries::Strings(_))
    }

    pub(crate) fn type_name(&self) -> &'static str {
        if self.has_strings() { "map[string]string" } else { "map[string]interface {}" }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Entries::Strings(strings) => strings.len(),
            Entries::Any(any) => any.entries.borrow().len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<Value> {
        match &self.0 {
            Entries::Strings(strings) => strings.get(key).cloned().map(Value::Str),
            Entries::Any(any) => any.entries.borrow().get(key).cloned(),
        }
    }

    /// The entries as they are now, sorted by key. A copy, because the map may change while it is visited.
    pub(crate) fn entries(&self) -> Vec<(Bytes, Value)> {
        match &self.0 {
            Entries::Strings(strings) => {
                strings.iter().map(|(key, value)| (key.clone(), Value::Str(value.clone()))).collect()
            }
            Entries::Any(any) => any.entries.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }

    /// Stores a value; fails when it nests too deep. The caller keeps the map from leaking through a cycle. Signatures
    /// keep maps of strings away from functions that store.
    pub(crate) fn insert(&self, key: Bytes, value: Value) -> Result<(), Message> {
        let Entries::Any(any) = &self.0 else { return Err("a map of strings cannot be changed".into()) };
        let depth = value.depth() + 1;
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        any.depth.set(any.depth.get().max(depth));
        any.entries.borrow_mut().insert(key, value);
        Ok(())
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        if let Entries::Any(any) = &self.0 {
            any.entries.borrow_mut().remove(key);
        }
    }

    /// Takes all entries out, which opens a cycle that runs through this map.
    pub(crate) fn clear(&self) {
        if let Entries::Any(any) = &self.0 {
            let entries = std::mem::take(&mut *any.entries.borrow_mut());
            drop(entries);
        }
    }

    /// Whether both are the same map, not merely equal.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Entries::Strings(one), Entries::Strings(other)) => Arc::ptr_eq(one, other),
            (Entries::Any(one), Entries::Any(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn depth(&self) -> u32 {
        match &self.0 {
            Entries::Strings(_) => 1,
            Entries::Any(any) => any.depth.get(),
        }
    }
}

fn depth_over<'v>(values: impl Iterator<Item = &'v Value>) -> Result<u32, Message> {
    let depth = 1 + values.map(Value::depth).max().unwrap_or(0);
    if depth > MAX_DEPTH { Err(too_deep()) } else { Ok(depth) }
}

/// The refusal of a value that nests more than [`MAX_DEPTH`] times.
pub(crate) fn too_deep() -> Message {
    Message::ours(format!("lists and maps nest more than {MAX_DEPTH} deep; use a flatter structure"))
}
