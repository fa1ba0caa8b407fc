//! What the documentation says of each function, with an example that the tests render.
//!
//! A row of the table cannot be made without a [`Doc`], so no function is without one.

use super::{Function, METHODS, TABLE, Type};

/// What all examples work on.
pub const EXAMPLE_DATA: &[(&str, &str)] = &[
    ("user", "app"),
    ("password", r#"p@ss&"w0rd""#),
    ("host", "db.example.com"),
    ("port", "5432"),
    ("hosts", "db-1.example.com,db-2.example.com,db-1.example.com"),
    ("token", "  tok-42\n"),
    ("encoded", "aHVudGVyMg=="),
    ("empty", ""),
    ("json", r#"{"db":{"user":"app","port":5432},"tags":["blue","green"],"expires":null}"#),
    ("yaml", "db:\n  user: app\n  port: 5432\n"),
    ("url", "https://app:pw@db.example.com:8443/v1/keys?ttl=30#top"),
    ("version", "v1.24.3-rc.1"),
    ("created", "2026-03-01T10:30:00Z"),
    // A certificate of nobody; its key is gone.
    (
        "tls.crt",
        "-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUbkYE29sLyvyQe14hNUPgvuaPVB4wCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDYXBwMCAXDTI2MTEyMjA3NTMwMloYDzIxMjYxMDI5MDc1MzAy
WjAOMQwwCgYDVQQDDANhcHAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT3mNhi
1PppLm3OKFq+ORhlfxIfwnOBg1zOEo+Kv5/dXI/QFgx/BF7DHEyc/rxQQjSuva3X
KU2F6aeExtUWMHfpo3UwczAdBgNVHQ4EFgQUTjh6jBWLyYVsm6tqb69WWxzqWMsw
HwYDVR0jBBgwFoAUTjh6jBWLyYVsm6tqb69WWxzqWMswDwYDVR0TAQH/BAUwAwEB
/zAgBgNVHREEGTAXgg9hcHAuZXhhbXBsZS5jb22HBAoAAAcwCgYIKoZIzj0EAwID
RwAwRAIgIJs+jTNiUiioPLy7Pku/IxReMnh3S3wk1D32tJfD4qQCIBHsutVy/Rxh
JzsaWWnAeb/MAFhkkgOGtHk54DjRGxdh
-----END CERTIFICATE-----
",
    ),
];

/// One use of a function and what it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text of a template over [`EXAMPLE_DATA`].
    pub template: &'static str,
    /// The text that it renders, the same each time.
    pub output: &'static str,
}

/// What the documentation and the checks need to know of one function.
#[derive(Clone, Copy)]
pub struct FunctionDoc {
    /// The name in templates.
    pub name: &'static str,
    /// What it gives, when it fails, and in which order it takes its arguments where that surprises. Markdown.
    pub doc: &'static str,
    /// A use of it.
    pub example: Example,
    params: &'static [Type],
    rest: Option<Type>,
    result: Type,
}

impl FunctionDoc {
    pub(super) const fn new(
        name: &'static str,
        doc: Doc,
        params: &'static [Type],
        rest: Option<Type>,
        result: Type,
    ) -> Self {
        Self { name, doc: doc.text, example: doc.example, params, rest, result }
    }

    /// The signature in Go's notation: `replace(string, string, string) string`.
    pub fn signature(&self) -> String {
        let rest = self.rest.map(|rest| format!("...{}", rest.name()));
        let params: Vec<String> = self.params.iter().map(|param| param.name().to_owned()).chain(rest).collect();
        format!("{}({}) {}", self.name, params.join(", "), self.result.name())
    }

    pub(super) fn params(&self) -> &'static [Type] {
        self.params
    }

    pub(super) fn rest(&self) -> Option<Type> {
        self.rest
    }

    pub(super) fn result(&self) -> Type {
        self.result
    }
}

/// The words of a row.
#[derive(Clone, Copy)]
pub(super) struct Doc {
    text: &'static str,
    example: Example,
}

/// The words of a row: what a function does, a template that uses it, and what that renders.
pub(super) const fn doc(text: &'static str, template: &'static str, output: &'static str) -> Doc {
    Doc { text, example: Example { template, output } }
}

/// Functions that belong together.
#[derive(Clone, Copy)]
pub struct Subject {
    /// A headline.
    pub title: &'static str,
    rows: &'static [Function],
}

impl Subject {
    pub(super) const fn new(title: &'static str, rows: &'static [Function]) -> Self {
        Self { title, rows }
    }

    /// The functions, in the order in which they are best read.
    pub fn functions(&self) -> impl Iterator<Item = &'static FunctionDoc> + use<> {
        self.rows.iter().map(|row| &row.doc)
    }

    pub(super) fn rows(&self) -> std::slice::Iter<'static, Function> {
        self.rows.iter()
    }
}

/// All functions by subject.
pub fn subjects() -> impl Iterator<Item = &'static Subject> {
    TABLE.iter()
}

/// The methods that values of opaque types have, by type. Their first example argument is the value itself.
pub fn method_subjects() -> impl Iterator<Item = &'static Subject> {
    METHODS.iter()
}

/// All functions, sorted by name.
pub fn functions() -> impl Iterator<Item = &'static FunctionDoc> {
    let mut docs: Vec<&FunctionDoc> = subjects().flat_map(Subject::functions).collect();
    docs.sort_by_key(|doc| doc.name);
    docs.into_iter()
}
