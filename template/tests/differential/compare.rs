//! Both sides of a case, and whether they agree.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, UNIX_EPOCH};

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

/// How the complaints about YAML begin of which we may give the rest in words of our own, also within an address.
const YAML_WORDS: &[&str] =
    &["error converting YAML to JSON: ", "error unmarshaling JSON: ", "error+converting+YAML+to+JSON%3A+"];
/// How it begins that a text is no YAML.
const YAML_REFUSED: &[&str] = &["error converting YAML to JSON: yaml: "];
/// How the complaints about IPv6 addresses begin of which we give the rest in words of our own.
const HOST_WORDS: &[&str] = &["invalid host: ParseAddr("];
/// What our errors say where Go shows memory behind the end of a list: it slices to the capacity.
const BEHIND_THE_END: &str = "slice index out of bounds";

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

/// What the clock shows in both programs.
const STOPPED: Duration = Duration::from_secs(1_700_000_000);

/// Our outcome.
pub fn render(case: &Case, limits: &Limits) -> Outcome {
    let options = Options { limits: limits.clone(), now: UNIX_EPOCH + STOPPED, ..Options::default() };
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

/// What a comparison of both outcomes says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    Differs,
    /// They are not compared, or not all of them.
    Exempt(Exempt),
}

/// Why two outcomes may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exempt {
    /// We refuse what takes too much.
    OurLimit,
    /// Go took too long, or crashed.
    GoGaveUp,
    /// Go shows where something lies in memory.
    Address,
    /// Go shows memory behind the end of a list.
    BehindTheEnd,
    /// Both refuse a text as YAML, in other words.
    YamlWords,
    /// One of both refuses a text as YAML.
    YamlReading,
    /// Both refuse an address, in other words.
    HostWords,
    /// Go's own code fails; the phase alone is compared.
    GoPanics,
}

impl Exempt {
    /// Whether both sides fail, and only the words of it may differ.
    pub fn is_compared_in_part(self) -> bool {
        matches!(self, Self::YamlWords | Self::HostWords | Self::GoPanics)
    }
}

/// Compares both outcomes of a case.
pub fn verdict(case: &Case, ours: &Outcome, gos: &Outcome) -> Verdict {
    if ours == gos { Verdict::Same } else { exemption(case, ours, gos).map_or(Verdict::Differs, Verdict::Exempt) }
}

/// Why these outcomes, which are not the same, may differ.
fn exemption(case: &Case, ours: &Outcome, gos: &Outcome) -> Option<Exempt> {
    let both_say = |starts| says_one_of(ours, starts) && says_one_of(gos, starts);
    match (ours, gos) {
        (_, Outcome::Skip(_)) => Some(Exempt::GoGaveUp),
        (Outcome::Error { text, .. }, _) if OUR_LIMITS.iter().any(|words| text.contains(words)) => {
            Some(Exempt::OurLimit)
        }
        (Outcome::Error { phase: our_phase, .. }, Outcome::Error { phase, text })
            if our_phase == phase && GO_PANICS.iter().any(|words| text.contains(words)) =>
        {
            Some(Exempt::GoPanics)
        }
        (Outcome::Error { text, .. }, Outcome::Output(_) | Outcome::Error { .. })
            if text.contains(BEHIND_THE_END) && !says_one_of(gos, &[BEHIND_THE_END]) =>
        {
            Some(Exempt::BehindTheEnd)
        }
        _ if both_say(YAML_WORDS) => Some(Exempt::YamlWords),
        _ if both_say(HOST_WORDS) => Some(Exempt::HostWords),
        _ if says_one_of(ours, YAML_REFUSED) != says_one_of(gos, YAML_REFUSED) => Some(Exempt::YamlReading),
        _ if shows_memory(case, ours, gos) => Some(Exempt::Address),
        _ if refuses_entry(case) => Some(Exempt::YamlReading),
        _ => None,
    }
}

/// Whether Go printed the inside of a time or a version, where it shows addresses, and we the value instead. What functions
/// make of such a text, say its length, shows neither: where both outcomes of a run differ, a template that makes a time
/// and prints with verbs is taken for one.
fn shows_memory(case: &Case, ours: &Outcome, gos: &Outcome) -> bool {
    let has = |word: &str| memchr::memmem::find(&case.template, word.as_bytes()).is_some();
    let makes_one = || ["toDate", "ToDate", "dateModify", "DateModify", "date_modify", "semver "].into_iter().any(has);
    let ran = |outcome: &Outcome| !matches!(outcome, Outcome::Error { phase, .. } if phase != "exec");
    ran(ours) && ran(gos) && has("printf") && makes_one()
}

/// Whether the template reads YAML, and we refuse an entry of the data as such: Go may have read it, and what came of it
/// shows in neither outcome.
fn refuses_entry(case: &Case) -> bool {
    let refuses = |value: &Vec<u8>| {
        let data = BTreeMap::from([("x".to_owned(), value.clone())]);
        let alone = Case { template: b"{{fromYaml .x}}".to_vec(), data };
        says_one_of(&render(&alone, &Limits::default()), YAML_REFUSED)
    };
    memchr::memmem::find(&case.template, b"fromYaml").is_some() && case.data.values().any(refuses)
}

fn says_one_of(outcome: &Outcome, starts: &[&str]) -> bool {
    let text = match outcome {
        Outcome::Output(text) => text.as_slice(),
        Outcome::Error { text, .. } => text.as_bytes(),
        Outcome::Skip(_) => return false,
    };
    starts.iter().any(|start| memchr::memmem::find(text, start.as_bytes()).is_some())
}
