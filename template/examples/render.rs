//! Renders a file of cases: `cargo run --release -p template --example render < templates.json`.
//!
//! Reads `{"fixtures": …, "cases": […]}` and writes one line of JSON for each case: `id` and either `output`,
//! `output_b64` (bytes that are not UTF-8), or `error` with `error_phase`.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use template::{Data, Error, Options, Phase, Template};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    fixtures: BTreeMap<String, Fixture>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Fixture {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    b64: String,
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file: File = serde_json::from_reader(io::stdin().lock())?;
    let mut out = BufWriter::new(io::stdout().lock());
    for case in &file.cases {
        let line = match render(case, &file.fixtures)? {
            Ok(output) => match String::from_utf8(output) {
                Ok(text) => json!({"id": case.id, "output": text}),
                Err(bytes) => json!({"id": case.id, "output_b64": STANDARD.encode(bytes.as_bytes())}),
            },
            Err(error) => {
                let (phase, act) = match error.phase() {
                    Phase::Parse => ("parse", "parse"),
                    Phase::Execute => ("exec", "execute"),
                };
                let text = format!("unable to {act} template at key k: {}", error.exact());
                json!({"id": case.id, "error": text, "error_phase": phase})
            }
        };
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}

/// The outer error is a broken file, the inner one the outcome of the case.
fn render(case: &Case, fixtures: &BTreeMap<String, Fixture>) -> Result<Result<Vec<u8>, Error>, String> {
    let mut entries: Vec<(String, Vec<u8>)> =
        case.data.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())).collect();
    for (key, name) in &case.data_fixtures {
        let fixture = fixtures.get(name).ok_or_else(|| format!("{}: fixture {name} is absent", case.id))?;
        let bytes = match &fixture.text {
            Some(text) => text.clone().into_bytes(),
            None => STANDARD.decode(&fixture.b64).map_err(|error| format!("fixture {name}: {error}"))?,
        };
        entries.push((key.clone(), bytes));
    }
    let options = Options::default();
    let parsed = Template::parse("k", case.template.as_bytes(), &options.limits);
    Ok(parsed.and_then(|template| template.render(&Data::from_iter(entries), &options)))
}
