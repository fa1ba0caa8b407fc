//! The cases that real Go rendered: the outputs byte for byte, the errors word for word.
//!
//! They are kept in `fixtures`; `CONFORMANCE_DIR` names a folder with others. The keys and certificates among them were
//! made for these tests and protect nothing. A table of counts per group keeps what works working. Run with
//! `--nocapture` to see the misses.
#![expect(clippy::expect_used, clippy::panic, reason = "a broken cases file must fail the test loudly")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use template::{Data, Error, Limits, Options, Phase, Template};

/// Exact passes that each group must keep; the second number is the size of the group.
const AT_LEAST: &[(&str, usize, usize)] = &[
    ("binary", 25, 25),
    ("builtins", 40, 40),
    ("compare", 45, 45),
    ("control", 43, 43),
    ("dates", 32, 32),
    ("define", 22, 22),
    ("eso_jwk", 16, 16),
    ("eso_pem", 30, 30),
    ("eso_pkcs12", 33, 33),
    ("eso_rsa", 11, 11),
    ("exec_error", 44, 44),
    ("json_yaml", 63, 63),
    ("limits", 3, 3),
    ("missing", 32, 32),
    ("numbers", 42, 42),
    ("parse_error", 50, 50),
    ("pipeline", 31, 31),
    ("printf", 98, 98),
    ("realistic", 29, 29),
    ("sprig_crypto", 25, 25),
    ("sprig_dict", 40, 40),
    ("sprig_lists", 47, 47),
    ("sprig_math", 54, 54),
    ("sprig_regex_semver_url_path", 60, 60),
    ("sprig_strings", 96, 96),
    ("sprig_types", 59, 59),
    ("text", 20, 20),
    ("vars", 21, 21),
];

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
    group: String,
    template: String,
    data: BTreeMap<String, String>,
    #[serde(default)]
    data_fixtures: BTreeMap<String, String>,
    expected_output: Option<String>,
    expected_output_b64: Option<String>,
    expected_error: Option<String>,
    error_phase: Option<String>,
    #[serde(default)]
    go_panic_text: bool,
}

impl Case {
    fn data(&self, fixtures: &BTreeMap<String, Fixture>) -> Data {
        let own = self.data.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes()));
        let shared = self.data_fixtures.iter().map(|(key, name)| (key.clone(), fixtures[name].bytes()));
        own.chain(shared).collect()
    }

    /// What is wrong with the outcome, if anything.
    fn complaint(&self, outcome: &Result<Vec<u8>, Error>) -> Option<String> {
        let output = self.expected_output.clone().map(String::into_bytes);
        let output = output.or_else(|| self.expected_output_b64.as_ref().map(|text| decoded(text)));
        match (outcome, output) {
            (Ok(got), Some(wanted)) if *got == wanted => None,
            (Ok(got), wanted) => Some(format!(
                "wanted {:?}, got {:?}",
                wanted
                    .map_or(self.expected_error.clone(), |wanted| Some(String::from_utf8_lossy(&wanted).into_owned())),
                String::from_utf8_lossy(got)
            )),
            (Err(error), Some(wanted)) => {
                Some(format!("wanted {:?}, got error {:?}", String::from_utf8_lossy(&wanted), error.exact()))
            }
            (Err(error), None) => self.error_complaint(error),
        }
    }

    fn error_complaint(&self, error: &Error) -> Option<String> {
        let (phase, act) = match error.phase() {
            Phase::Parse => ("parse", "parse"),
            Phase::Execute => ("exec", "execute"),
        };
        let text = format!("unable to {act} template at key k: {}", error.exact());
        let same_phase = self.error_phase.as_deref() == Some(phase);
        let same_text = self.go_panic_text || self.expected_error.as_deref() == Some(&text);
        (!same_phase || !same_text).then(|| format!("wanted error {:?}, got {text:?}", self.expected_error))
    }
}

impl Fixture {
    fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.b64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(text)) => decoded(text),
            (None, None) => panic!("a fixture has neither text nor b64"),
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base 64 in the cases file")
}

