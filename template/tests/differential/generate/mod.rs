//! Random templates that mostly make sense, so that they get far.

use std::collections::BTreeMap;

use crate::functions::{Function, Want, table};
use crate::oracle::Case;
use crate::pools::{Flavour, text};
use crate::random::Random;

mod expressions;
mod literals;
mod statements;

/// The entries of the data, by what they hold.
const FIELDS: &[(&str, Flavour)] = &[
    ("text", Flavour::Words),
    ("other", Flavour::Words),
    ("json", Flavour::Json),
    ("yaml", Flavour::Yaml),
    ("num", Flavour::Number),
    ("date", Flavour::Date),
    ("ver", Flavour::Version),
    ("url", Flavour::Url),
    ("b64", Flavour::Base64),
    ("re", Flavour::Regex),
    ("key", Flavour::Key),
    ("format", Flavour::Format),
];

/// Makes cases from one source of randomness.
pub struct Generator<'r> {
    random: &'r mut Random,
    functions: &'r [Function],
    out: Vec<u8>,
    variables: Vec<(String, Want)>,
    names: usize,
    loops: usize,
    blocks: usize,
    templates: Vec<String>,
}

/// The functions that a generator draws from; made once.
pub fn functions() -> Vec<Function> {
    table()
}

/// One case.
pub fn case(random: &mut Random, functions: &[Function]) -> Case {
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is of one lifetime only")]
    case_of(random, functions, |generator| generator.template())
}

fn case_of(random: &mut Random, functions: &[Function], fill: impl Fn(&mut Generator)) -> Case {
    let data = data(random);
    let mut generator = Generator {
        random,
        functions,
        out: Vec::new(),
        variables: Vec::new(),
        names: 0,
        loops: 0,
        blocks: 0,
        templates: Vec::new(),
    };
    fill(&mut generator);
    Case { template: generator.out, data }
}

/// One call of one function with plain arguments: the most functions for the time.
pub fn single_call(random: &mut Random, functions: &[Function]) -> Case {
    let mut case = case_of(random, functions, |generator| {
        let at = generator.random.below(generator.functions.len());
        let function = &generator.functions[at];
        let count = function.params.len() + if function.rest.is_some() { generator.random.below(4) } else { 0 };
        generator.push("{{");
        let depth = if generator.random.percent(25) { 2 } else { 1 };
        generator.call(at, count, depth);
        generator.push("}}");
    });
    let unused: Vec<String> =
        case.data.keys().filter(|key| !contains(&case.template, key.as_bytes())).cloned().collect();
    for key in unused {
        case.data.remove(&key);
    }
    case
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn data(random: &mut Random) -> BTreeMap<String, Vec<u8>> {
    let mut data = BTreeMap::new();
    for (name, flavour) in FIELDS {
        if random.percent(92) {
            data.insert((*name).to_owned(), text(random, *flavour));
        }
    }
    data
}

impl Generator<'_> {
    /// `{{` and `}}` around an action, now and then trimming.
    fn open(&mut self) {
        let mark = if self.random.percent(8) {
            "{{- "
        } else if self.random.percent(30) {
            "{{"
        } else {
            "{{ "
        };
        self.push(mark);
    }

    fn close(&mut self) {
        let mark = if self.random.percent(8) {
            " -}}"
        } else if self.random.percent(30) {
            "}}"
        } else {
            " }}"
        };
        self.push(mark);
    }

    fn action_text(&mut self, text: &str) {
        let mark = if self.random.percent(8) { "{{- " } else { "{{" };
        self.push(mark);
        self.push(text);
        let mark = if self.random.percent(8) { " -}}" } else { "}}" };
        self.push(mark);
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn one_of(&mut self, texts: &[&str]) {
        let text = *self.random.pick(texts);
        self.push(text);
    }
}
