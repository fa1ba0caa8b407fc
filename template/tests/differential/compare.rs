//! Both sides of a case, and whether they agree.

use std::panic::{AssertUnwindSafe, catch_unwind};

use template::{Data, Limits, Options, Phase, Template};

use crate::oracle::{Case, Outcome};

/// What our errors say where a template takes more than we allow; Go has no such bounds.
const OUR_LIMITS: &[&str] = &[
    "make it simpler",
    "use a flatter structure",
    "split it",
    "shorter",
    "nest deeper",
    "is longer than",
    "make it smaller",
];
/// What Go's errors say when its own code failed: only that there is an error counts.
const GO_PANICS: &[&str] = &["runtime error: ", "reflect: ", "reflect.", "interface conversion: "];

/// How complaints begin of which we give the rest in words of our own, by what they are about.
const OTHER_WORDS: &[&[&str]] = &[
    &["error converting YAML to JSON: ", "error unmarshaling JSON: ", "error+converting+YAML+to+JSON%3A+"],
    &["invalid host: ParseAddr("],
];

/// A case on which we and Go disagree.
#[derive(Clone, Debug)]
pub struct Difference {
    pub case: Case,
    pub ours: Outcome,
    pub gos: Outcome,
}

impl Difference {
    /// What kind of disagreement it is; making the case shorter keeps it.
    pub fn class(&self) -> (String, String) {
        (shape(&self.ours), shape(&self.gos))
    }
}

/// The kind of an outcome, and the words of an error without what it quotes.
fn shape(outcome: &Outcome) -> String {
    let Outcome::Error { phase, text } = outcome else { return "output".to_owned() };
    let told = text.rsplit_once(">: ").map_or(text.as_str(), |(_, told)| told);
    let words =
        told.split_whitespace().filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic()));
    format!("{phase}: {}", words.take(5).collect::<Vec<_>>().join(" "))
}

/// Our outcome.
pub fn render(case: &Case, limits: &Limits) -> Outcome {
    let options = Options { limits: limits.clone(), ..Options::default() };
    let data: Data = case.data.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let rendered = catch_unwind(AssertUnwindSafe(|| {
        Template::parse("k", &case.template, &options.limits).and_then(|template| template.render(&data, &options))
    }));
    match rendered {
        Ok(Ok(output)) => Outcome::Output(output),
        Ok(Err(error)) => {
            let phase = match error.phase() {
                Phase::Parse => "parse",
                Phase::Execute => "exec",
            };
            Outcome::Error { phase: phase.to_owned(), text: error.exact().to_owned() }
        }
        Err(_) => Outcome::Error { phase: "PANIC".to_owned(), text: "our code panics".to_owned() },
    }
}

/// What our errors say where Go shows memory behind the end of a list: it slices to the capacity.
const BEHIND_THE_END: &str = "slice index out of bounds";

/// Whether a template may print what a time or a version is made of: verbs that are none for texts show where its zone, or
/// a version in a list, lies in memory.
pub fn may_show_addresses(case: &Case) -> bool {
    let has = |word: &str| memchr::memmem::find(&case.template, word.as_bytes()).is_some();
    has("printf") && ["toDate", "ToDate", "dateModify", "DateModify", "date_modify", "semver "].into_iter().any(has)
}

/// Whether one side reads YAML that the other refuses. The parser is another one, and the texts are mutated.
pub fn read_yaml_differently(ours: &Outcome, gos: &Outcome) -> bool {
    const REFUSAL: &[&str] = &["error converting YAML to JSON: yaml: "];
    says_one_of(ours, REFUSAL) != says_one_of(gos, REFUSAL)
}

/// Whether a case says nothing because one side gave up on it, or Go shows an address: where the zone of a time lies in
/// memory.
pub fn is_skipped(ours: &Outcome, gos: &Outcome) -> bool {
    if matches!(ours, Outcome::Output(text) if memchr::memmem::find(text, b"(time.Time=").is_some()) {
        return true;
    }
    if matches!(ours, Outcome::Error { text, .. } if text.contains(BEHIND_THE_END)) {
        return true;
    }
    let limited = matches!(ours, Outcome::Error { text, .. } if OUR_LIMITS.iter().any(|words| text.contains(words)));
    limited || matches!(gos, Outcome::Skip(_) | Outcome::Clock)
}

/// Whether both sides say the same. What is wrong with YAML, or with the address in a URL, we say in other words: the
/// parsers differ.
pub fn agree(ours: &Outcome, gos: &Outcome) -> bool {
    if OTHER_WORDS.iter().any(|starts| says_one_of(ours, starts) && says_one_of(gos, starts)) {
        return true;
    }
    match (ours, gos) {
        (Outcome::Error { phase: our_phase, .. }, Outcome::Error { phase, text })
            if GO_PANICS.iter().any(|words| text.contains(words)) =>
        {
            our_phase == phase
        }
        _ => ours == gos,
    }
}

fn says_one_of(outcome: &Outcome, starts: &[&str]) -> bool {
    let text = match outcome {
        Outcome::Output(text) => text.as_slice(),
        Outcome::Error { text, .. } => text.as_bytes(),
        Outcome::Skip(_) | Outcome::Clock => return false,
    };
    starts.iter().any(|start| memchr::memmem::find(text, start.as_bytes()).is_some())
}
