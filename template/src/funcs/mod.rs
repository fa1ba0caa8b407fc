//! The functions that templates may call, in one table.
//!
//! Each row carries Go's signature, so that the executor checks arity and types and words its complaints in one
//! place; the body then finds arguments of exactly those types.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::context::Context;
use crate::error::Message;
use crate::value::{Map, Value};

mod builtin;
mod cases;
mod compare;
mod crypto;
mod dates;
mod dicts;
mod encoding;
pub(crate) mod json;
mod lists;
mod math;
mod paths;
mod random;
mod regex;
mod semver;
mod strings;
mod types;
mod urls;
mod wrap;
mod yaml;

pub(crate) use encoding::base64_decoded;
pub(crate) use regex::Pattern;
pub(crate) use types::copied;

/// The methods of opaque values, by type.
pub(crate) mod methods {
    use super::{Function, dates, semver};

    pub(crate) const VERSION: &[Function] = semver::METHODS;
    pub(crate) const TIME: &[Function] = dates::TIME_METHODS;
    pub(crate) const DURATION: &[Function] = dates::DURATION_METHODS;
    pub(crate) const NONE: &[Function] = &[];
}

/// What the documentation and the checks need to know of one function.
#[derive(Clone, Copy)]
pub struct FunctionDoc {
    /// The name in templates.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    params: &'static [Type],
    rest: Option<Type>,
    result: Type,
}

impl FunctionDoc {
    /// The signature in Go's notation: `replace(string, string, string) string`.
    pub fn signature(&self) -> String {
        let rest = self.rest.map(|rest| format!("...{}", rest.name()));
        let params: Vec<String> = self.params.iter().map(|param| param.name().to_owned()).chain(rest).collect();
        format!("{}({}) {}", self.name, params.join(", "), self.result.name())
    }
}

/// All functions, sorted by name.
pub fn functions() -> impl Iterator<Item = &'static FunctionDoc> {
    let mut docs: Vec<&FunctionDoc> = TABLE.iter().flat_map(|rows| rows.iter()).map(|row| &row.doc).collect();
    docs.sort_by_key(|doc| doc.name);
    docs.into_iter()
}

/// The table, by subject.
const TABLE: &[&[Function]] = &[
    builtin::FUNCTIONS,
    cases::FUNCTIONS,
    compare::FUNCTIONS,
    crypto::AES,
    crypto::CERTIFICATES,
    crypto::PASSWORDS,
    dates::FUNCTIONS,
    dicts::FUNCTIONS,
    encoding::FUNCTIONS,
    json::FUNCTIONS,
    lists::FUNCTIONS,
    math::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
    regex::FUNCTIONS,
    semver::FUNCTIONS,
    strings::FUNCTIONS,
    types::FUNCTIONS,
    urls::FUNCTIONS,
    wrap::FUNCTIONS,
    yaml::FUNCTIONS,
];

/// The function of that name.
pub(crate) fn find(name: &[u8]) -> Option<&'static Function> {
    static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Function>> = LazyLock::new(|| {
        TABLE.iter().flat_map(|rows| rows.iter()).map(|function| (function.name.as_bytes(), function)).collect()
    });
    BY_NAME.get(name).copied()
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
            Self::Map => "map[string]interface {}",
            Self::StringMap => "map[string]string",
            Self::Object(name) => name,
        }
    }

    /// Whether nil is a value of the type.
    pub(crate) fn can_be_nil(self) -> bool {
        match self {
            Self::Any | Self::Reflect | Self::List | Self::Strings | Self::Ints | Self::Map | Self::StringMap => true,
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
    const fn new(name: &'static str, params: &'static [Type], result: Type, doc: &'static str, body: Body) -> Self {
        Self { doc: FunctionDoc { name, doc, params, rest: None, result }, body }
    }

    /// A function that takes any number of further arguments of one type.
    const fn variadic(
        name: &'static str,
        params: &'static [Type],
        rest: Type,
        result: Type,
        doc: &'static str,
        body: Body,
    ) -> Self {
        Self { doc: FunctionDoc { name, doc, params, rest: Some(rest), result }, body }
    }

    /// How many arguments must be given.
    pub(crate) fn required(&self) -> usize {
        self.doc.params.len()
    }

    pub(crate) fn is_variadic(&self) -> bool {
        self.doc.rest.is_some()
    }

    /// The type of the argument at `index`.
    pub(crate) fn param(&self, index: usize) -> Type {
        self.doc.params.get(index).copied().or(self.doc.rest).unwrap_or(Type::Any)
    }

    /// Whether the static type of the result says nothing about the value.
    pub(crate) fn returns_any(&self) -> bool {
        matches!(self.doc.result, Type::Any | Type::Reflect)
    }

    pub(crate) fn call(&self, context: &mut Context, args: Vec<Value>) -> Result<Value, Message> {
        (self.body)(context, &Args(args))
    }
}

/// The arguments of one call. Reading one as a type that the signature does not promise gives the empty value.
pub(crate) struct Args(Vec<Value>);

impl Args {
    pub(crate) fn all(&self) -> &[Value] {
        &self.0
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

    pub(crate) fn bool(&self, index: usize) -> bool {
        matches!(self.value(index), Value::Bool(true))
    }

    /// The map, or an empty one for nil.
    pub(crate) fn map(&self, index: usize) -> Map {
        match self.value(index) {
            Value::Map(map) => map.clone(),
            _ => Map::empty(),
        }
    }
}