fn cases() -> File {
    let folder = std::env::var_os("CONFORMANCE_DIR").map_or_else(own_folder, PathBuf::from);
    file(&folder.join("templates.json"))
}

fn own_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn file(path: &Path) -> File {
    let text = std::fs::read(path).unwrap_or_else(|error| {
        panic!(
            "THE CONFORMANCE CASES ARE NOT THERE: {}: {error}. Nothing was tested. Unset CONFORMANCE_DIR to use the ones kept here.",
            path.display()
        )
    });
    serde_json::from_slice(&text).expect("the cases file is JSON of the known shape")
}

/// As Go renders: with its call depth, everything else as the operator has it.
fn options() -> Options {
    // A busy machine takes its time with password hashes.
    let deadline = Duration::from_mins(1);
    Options { limits: Limits { call_depth: 100_000, deadline, ..Limits::default() }, ..Options::default() }
}

fn render(template: &str, data: &Data) -> Result<Vec<u8>, Error> {
    let options = options();
    Template::parse("k", template.as_bytes(), &options.limits)?.render(data, &options)
}

#[test]
fn cases_rendered_by_go_keep_rendering_alike() {
    let file = cases();
    let mut passed: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut misses = Vec::new();
    for case in &file.cases {
        let outcome = render(&case.template, &case.data(&file.fixtures));
        let count = passed.entry(&case.group).or_default();
        count.1 += 1;
        match case.complaint(&outcome) {
            None => count.0 += 1,
            Some(complaint) => misses.push(format!("{}: {:?}: {complaint}", case.id, case.template)),
        }
    }
    for miss in &misses {
        println!("{miss}");
    }
    let total: usize = passed.values().map(|count| count.0).sum();
    println!("{total} of {} exact", file.cases.len());
    for (group, (exact, size)) in &passed {
        println!("    (\"{group}\", {exact}, {size}),");
    }
    assert_eq!(passed.len(), AT_LEAST.len(), "groups came or went: count anew");
    for &(group, least, size) in AT_LEAST {
        let (exact, found) = passed.get(group).copied().unwrap_or_default();
        assert_eq!(found, size, "the cases of {group} changed: count anew");
        assert!(exact >= least, "{group}: {exact} exact, and {least} before");
    }
}

