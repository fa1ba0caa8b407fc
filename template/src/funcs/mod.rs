//! The functions that templates may call, in one table.
//!
//! Each row carries Go's signature, so that the executor checks arity and types and words its complaints in one
//! place; the body then finds arguments of exactly those types.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use crate::context::Context;
use crate::error::Message;
use crate::value::{Map, Value};

use doc::{Doc, doc};

mod builtin;
mod cases;
mod certificates;
mod compare;
mod crypto;
mod dates;
mod dicts;
mod doc;
mod encoding;
pub(crate) mod json;
mod jwk;
mod lists;
mod math;
mod parts;
mod paths;
mod pkcs12;
mod random;
mod regex;
mod rsa;
mod semver;
mod strings;
mod types;
mod urls;
mod wrap;
mod yaml;

pub use doc::{EXAMPLE_DATA, Example, FunctionDoc, Subject, functions, method_subjects, subjects};
pub(crate) use encoding::{base64_decoded, hex};
pub(crate) use json::decode::Member;
pub(crate) use regex::Pattern;
pub(crate) use types::copied;

/// The methods of opaque values, by type.
pub(crate) mod methods {
    use super::{Function, dates, semver};

    pub(crate) const VERSION: &[Function] = semver::METHODS;
    pub(crate) const TIME: &[Function] = dates::TIME_METHODS;
    pub(crate) const TIME_ZONES: &[Function] = dates::ZONE_METHODS;
    pub(crate) const TIME_ENCODINGS: &[Function] = dates::ENCODING_METHODS;
    pub(crate) const LOCATION: &[Function] = dates::LOCATION_METHODS;
    pub(crate) const DURATION: &[Function] = dates::DURATION_METHODS;
    pub(crate) const NAMED_NUMBER: &[Function] = dates::NAMED_NUMBER_METHODS;
    /// Methods that Go declares on the pointer, so that a version returned by value has none of them.
    pub(crate) const VERSION_POINTER_ONLY: [&str; 7] =
        ["Original", "Compare", "Equal", "LessThan", "GreaterThan", "LessThanEqual", "GreaterThanEqual"];
}

/// The table, by subject.
const TABLE: &[Subject] = &[
    Subject::new("Conditions, defaults and types", types::FUNCTIONS),
    Subject::new("Comparison", compare::FUNCTIONS),
    Subject::new("Text", strings::FUNCTIONS),
    Subject::new("Splitting and joining", parts::FUNCTIONS),
    Subject::new("Upper and lower case", cases::FUNCTIONS),
    Subject::new("Line wrapping", wrap::FUNCTIONS),
    Subject::new("Printing, lengths and elements", builtin::FUNCTIONS),
    Subject::new("Encodings and checksums", encoding::FUNCTIONS),
    Subject::new("PEM and certificates", certificates::FUNCTIONS),
    Subject::new("PKCS#12", pkcs12::FUNCTIONS),
    Subject::new("JSON web keys", jwk::FUNCTIONS),
    Subject::new("Decryption", rsa::FUNCTIONS),
    Subject::new("JSON", json::FUNCTIONS),
    Subject::new("YAML", yaml::FUNCTIONS),
    Subject::new("Lists", lists::FUNCTIONS),
    Subject::new("Maps", dicts::FUNCTIONS),
    Subject::new("Numbers", math::FUNCTIONS),
    Subject::new("Random values", random::FUNCTIONS),
    Subject::new("Passwords", crypto::PASSWORDS),
    Subject::new("Encryption", crypto::AES),
    Subject::new("Private keys and certificates", crypto::CERTIFICATES),
    Subject::new("Regular expressions", regex::FUNCTIONS),
    Subject::new("Dates and durations", dates::FUNCTIONS),
    Subject::new("URLs", urls::FUNCTIONS),
    Subject::new("Paths", paths::FUNCTIONS),
    Subject::new("Semantic versions", semver::FUNCTIONS),
];

/// The methods of values, by the type they belong to.
const METHODS: &[Subject] = &[
    Subject::new("Methods of a time (`now`, `toDate`, `dateModify`)", dates::TIME_METHODS),
    Subject::new("Methods of a time about its zone", dates::ZONE_METHODS),
    Subject::new("Methods of a time that encode it", dates::ENCODING_METHODS),
    Subject::new("Methods of a zone (`.Location`)", dates::LOCATION_METHODS),
    Subject::new("Methods of a duration (`.Sub`)", dates::DURATION_METHODS),
    Subject::new("Methods of a month or weekday (`.Month`, `.Weekday`)", dates::NAMED_NUMBER_METHODS),
    Subject::new("Methods of a version (`semver`)", semver::METHODS),
];

/// The function of that name.
pub(crate) fn find(name: &[u8]) -> Option<&'static Function> {
    static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Function, BuildHasherDefault<NameHasher>>> =
        LazyLock::new(|| {
            TABLE.iter().flat_map(Subject::rows).map(|function| (function.name.as_bytes(), function)).collect()
        });
    BY_NAME.get(name).copied()
}

