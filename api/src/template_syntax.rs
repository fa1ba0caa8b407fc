//! Whether texts are templates, for admission and reconcile alike.
//!
//! Enters: a text and where it stands in the spec. Leaves: the parsed template, or a [`Problem`] that names the line,
//! the mistake and, for a function that does not exist, the one that was most likely meant. The same text is refused in
//! the same words by whoever asks, as long as both have the same [`Syntax`].

use std::str::FromStr;

use template::{Delimiters, Limits, Template};

use crate::external_secret::{ExternalSecretSpec, RewriteOperation, Template as Shape};
use crate::nearest::nearest;
use crate::problem::Problem;

/// The name of the template of a rewrite, in errors.
pub const TRANSFORM: &str = "transform";

/// The name of a template without a key of its own, in errors.
pub const LITERAL: &str = "literal";

/// Said with errors of templates that are secret themselves.
pub const UNQUOTED: &str = "correct the template, which is not quoted because it is in a Secret";

/// How templates are marked, and what they may cost: set by flags, which must be equal in controller and webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Syntax {
    /// The marks around an action.
    pub delimiters: Delimiters,
    /// Bounds on parsing and rendering.
    pub limits: Limits,
}

/// A template as it stands in a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// Where, such as `spec.target.template.data[url]`.
    pub path: String,
    /// What its errors call it.
    pub name: &'a str,
    /// The template.
    pub text: &'a str,
}

/// One limit with its value, as flags write it: `steps=1000000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    name: String,
    value: String,
}

impl FromStr for Limit {
    type Err = String;

    /// # Errors
    /// No limit of that name, or no value that it can have: says what can be written instead.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as steps=1000000")?;
        Limits::default().set(name, value).map_err(|error| error.to_string())?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl Syntax {
    /// These marks, an empty one meaning the usual `{{` or `}}`, and the usual limits with these changes.
    pub fn new(left: &str, right: &str, changes: &[Limit]) -> Self {
        let mut limits = Limits::default();
        for limit in changes {
            // Cannot fail: it was tried when the limit was read.
            let _ = limits.set(&limit.name, &limit.value);
        }
        Self { delimiters: Delimiters::new(left, right), limits }
    }

    /// Parses one template.
    ///
    /// # Errors
    /// What is wrong with it, without a path. Quotes the template.
    pub fn parse(&self, name: &str, text: &[u8]) -> Result<Template, Problem> {
        Template::parse_with(name, text, &self.delimiters, &self.limits).map_err(|error| fault(name, error.redacted()))
    }

    /// Parses a template that is secret itself.
    ///
    /// # Errors
    /// What is wrong with it, without a path and without a word of it.
    pub fn parse_secret(&self, name: &str, text: &[u8]) -> Result<Template, Problem> {
        Template::parse_with(name, text, &self.delimiters, &self.limits)
            .map_err(|error| Problem::new("", error.without_source(), UNQUOTED))
    }

    /// What is wrong with each template of a spec. Those in ConfigMaps and Secrets are not looked up.
    pub fn problems(&self, spec: &ExternalSecretSpec) -> Vec<Problem> {
        let problem = |text: Text<'_>| Some(self.parse(text.name, text.text.as_bytes()).err()?.under(&text.path));
        texts(spec).into_iter().filter_map(problem).collect()
    }
}

/// Every template of a spec that stands in the spec itself.
pub fn texts(spec: &ExternalSecretSpec) -> Vec<Text<'_>> {
    let mut texts: Vec<_> = spec
        .data_from
        .iter()
        .enumerate()
        .flat_map(|(index, entry)| {
            entry.rewrite.iter().enumerate().filter_map(move |(position, rewrite)| {
                let RewriteOperation::Transform(transform) = rewrite.operation()? else { return None };
                let path = format!("spec.dataFrom[{index}].rewrite[{position}].transform.template");
                Some(Text { path, name: TRANSFORM, text: &transform.template })
            })
        })
        .collect();
    texts.extend(spec.target.template.iter().flat_map(of_target));
    texts
}

