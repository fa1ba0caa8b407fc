//! Random templates, rendered here and by real Go.
//!
//! Each case follows from a seed. Half of them are made from the grammar, the others are variants of the conformance cases. A difference
//! is made as short as possible before it is shown. `CASES` says how many cases to try (5,000 if unset), `SEED` where
//! to begin; `DIFFERENCES` names a file that collects the differences in the format of the fixtures. What is not compared is
//! counted by its reason, and `EXEMPT` says how many of each are shown. The Go program is built by `make tools`;
//! `GOTEMPLATE` names another.
#![expect(clippy::expect_used, clippy::panic, reason = "a test must fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use template::Limits;

use compare::{Difference, Exempt, Verdict, render, verdict};
use oracle::{Case, Oracle, Outcome};
use random::Random;

mod compare;
mod functions;
mod generate;
mod known;
mod minimise;
mod mutate;
mod oracle;
mod pools;
mod random;
mod report;
mod tokens;

/// Of so many cases, one may not be compared; in a short run a few always may.
const MOST_EXEMPT: usize = 1_000;
/// Cases sent to Go at once.
const BATCH: usize = 1_000;
/// Differences of one kind that are made short.
const MOST_ALIKE: usize = 40;
/// Groups of them that are shown; more would not be read.
const MOST_SHOWN: usize = 60;

#[test]
fn random_templates_render_as_in_go() {
    let wanted = number("CASES").unwrap_or(5_000);
    let seed = number("SEED").unwrap_or(1);
    let mut oracle = Oracle::new(program());
    let limits = limits();
    let known = known::cases();
    let functions = generate::functions();
    let began = Instant::now();
    let mut done = 0;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut exempt: BTreeMap<Exempt, Vec<Difference>> = BTreeMap::new();
    let mut found: BTreeMap<String, Vec<Difference>> = BTreeMap::new();
    let mut total = 0;
    while done < wanted {
        let cases: Vec<Case> =
            (done..(done + BATCH).min(wanted)).map(|index| case(seed, index, &functions, &known)).collect();
        done += cases.len();
        for (case, (ours, gos)) in cases.iter().zip(outcomes(&cases, &limits, &mut oracle)) {
            *kinds.entry(kind(&gos)).or_default() += 1;
            let verdict = verdict(case, &ours, &gos);
            if verdict == Verdict::Same {
                continue;
            }
            let difference = Difference { case: case.clone(), ours, gos };
            if let Verdict::Exempt(reason) = verdict {
                exempt.entry(reason).or_default().push(difference);
                continue;
            }
            total += 1;
            let alike = found.values().flatten().filter(|other| other.class() == difference.class()).count();
            if alike < MOST_ALIKE {
                let short = minimise::minimised(&difference, |cases| judge(cases, &limits, &mut oracle));
                found.entry(report::signature(&short)).or_default().push(short);
            }
        }
        if began.elapsed() > Duration::from_secs(20) && done % (BATCH * 20) == 0 {
            println!("{done} of {wanted} cases in {:?}, {total} differences", began.elapsed());
        }
    }
    println!("{done} cases in {:?}: {kinds:?}, {total} differences", began.elapsed());
    report::write(&found);
    report::show(&found, MOST_SHOWN);
    report::show_exempt(&exempt, number("EXEMPT").unwrap_or_default());
    let not_compared =
        exempt.iter().filter(|(reason, _)| !reason.is_compared_in_part()).map(|(_, all)| all.len()).sum::<usize>();
    assert!(
        not_compared * MOST_EXEMPT <= done.max(10 * MOST_EXEMPT),
        "{not_compared} of {done} cases are not compared; EXEMPT=10 shows them"
    );
    assert_eq!(total, 0, "templates render otherwise than in Go; SEED={seed}");
}

#[test]
fn every_function_is_generated_or_named_with_a_reason() {
    let generated: BTreeSet<&str> = generate::functions().iter().map(|function| function.name).collect();
    let named: BTreeSet<&str> = functions::NOT_GENERATED.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let table: BTreeSet<&str> = template::functions().map(|function| function.name).collect();
    assert_eq!(generated.intersection(&named).collect::<Vec<_>>(), Vec::<&&str>::new());
    let mentioned: BTreeSet<&str> = generated.union(&named).copied().collect();
    assert_eq!(mentioned.difference(&table).collect::<Vec<_>>(), Vec::<&&str>::new(), "no such functions");
    assert_eq!(table.difference(&mentioned).collect::<Vec<_>>(), Vec::<&&str>::new(), "neither generated nor named");
}

/// The case of that number.
fn case(seed: usize, index: usize, functions: &[functions::Function], known: &[Case]) -> Case {
    let mut random = Random::new((seed as u64) << 32 | index as u64);
    match index % 4 {
        0 => mutate::case(&mut random, known),
        1 => generate::case(&mut random, functions),
        _ => generate::single_call(&mut random, functions),
    }
}

/// Both outcomes of each case; the two sides work at the same time.
fn outcomes(cases: &[Case], limits: &Limits, oracle: &mut Oracle) -> Vec<(Outcome, Outcome)> {
    thread::scope(|scope| {
        let gos = scope.spawn(|| oracle.render(cases));
        let ours: Vec<Outcome> = cases.iter().map(|case| render(case, limits)).collect();
        ours.into_iter().zip(gos.join().expect("the thread that asks Go")).collect()
    })
}

fn judge(cases: &[Case], limits: &Limits, oracle: &mut Oracle) -> Vec<Option<Difference>> {
    let outcomes = outcomes(cases, limits, oracle);
    cases
        .iter()
        .zip(outcomes)
        .map(|(case, (ours, gos))| {
            (verdict(case, &ours, &gos) == Verdict::Differs).then(|| Difference { case: case.clone(), ours, gos })
        })
        .collect()
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Output(_) => "outputs",
        Outcome::Error { phase, .. } if phase == "parse" => "parse errors",
        Outcome::Error { .. } => "execution errors",
        Outcome::Skip(_) => "skipped",
    }
}

/// Go's depth of calls, and room for what Go does before the program gives up, so that next to nothing is refused.
fn limits() -> Limits {
    Limits {
        call_depth: 100_000,
        steps: 20_000_000,
        output_bytes: 64 << 20,
        value_bytes: 64 << 20,
        total_bytes: 1 << 30,
        deadline: Duration::from_mins(1),
        ..Limits::default()
    }
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("GOTEMPLATE") {
        return path.into();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tools/build.sh");
    let output = Command::new(&script).arg("--where").output().expect("the script that knows where tools are");
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let path = folder.join("bin/gotemplate");
    assert!(
        path.exists(),
        "gotemplate is not in {}: install Go and run `make tools`; NOTHING WAS COMPARED",
        folder.display()
    );
    path
}
