//! Go's text/template with sprig's functions, for Kubernetes Secrets.
//!
//! What enters is a template text and a map of byte strings; what leaves is a byte string, or an [`Error`] worded as
//! Go words it. Values are bytes throughout and need not be UTF-8. Templates are untrusted: every parse and render
//! stays within [`Limits`], and no input panics, recurses without bound or reaches outside the process.
//!
//! ```
//! use template::{Data, Limits, Options, Template};
//!
//! let template = Template::parse("url", b"postgres://{{ .user }}@db/{{ .name | default \"app\" }}", &Limits::default())?;
//! let data = Data::from_iter([("user", "bob"), ("name", "")]);
//! assert_eq!(template.render(&data, &Options::default())?, b"postgres://bob@db/app");
//! # Ok::<(), template::Error>(())
//! ```
#![forbid(unsafe_code)]

mod ast;
mod cast;
mod context;
mod data;
mod error;
mod exec;
mod fmt;
mod funcs;
mod lex;
mod limits;
mod number;
mod object;
mod parse;
mod semver;
mod template;
mod text;
mod time;
mod unquote;
mod url;
mod value;
mod yaml;

pub use data::Data;
pub use error::{Error, Phase, Position};
pub use funcs::{EXAMPLE_DATA, Example, FunctionDoc, Subject, functions, method_subjects, subjects};
pub use limits::{Delimiters, LimitError, Limits, MissingKey, NamedLimit, Options};
pub use template::{Template, check};
pub use yaml::{YamlError, yaml_texts};