/// FNV-1a: several times faster on short names than the standard hash, whose defence against chosen keys a table that
/// never changes does not need.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The length of a name says nothing that the name does not say.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A Go type of a parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// `interface {}`
    Any,
    /// `reflect.Value`: like any, but an absent value is allowed to be absent.
    Reflect,
    Bool,
    Int,
    Int64,
    Uint32,
    Uint64,
    Float,
    Str,
    /// `[]interface {}`
    List,
    /// `[]string`
    Strings,
    /// `[]int`
    Ints,
    /// `[]uint8`
    Bytes,
    /// `map[string]interface {}`
    Map,
    /// `map[string]string`
    StringMap,
    /// An opaque Go type by its name.
    Object(&'static str),
}

impl Type {
    /// Go's name of the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float => "float64",
            Self::Str => "string",
            Self::List => "[]interface {}",
            Self::Strings => "[]string",
            Self::Ints => "[]int",
            Self::Bytes => "[]uint8",
            Self::Map => "map[string]interface {}",
            Self::StringMap => "map[string]string",
            Self::Object(name) => name,
        }
    }

    /// Whether nil is a value of the type.
    pub(crate) fn can_be_nil(self) -> bool {
        match self {
            Self::Any
            | Self::Reflect
            | Self::List
            | Self::Strings
            | Self::Ints
            | Self::Bytes
            | Self::Map
            | Self::StringMap => true,
            Self::Object(name) => name.starts_with('*'),
            Self::Bool | Self::Int | Self::Int64 | Self::Uint32 | Self::Uint64 | Self::Float | Self::Str => false,
        }
    }

    /// Whether a value may be given without conversion.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        matches!(self, Self::Any | Self::Reflect) || self.name() == value.type_name()
    }
}

/// What a function does. Arguments have the types of the signature.
pub(crate) type Body = fn(&mut Context, &Args) -> Result<Value, Message>;

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    doc: FunctionDoc,
    body: Body,
}

impl std::ops::Deref for Function {
    type Target = FunctionDoc;

    fn deref(&self) -> &FunctionDoc {
        &self.doc
    }
}

impl Function {
    /// A function with a fixed number of arguments.
    const fn new(name: &'static str, params: &'static [Type], result: Type, doc: Doc, body: Body) -> Self {
        Self { doc: FunctionDoc::new(name, doc, params, None, result), body }
    }

    /// A function that takes any number of further arguments of one type.
    const fn variadic(
        name: &'static str,
        params: &'static [Type],
        rest: Type,
        result: Type,
        doc: Doc,
        body: Body,
    ) -> Self {
        Self { doc: FunctionDoc::new(name, doc, params, Some(rest), result), body }
    }

    /// How many arguments must be given.
    pub(crate) fn required(&self) -> usize {
        self.doc.params().len()
    }

    pub(crate) fn is_variadic(&self) -> bool {
        self.doc.rest().is_some()
    }

    /// The type of the argument at `index`.
    pub(crate) fn param(&self, index: usize) -> Type {
        self.doc.params().get(index).copied().or(self.doc.rest()).unwrap_or(Type::Any)
    }

    /// Whether the static type of the result says nothing about the value.
    pub(crate) fn returns_any(&self) -> bool {
        matches!(self.doc.result(), Type::Any | Type::Reflect)
    }

    pub(crate) fn call(&self, context: &mut Context, args: &[Value]) -> Result<Value, Message> {
        (self.body)(context, &Args(args))
    }
}

/// The arguments of one call. Reading one as a type that the signature does not promise gives the empty value.
pub(crate) struct Args<'a>(&'a [Value]);

impl Args<'_> {
    pub(crate) fn all(&self) -> &[Value] {
        self.0
    }

    /// The arguments from `index` on.
    pub(crate) fn rest(&self, index: usize) -> &[Value] {
        self.0.get(index..).unwrap_or_default()
    }

    pub(crate) fn value(&self, index: usize) -> &Value {
        self.0.get(index).unwrap_or(&Value::Nil)
    }

    pub(crate) fn str(&self, index: usize) -> &[u8] {
        match self.value(index) {
            Value::Str(bytes) => bytes,
            _ => &[],
        }
    }

    pub(crate) fn int(&self, index: usize) -> i64 {
        match self.value(index) {
            Value::Int(_, value) => *value,
            _ => 0,
        }
    }

    pub(crate) fn u32(&self, index: usize) -> u32 {
        match self.value(index) {
            Value::Uint(_, value) => u32::try_from(*value).unwrap_or_default(),
            _ => 0,
        }
    }

    /// The bytes of a list of bytes; none for nil.
    pub(crate) fn bytes(&self, index: usize) -> Vec<u8> {
        match self.value(index) {
            Value::List(list) => list.bytes().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn bool(&self, index: usize) -> bool {
        matches!(self.value(index), Value::Bool(true))
    }

    /// The map, or Go's nil map for nil.
    pub(crate) fn map(&self, index: usize) -> Map {
        match self.value(index) {
            Value::Map(map) => map.clone(),
            _ => Map::nil(),
        }
    }
}
