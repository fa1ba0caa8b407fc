//! Renders a file of cases: `cargo run --release -p template --example render < templates.json`.
//!
//! Reads `{"fixtures": …, "cases": […]}` and writes one line of JSON for each case: `id` and either `output`,
//! `output_b64` (bytes that are not UTF-8), or `error` with `error_phase`. A case whose fixture is missing or broken has
//! an `error` without `error_phase`; the cases behind it are rendered all the same. Templates may call each other as
//! deep as in Go, everything else is limited as in the operator, unless an argument such as `deadline=60s` says
//! otherwise: the name of a limit and its value, as the operator's flags have them.
//!
//! Ends with 0 when every case has its line or nobody reads on, and with 1 and a line on standard error otherwise.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use template::{Data, Error, Limits, Options, Phase, Template};

/// Calls of templates inside each other before Go gives up.
const CALL_DEPTH_OF_GO: usize = 100_000;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    fixtures: BTreeMap<String, Fixture>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Fixture {
    text: Option<String>,
    b64: Option<String>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    template: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    data_fixtures: BTreeMap<String, String>,
}

fn main() -> ExitCode {
    let limits = match limits(std::env::args().skip(1)) {
        Ok(limits) => limits,
        Err(message) => return failed(&message),
    };
    let file: File = match serde_json::from_reader(io::stdin().lock()) {
        Ok(file) => file,
        Err(error) => {
            return failed(&format!(
                "cannot read standard input: {error}; give a file in the format of templates.json"
            ));
        }
    };
    match write(&file, limits, BufWriter::new(io::stdout().lock())) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(&format!("cannot write to standard output: {error}")),
    }
}

/// The limits of the operator with Go's depth, changed by arguments of the form `NAME=VALUE`.
fn limits(arguments: impl Iterator<Item = String>) -> Result<Limits, String> {
    let mut limits = Limits { call_depth: CALL_DEPTH_OF_GO, ..Limits::default() };
    for argument in arguments {
        let Some((name, value)) = argument.split_once('=') else {
            return Err(format!("argument {argument:?} is no limit; write one such as deadline=60s"));
        };
        limits.set(name, value).map_err(|error| error.to_string())?;
    }
    Ok(limits)
}

fn failed(message: &str) -> ExitCode {
    // Nothing is left to do when standard error is closed as well.
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::FAILURE
}

fn write(file: &File, limits: Limits, mut out: impl Write) -> io::Result<()> {
    let options = Options { limits, ..Options::default() };
    for case in &file.cases {
        let line = match data(case, &file.fixtures) {
            Ok(data) => outcome(&case.id, render(&case.template, &data, &options)),
            Err(error) => json!({"id": case.id, "error": error}),
        };
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// The data of the case, or what is wrong with a fixture that it names.
fn data(case: &Case, fixtures: &BTreeMap<String, Fixture>) -> Result<Data, String> {
    let own = case.data.iter().map(|(key, value)| Ok((key.clone(), value.clone().into_bytes())));
    let shared = case.data_fixtures.iter().map(|(key, name)| {
        let fixture = fixtures.get(name).ok_or_else(|| {
            format!("data_fixtures.{key}: fixture {name:?} does not exist; add it to the fixtures of the file")
        })?;
        let bytes = fixture.bytes().map_err(|error| format!("data_fixtures.{key}: fixture {name:?} {error}"))?;
        Ok((key.clone(), bytes))
    });
    own.chain(shared).collect()
}

impl Fixture {
    fn bytes(&self) -> Result<Vec<u8>, String> {
        match (&self.text, &self.b64) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(text)) => {
                STANDARD.decode(text).map_err(|error| format!("holds no base 64 in b64: {error}; encode it again"))
            }
            (None, None) => Err("has neither text nor b64; give one of them".to_owned()),
        }
    }
}

fn render(template: &str, data: &Data, options: &Options) -> Result<Vec<u8>, Error> {
    Template::parse("k", template.as_bytes(), &options.limits)?.render(data, options)
}

fn outcome(id: &str, outcome: Result<Vec<u8>, Error>) -> Value {
    match outcome.map(String::from_utf8) {
        Ok(Ok(text)) => json!({"id": id, "output": text}),
        Ok(Err(bytes)) => json!({"id": id, "output_b64": STANDARD.encode(bytes.as_bytes())}),
        Err(error) => {
            let (phase, act) = match error.phase() {
                Phase::Parse => ("parse", "parse"),
                Phase::Execute => ("exec", "execute"),
            };
            let text = format!("unable to {act} template at key k: {}", error.exact());
            json!({"id": id, "error": text, "error_phase": phase})
        }
    }
}
