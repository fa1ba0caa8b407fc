//! Differences for people and for the fixtures.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::compare::{Difference, Exempt};
use crate::oracle::Outcome;

/// What groups differences with the same cause, more or less: what both sides say.
pub fn signature(difference: &Difference) -> String {
    let (ours, gos) = difference.class();
    format!("ours {ours} | Go {gos}")
}

/// Prints the first differences of each group.
pub fn show(found: &BTreeMap<String, Vec<Difference>>, most: usize) {
    for (signature, differences) in found.iter().take(most) {
        println!("== {signature}: {}", differences.len());
        let mut shortest: Vec<&Difference> = differences.iter().collect();
        shortest.sort_by_key(|difference| difference.case.template.len());
        shortest.dedup_by_key(|difference| (difference.case.template.len(), difference.case.template.get(..8)));
        shortest.into_iter().take(40).for_each(show_one);
    }
}

/// Prints how many cases were not compared for each reason, and the shortest of them.
pub fn show_exempt(exempt: &BTreeMap<Exempt, Vec<Difference>>, most: usize) {
    for (reason, differences) in exempt {
        println!("-- {reason:?}: {}", differences.len());
        let mut shortest: Vec<&Difference> = differences.iter().collect();
        shortest.sort_by_key(|difference| difference.case.template.len());
        shortest.into_iter().take(most).for_each(show_one);
    }
}

fn show_one(difference: &Difference) {
    println!("   {}", shown(&difference.case.template));
    for (key, value) in &difference.case.data {
        println!("      {key}: {}", shown(value));
    }
    println!("   ours {}", outcome(&difference.ours));
    println!("   Go   {}", outcome(&difference.gos));
}

/// Writes the differences into the file that `DIFFERENCES` names, with Go's outcome as the expectation.
pub fn write(found: &BTreeMap<String, Vec<Difference>>) {
    let Some(path) = std::env::var_os("DIFFERENCES") else { return };
    let cases: Vec<Value> = found.values().flatten().map(case).collect();
    std::fs::write(path, format!("{:#}\n", json!({ "cases": cases }))).expect("the file for differences");
}

fn case(difference: &Difference) -> Value {
    let mut case = json!({});
    match std::str::from_utf8(&difference.case.template) {
        Ok(text) => case["template"] = text.into(),
        Err(_) => case["template_b64"] = STANDARD.encode(&difference.case.template).into(),
    }
    for (key, value) in &difference.case.data {
        match std::str::from_utf8(value) {
            Ok(text) => case["data"][key] = text.into(),
            Err(_) => case["data_b64"][key] = STANDARD.encode(value).into(),
        }
    }
    match &difference.gos {
        Outcome::Output(output) => match std::str::from_utf8(output) {
            Ok(text) => case["expected_output"] = text.into(),
            Err(_) => case["expected_output_b64"] = STANDARD.encode(output).into(),
        },
        Outcome::Error { phase, text } => {
            let act = if phase == "parse" { "parse" } else { "execute" };
            case["expected_error"] = format!("unable to {act} template at key k: {text}").into();
            case["error_phase"] = phase.as_str().into();
        }
        Outcome::Skip(_) => {}
    }
    case
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Output(output) => format!("output {}", shown(output)),
        Outcome::Error { phase, text } => format!("{phase} error {text}"),
        Outcome::Skip(reason) => format!("skipped: {reason}"),
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    text.replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\")
}