#[test]
fn differences_that_were_found_by_comparing_stay_away() {
    let file = file(&own_folder().join("differences.json"));
    assert!(!file.cases.is_empty(), "the file of differences is empty");
    let complaints = file.cases.iter().filter_map(|case| {
        let complaint = case.complaint(&render(&case.template, &case.data(&file.fixtures)))?;
        Some(format!("{}: {:?}: {complaint}\n", case.id, case.template))
    });
    let complaints: String = complaints.collect();
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn redacted_errors_hold_no_value_of_the_data() {
    let file = cases();
    for case in &file.cases {
        // A marker in front of each value; the template text never contains it.
        let marked: Data = case.data.iter().map(|(key, value)| (key.clone(), format!("CANARY{value}"))).collect();
        if let Err(error) = render(&case.template, &marked) {
            assert!(!error.to_string().contains("CANARY"), "{}: {error}", case.id);
            assert!(!format!("{error:?}").contains("CANARY"), "{}", case.id);
        }
    }
}

#[test]
fn a_small_stack_is_enough_for_the_deepest_template() {
    deepest_renders_on(Limits::default(), 1 << 20);
}

#[test]
fn a_usual_stack_is_enough_for_the_greatest_depths_that_can_be_set() {
    let mut limits = Limits::default();
    for limit in Limits::named().iter().filter(|limit| limit.name.ends_with("_depth")) {
        limits.set(limit.name, &limit.range().1).unwrap();
    }
    deepest_renders_on(limits, 2 << 20);
}

fn deepest_renders_on(limits: Limits, stack: usize) {
    let depth = limits.paren_depth;
    let parens = format!("{{{{ {}1{} }}}}", "(not ".repeat(depth), ")".repeat(depth));
    let blocks = limits.block_depth - 1;
    let ifs = format!("{}x{}", "{{if true}}".repeat(blocks), "{{end}}".repeat(blocks));
    let thread = thread::Builder::new().stack_size(stack).spawn(move || {
        let options = Options { limits, ..Options::default() };
        let render = |text: &str| {
            let template = Template::parse("k", text.as_bytes(), &options.limits)?;
            template.render(&Data::default(), &options)
        };
        assert_eq!(render(&parens).as_deref(), Ok(&b"true"[..]));
        assert_eq!(render(&ifs).as_deref(), Ok(&b"x"[..]));
    });
    thread.expect("a thread starts").join().expect("both render");
}

#[test]
fn nesting_without_end_is_refused() {
    for text in [
        "{{ ".to_owned() + &"(".repeat(20_000),
        "{{if true}}".repeat(20_000),
        "{{range .}}{{with .}}".repeat(20_000),
        format!("{{{{ $x := {}1{} }}}}", "(not ".repeat(20_000), ")".repeat(20_000)),
    ] {
        assert_eq!(render(&text, &Data::default()).unwrap_err().phase(), Phase::Parse);
    }
    // A chain of `else if` nests by grammar only.
    let chain = "{{if false}}".to_owned() + &"{{else if false}}".repeat(5_000) + "{{else}}y{{end}}";
    assert_eq!(render(&chain, &Data::default()).unwrap(), b"y");
}

#[test]
fn work_without_end_is_stopped() {
    for text in [
        "{{range 1000000000}}{{end}}",
        "{{define \"r\"}}{{range 100}}{{template \"r\"}}{{end}}{{end}}{{template \"r\"}}",
        "{{$x := \"x\"}}{{range 40}}{{$x = print $x $x}}{{end}}",
        "{{$x := list 1}}{{range 60}}{{$x = concat $x $x}}{{end}}",
        "{{$x := list 1}}{{range 60}}{{$x = list $x $x}}{{end}}{{$x}}",
        "{{$x := list 1}}{{range 60}}{{$x = list $x $x}}{{end}}{{deepEqual $x (list $x)}}{{deepCopy $x}}",
        "{{$x := list 1}}{{range 100000}}{{$x = list $x}}{{end}}",
        "{{$d := dict}}{{$_ := set $d \"self\" $d}}{{$d}}",
        "{{$d := dict}}{{$_ := set $d \"self\" $d}}{{toJson $d}}",
        "{{$d := dict}}{{$_ := set $d \"self\" $d}}{{deepCopy $d}}",
        "{{$d := dict}}{{$_ := set $d \"self\" $d}}{{$e := dict}}{{$_ := set $e \"self\" $e}}{{merge $d $e}}{{$d}}",
        "{{$x := repeat 4000000 \"a\"}}{{range 100000}}{{$y := contains \"aab\" $x}}{{end}}",
        "{{$x := repeat 4000000 \"a\"}}{{range 100000}}{{$y := eq $x (print $x)}}{{end}}",
        "{{$x := list 1}}{{range 60}}{{$x = list $x $x}}{{end}}{{deepCopy $x}}",
        "{{$x := repeat 1000000 \"a\"}}{{cat $x $x $x $x $x}}",
        "{{$x := list (until 90000)}}{{range 6}}{{$x = concat $x $x}}{{end}}{{toStrings $x}}",
        "{{repeat 1000000000 \"x\"}}",
        "{{until 1000000000}}",
        "{{seq 1000000000}}",
        "{{indent 1000000000 \"x\"}}",
        "{{range 100}}{{printf \"%1000000d\" 1}}{{end}}",
        "{{printf \"%*d%[1]*[1]d%[1]*[1]d%[1]*[1]d%[1]*[1]d%[1]*[1]d\" 1000000 1}}",
    ] {
        assert_eq!(render(text, &Data::default()).map_err(|error| error.phase()), Err(Phase::Execute), "{text}");
    }
}
