//! The example that renders a file of cases, run as whoever tries it out runs it.
//!
//! It is the file `examples/render` beside the folder of this test; `cargo test -p template` builds both.
#![expect(clippy::expect_used, reason = "a test must fail loudly")]

use std::collections::BTreeMap;
use std::env;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Output, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

#[test]
fn every_case_that_go_rendered_comes_out_alike() {
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates.json"))
        .expect("the file of cases");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    let cases = file["cases"].as_array().expect("a list of cases");
    assert_eq!(cases.len(), 1_111, "cases came or went: count anew");
    let output = run(&text);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output);
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| !agree(case, &lines[case["id"].as_str().unwrap_or_default()]))
        .map(|case| format!("{case}\n  gave {}", lines[case["id"].as_str().unwrap_or_default()]))
        .collect();
    assert!(wrong.is_empty(), "{} of {} exact\n{}", cases.len() - wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn input_that_holds_no_cases_is_refused_in_one_line() {
    for input in ["", "x", "[]", "{}", r#"{"cases": [{"id": "a"}]}"#, r#"{"fixtures": {}}"#] {
        let output = run(input.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{input}");
        assert!(output.stdout.is_empty(), "{input}");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(told.starts_with("cannot read standard input: "), "{input}: {told}");
        assert!(told.ends_with("; give a file in the format of templates.json\n"), "{input}: {told}");
        assert_eq!(told.lines().count(), 1, "{input}: {told}");
    }
}

#[test]
fn an_argument_sets_a_limit_or_says_what_is_wrong_with_it() {
    let with = |argument: &str| {
        let mut child = command().arg(argument).spawn().expect("the example starts");
        feed(child.stdin.take().expect("a pipe"), br#"{"cases": [{"id": "a", "template": "{{ range 9 }}{{ end }}"}]}"#);
        child.wait_with_output().expect("it ends")
    };
    let error = lines(&with("steps=5"))["a"]["error"].to_string();
    assert!(error.contains("takes more than 5 steps"), "{error}");
    for (argument, words) in [("steps", "write one such as deadline=60s"), ("step=5", "does not exist")] {
        let output = with(argument);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{argument}");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(told.contains(words) && told.lines().count() == 1, "{argument}: {told}");
    }
}

#[test]
fn a_broken_fixture_fails_its_case_alone() {
    let case = |id: &str, fixture: &str| json!({"id": id, "template": "{{ .x }}", "data_fixtures": {"x": fixture}});
    let file = json!({
        "fixtures": {"hollow": {}, "garbled": {"b64": "!"}, "good": {"text": "fine"}},
        "cases": [case("a", "hollow"), case("b", "nowhere"), case("c", "garbled"), case("d", "good")],
    });
    let output = run(file.to_string().as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output);
    for (id, parts) in
        [("a", ["\"hollow\"", "neither text nor b64"]), ("b", ["\"nowhere\"", "exist"]), ("c", ["\"garbled\"", "b64"])]
    {
        let error = lines[id]["error"].as_str().unwrap_or_default();
        assert!(parts.iter().all(|part| error.contains(part)), "{}", lines[id]);
    }
    assert_eq!(lines["d"]["output"], "fine");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    // More than a pipe holds, so that it is still writing when nobody reads.
    let cases: Vec<Value> = (0..20_000).map(|id| json!({"id": id.to_string(), "template": "some text"})).collect();
    let input = json!({"cases": cases}).to_string().into_bytes();
    let mut child = command().spawn().expect("the example starts");
    let stdin = child.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || feed(stdin, &input));
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("it writes");
    drop(stdout);
    writer.join().expect("the writer ends");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

fn run(input: &[u8]) -> Output {
    let mut child = command().spawn().expect("the example starts");
    let stdin = child.stdin.take().expect("a pipe");
    thread::scope(|scope| {
        scope.spawn(|| feed(stdin, input));
        child.wait_with_output().expect("it ends")
    })
}

fn feed(mut stdin: ChildStdin, input: &[u8]) {
    // It may end before it has read everything; its exit code and words tell then.
    let _ = stdin.write_all(input);
}

fn command() -> Command {
    let mut command = Command::new(program());
    // None of these tests is about the clock, and unoptimised code on a busy machine is slow.
    command.arg("deadline=60s");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `target/PROFILE/examples/render`; this test is in `target/PROFILE/deps`.
fn program() -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("the folder of the profile");
    let program = profile.join("examples").join(format!("render{}", env::consts::EXE_SUFFIX));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/render.rs");
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    // `cargo test --test render_example` alone builds no examples and would find the last one.
    let is_new = changed(&program).is_ok_and(|built| changed(&source).is_ok_and(|written| written <= built));
    assert!(is_new, "{} is not built: run `cargo build -p template --examples`", program.display());
    program
}

/// The lines by the case's id.
fn lines(output: &Output) -> BTreeMap<String, Value> {
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    let values = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    values.map(|value| (value["id"].as_str().expect("an id").to_owned(), value)).collect()
}

/// Whether the line says what the case wants. Of errors that quote Go's runtime only the phase must agree.
fn agree(case: &Value, line: &Value) -> bool {
    if case["expected_error"].is_null() {
        return line["error"].is_null() && bytes(case, "expected_output") == bytes(line, "output");
    }
    let same_text = case["go_panic_text"] == true || case["expected_error"] == line["error"];
    !line["error"].is_null() && same_text && case["error_phase"] == line["error_phase"]
}

fn bytes(value: &Value, key: &str) -> Option<Vec<u8>> {
    match (&value[key], &value[format!("{key}_b64")]) {
        (Value::String(text), _) => Some(text.clone().into_bytes()),
        (_, Value::String(text)) => Some(STANDARD.decode(text).expect("base 64")),
        _ => None,
    }
}
