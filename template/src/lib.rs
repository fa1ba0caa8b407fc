//! Go's text/template with sprig's functions, for Kubernetes Secrets.
//!
//! What enters is a template text and a map of byte strings; what leaves is a byte string, or an [`Error`] worded as
//! Go words it. The crate stands alone: it knows nothing of Kubernetes, and whoever renders untrusted templates can use
//! it.
//!
//! ```
//! use template::{Data, Limits, Options, Template};
//!
//! let template = Template::parse("url", b"postgres://{{ .user }}@db/{{ .name | default \"app\" }}", &Limits::default())?;
//! let data = Data::from_iter([("user", "bob"), ("name", "")]);
//! assert_eq!(template.render(&data, &Options::default())?, b"postgres://bob@db/app");
//! # Ok::<(), template::Error>(())
//! ```
//!
//! A [`Template`] is parsed once and rendered as often as needed, on any thread. [`check`] only parses, as admission
//! does. [`Options`] say what an absent key gives, what time `now` is, and what the render may cost.
//!
//! # Promises
//!
//! * Values are bytes throughout and need not be UTF-8.
//! * Output and error texts are those of Go 1.26 with the functions of External Secrets Operator 2.9, but for the
//!   differences below. The cases that Go rendered are in `tests/fixtures`; `tests/differential` asks Go itself.
//! * Every parse and render stays within [`Limits`], in time, memory and stack: nothing recurses or loops without
//!   being counted, and no input panics. A 2 MiB stack is enough for any limits that [`Limits::set`] accepts.
//! * Templates reach nothing outside the process but the randomness of the system: no files, environment or network.
//! * [`Error::redacted`], `Display` and `Debug` hold no value of the data, and [`Error::without_source`] no text of the
//!   template either.
//! * Data, the values made of it, the output as long as it is here, templates and exact error texts are overwritten in
//!   memory when they go; copies that libraries make for themselves are not.
//! * Rendering blocks the thread, at most for [`Limits::deadline`] and the call under way: run it where blocking is
//!   allowed. The longest call is `genPrivateKey "rsa"`, which nothing interrupts; [`Limits::expensive_calls`] lets one
//!   through by default, and says how long it takes.
//!
//! # Functions
//!
//! [`functions`] tells the name, signature, words and an example of each; `cargo run -p template --example docs` writes
//! them as a page, and a test compares every example with what it renders.
//!
//! # Differences from Go
//!
#![doc = include_str!("../docs/differences.md")]
#![forbid(unsafe_code)]

mod ast;
mod bytes;
mod cast;
mod category;
mod context;
mod data;
mod der;
mod error;
mod exec;
mod fmt;
mod funcs;
mod issue;
mod keys;
mod lex;
mod limits;
mod number;
mod object;
mod parse;
mod pem;
mod pkcs12;
mod semver;
mod template;
mod text;
mod time;
mod unquote;
mod url;
mod value;
mod x509;
mod yaml;

pub use data::Data;
pub use error::{Error, Phase, Position};
pub use funcs::{EXAMPLE_DATA, Example, FunctionDoc, Subject, functions, method_subjects, subjects};
pub use limits::{Delimiters, LimitError, Limits, MissingKey, NamedLimit, Options};
pub use template::{Template, check};
pub use yaml::{YamlError, yaml_json, yaml_texts};
