//! What may be secret stays out of errors: values of the data out of the redacted text, and the template too out of the
//! text without source.

use std::collections::BTreeSet;

use template::{Data, Error, Limits, Options, Phase, Template};

/// In each value of the data; templates never contain it.
const CANARY: &str = "CANARY";
/// A number in the data.
const NUMBER: &str = "987654321";
/// In each name and text of a template.
const MARK: &str = "MARK";

fn data() -> Data {
    Data::from_iter([
        ("text", "CANARY & co"),
        ("number", NUMBER),
        ("json", r#"{"CANARYkey": ["CANARYitem", 987654321]}"#),
        ("lines", "CANARY: [\n  *CANARY"),
        ("MARKfield", "CANARY"),
    ])
}

/// The error of a template that must not render for ever.
fn error_of(text: &str) -> Option<Error> {
    let limits = Limits { steps: 50_000, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    Template::parse("MARKname", text.as_bytes(), &options.limits)
        .and_then(|template| template.render(&data(), &options))
        .err()
}

/// Whether a text shows the canary, as it is or as a function of the table would write it.
fn shows_data(text: &str) -> bool {
    let lower = text.to_lowercase();
    let base64 = "Q0FOQVJZ";
    lower.contains("canary") || text.contains(base64) || lower.contains("43414e415259") || text.contains(NUMBER)
}

fn check(text: &str, error: &Error) {
    for shown in [error.redacted(), error.without_source(), &error.to_string(), &format!("{error:?}")] {
        assert!(!shows_data(shown), "{text}: {shown}");
    }
}

/// Arguments that fit some functions and have the wrong content for most.
const ARGUMENTS: &[&str] =
    &[".text", ".lines", ".number", "(int .number)", "(fromJson .json)", "(list .text .lines)", "-1", "now"];

#[test]
fn no_function_quotes_its_arguments_in_a_redacted_error() {
    let mut quoting = BTreeSet::new();
    let mut failures = 0;
    for function in template::functions() {
        for count in 1..=3 {
            for choice in 0..ARGUMENTS.len().pow(count) {
                let digits = (0..count).map(|place| choice / ARGUMENTS.len().pow(place) % ARGUMENTS.len());
                let arguments: Vec<&str> = digits.map(|digit| ARGUMENTS[digit]).collect();
                let text = format!("{{{{ {} {} }}}}", function.name, arguments.join(" "));
                let Some(error) = error_of(&text) else { continue };
                check(&text, &error);
                failures += 1;
                if shows_data(error.exact()) {
                    quoting.insert(function.name);
                }
            }
        }
    }
    assert!(failures > 10_000, "{failures}: most calls fail");
    assert!(quoting.len() >= 12, "the arguments provoke few quotations: {quoting:?}");
}

#[test]
fn each_kind_of_quotation_is_hidden() {
    for text in [
        "{{ range .text }}{{ end }}",
        "{{ range $i, $x := int .number }}{{ end }}",
        "{{ index (list 1) (int .number) }}",
        "{{ index .text (int .number) }}",
        "{{ substr (int .number) 1 .text }}",
        "{{ eq (list .text) (list .text) }}",
        "{{ eq (list .text) (dict .text 1) }}",
        "{{ fail .text }}",
        "{{ fail (print \"no \" .text) }}",
        "{{ .text | printf \"no %s\" | fail }}",
        "{{ mustRegexMatch .lines \"\" }}",
        "{{ regexFind (print \"(\" .text) \"\" }}",
        "{{ regexReplaceAll (print \"[z-a]\" .text) \"\" \"\" }}",
        "{{ mustFromJson .text }}",
        "{{ mustFromJson (print \"[\" .number \"e999]\") }}",
        "{{ mustToDate \"2006\" .text }}",
        "{{ mustToDate .text \"2006\" }}",
        "{{ mustToDate \"2006\" (print \"2006\" .text) }}",
        "{{ mustDateModify .text now }}",
        "{{ urlParse (print \"http://[\" .text) }}",
        "{{ urlParse (print \"http://a:\" .text) }}",
        "{{ urlParse (print \"%CA\" .text \"%zz\") }}",
        "{{ semverCompare .text \"1\" }}",
        "{{ (fromJson .json).absent }}",
        "{{ template \"a\" .text }}{{ define \"a\" }}{{ range . }}{{ end }}{{ end }}",
    ] {
        let error = error_of(text).unwrap_or_else(|| unreachable!("{text} fails"));
        assert_eq!(error.phase(), Phase::Execute, "{text}: {error}");
        check(text, &error);
    }
}

#[test]
fn the_message_of_fail_is_shown_when_the_template_says_it() {
    let error = error_of("{{ fail \"give a user\" }}").map(|error| error.redacted().to_owned());
    let shown =
        "template: MARKname:1:3: executing \"MARKname\" at <fail \"give a user\">: error calling fail: give a user";
    assert_eq!(error.as_deref(), Some(shown));
}

#[test]
fn an_error_without_source_says_where_and_what() {
    for (text, wanted) in [
        ("a\n{{ b64dec 1.5 .MARKfield }}", "line 2, column 3: wrong number of args for b64dec: want 1 got 2"),
        ("{{ upper (fromJson \"1\") }}", "line 1, column 19: wrong type for value; expected string; got float64"),
        ("{{ .MARKabsent }}", "line 1, column 3: map has no entry for key [hidden]"),
        (
            "{{ mustFromJson .text }}",
            "line 1, column 3: error calling mustFromJson: invalid character [hidden] looking \
                                      for beginning of value",
        ),
        ("{{ fail \"MARK\" }}", "line 1, column 3: error calling fail: [hidden]"),
        ("{{ range 1 }}", "line 1: unexpected EOF"),
        ("\n{{ MARKfunction }}", "line 2: function [hidden] not defined"),
        ("{{ if }}", "line 1: missing value for if"),
        ("{{ end }}", "line 1: unexpected {{end}}"),
        ("{{ \"MARK }}", "line 1: unterminated quoted string"),
        (
            "{{ repeat 9999999 .text }}",
            "line 1, column 3: error calling repeat: a value would be longer than 4194304 \
                                        bytes; make it smaller",
        ),
    ] {
        let error = error_of(text).unwrap_or_else(|| unreachable!("{text} fails"));
        assert_eq!(error.without_source(), wanted, "{text}");
    }
}

#[test]
fn an_error_tells_its_position() {
    let position = |text: &str| error_of(text).and_then(|error| error.position());
    let of = |text: &str| position(text).map(|position| (position.line, position.column));
    assert_eq!(of("a\nb {{ .absent }}"), Some((2, Some(5))));
    assert_eq!(of("a\nb {{ absent }}"), Some((2, None)));
    assert_eq!(of("{{ define \"a\" }}{{ end }}{{ template \"b\" }}").map(|(line, _)| line), Some(1));
}

/// Pieces of templates, each name and text in them marked.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{",
    "}}",
    "(",
    ")",
    "|",
    " ",
    " ",
    ".MARK",
    ".MARKfield",
    "$MARK",
    "$MARK := ",
    "$MARK = ",
    "MARK",
    "\"MARK\"",
    "\"MARK",
    "`MARK`",
    "'M'",
    "'MARK'",
    "0xMARK",
    "1MARK",
    "1e999",
    "99999999999999999999",
    "{{ define \"MARK\" }}",
    "{{ template \"MARK\" }}",
    "{{ block \"MARK\" . }}",
    "{{ end }}",
    "{{ else }}",
    "{{ if .MARKfield }}",
    "{{ range .MARKfield }}",
    "{{ break }}",
    "{{ with",
    "{{/* MARK",
    "*/}}",
    "index ",
    "fail ",
    "upper ",
    "fromJson ",
    "(list \"MARK\")",
    ".MARKfield.MARK",
    "eq ",
    ",",
    "nil",
    "true",
    "\\",
    "\u{7f}",
    "é",
];

/// A small generator, so that a failure repeats itself.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % end.max(1)
    }
}

#[test]
fn no_error_without_source_quotes_the_template() {
    let mut random = Random(0x5eed);
    let (mut parse, mut execute) = (0, 0);
    for _ in 0..40_000 {
        let count = 2 + random.below(9);
        let pieces = (0..count).map(|_| PIECES[random.below(PIECES.len())]).collect::<String>();
        // Half of them are whole actions, which get further.
        let text = if random.below(2) == 0 { format!("{{{{ {pieces} }}}}") } else { pieces };
        let Some(error) = error_of(&text) else { continue };
        match error.phase() {
            Phase::Parse => parse += 1,
            Phase::Execute => execute += 1,
        }
        check(&text, &error);
        assert!(!error.without_source().contains(MARK), "{text}: {}", error.without_source());
        assert!(!error.without_source().contains(CANARY), "{text}: {}", error.without_source());
    }
    assert!(parse > 10_000 && execute > 100, "{parse} and {execute} failed");
}