fn of_target(shape: &Shape) -> impl Iterator<Item = Text<'_>> {
    const PATH: &str = "spec.target.template";
    let maps = [
        ("data", &shape.data),
        ("metadata.labels", &shape.metadata.labels),
        ("metadata.annotations", &shape.metadata.annotations),
    ];
    let keyed = maps.into_iter().flat_map(|(field, texts)| {
        texts.iter().map(move |(key, text)| Text { path: format!("{PATH}.{field}[{key}]"), name: key, text })
    });
    let literals = shape.template_from.iter().enumerate().filter_map(|(index, source)| {
        let path = format!("{PATH}.templateFrom[{index}].literal");
        Some(Text { path, name: LITERAL, text: source.literal.as_deref()? })
    });
    keyed.chain(literals)
}

/// Words that are no functions and yet stand where one is expected when they are misspelt.
const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// The error of the engine, `template: NAME:LINE: MISTAKE`, as a problem. The path will name the template already.
fn fault(name: &str, error: &str) -> Problem {
    let rest = error.strip_prefix("template: ").and_then(|rest| rest.strip_prefix(name)?.strip_prefix(':'));
    let what = rest.map_or_else(|| error.to_owned(), |rest| format!("line {rest}"));
    let unknown = what.strip_suffix("\" not defined").and_then(|what| what.split_once("function \""));
    let advice = match unknown {
        None => "correct the template".to_owned(),
        Some((_, unknown)) => {
            let known = template::functions().map(|function| function.name).chain(KEYWORDS);
            nearest(unknown, known).map_or_else(
                || "docs/templates.md lists the functions there are".to_owned(),
                |meant| format!("did you mean \"{meant}\""),
            )
        }
    };
    Problem::new("", what, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Syntax::default().parse("a: b", text.as_bytes()).expect_err("refused").to_string()
    }

    #[test]
    fn unknown_function_is_told_with_its_line_and_what_was_meant() {
        assert_eq!(
            refusal("one\ntwo\n{{ .a | b64encode }}"),
            "line 3: function \"b64encode\" not defined; did you mean \"b64enc\""
        );
        assert_eq!(refusal("{{ uper .a }}"), "line 1: function \"uper\" not defined; did you mean \"upper\"");
        assert_eq!(refusal("{{ pritnf .a }}"), "line 1: function \"pritnf\" not defined; did you mean \"printf\"");
        assert_eq!(refusal("{{ esle }}"), "line 1: function \"esle\" not defined; did you mean \"else\"");
    }

    #[test]
    fn function_unlike_any_other_is_told_without_a_guess() {
        assert_eq!(
            refusal("{{ getHostByNameOrAddress .a }}"),
            "line 1: function \"getHostByNameOrAddress\" not defined; docs/templates.md lists the functions there are"
        );
    }

    #[test]
    fn other_mistakes_are_told_with_their_line() {
        assert_eq!(refusal("\n{{ if .a }}"), "line 2: unexpected EOF; correct the template");
    }

    #[test]
    fn template_from_a_secret_is_not_quoted() {
        let refusal = Syntax::default().parse_secret("t", b"\n{{ hunter2 }}").expect_err("refused").to_string();
        assert!(refusal.starts_with("line 2: ") && refusal.ends_with(UNQUOTED), "{refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn delimiters_of_the_operator_are_the_only_ones() {
        let syntax = Syntax::new("<<", ">>", &[]);
        assert!(syntax.parse("a", b"{{ this is text }}").is_ok());
        assert!(syntax.parse("a", b"<< nosuch >>").is_err());
    }

    #[test]
    fn limit_that_does_not_exist_or_cannot_be_is_refused_with_what_can() {
        for (text, part) in [("steps", "NAME=VALUE"), ("step=1", "steps"), ("steps=many", "steps"), ("steps=0", "1")] {
            let refusal = text.parse::<Limit>().expect_err(text);
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }

    #[test]
    fn limits_of_the_operator_hold_on_parsing() {
        let syntax = Syntax::new("", "", &["text_bytes=3".parse().expect("a limit")]);
        let refusal = syntax.parse("a", b"four").expect_err("refused").to_string();
        assert_eq!(refusal, "line 1: template is longer than 3 bytes; split it; correct the template");
    }
}
