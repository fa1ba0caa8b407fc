//! What becomes text, and how mistakes are told.

use super::*;

fn read(text: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, YamlError> {
    yaml_texts(text, &Limits::default())
}

fn texts(text: &str) -> Vec<(String, String)> {
    let entries = read(text.as_bytes()).unwrap_or_else(|error| unreachable!("{text:?}: {error}"));
    entries.into_iter().map(|(key, value)| (key, lossy(&value))).collect()
}

fn value(text: &str) -> String {
    let entries = texts(&format!("a: {text}"));
    assert_eq!(entries.len(), 1, "{text:?}");
    assert_eq!(entries[0].0, "a", "{text:?}");
    entries[0].1.clone()
}

fn key(text: &str) -> String {
    texts(&format!("{text}: x"))[0].0.clone()
}

fn complaint(text: impl AsRef<[u8]>) -> String {
    read(text.as_ref()).map_err(|error| error.to_string()).expect_err("no mapping from text to text")
}

#[test]
fn scalars_are_written_as_go_writes_what_they_mean() {
    for (text, want) in [
        ("yes", "true"),
        ("Off", "false"),
        ("1.50", "1.5"),
        ("0x10", "16"),
        ("012", "10"),
        ("0b11", "3"),
        ("-7", "-7"),
        ("+7", "7"),
        ("1_000", "1000"),
        ("1e3", "1000"),
        ("1e21", "1e+21"),
        ("1234567.0", "1.234567e+06"),
        ("0.00001", "1e-05"),
        ("-0.0", "-0"),
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        (".inf", "+Inf"),
        (".nan", "NaN"),
        ("", ""),
        ("~", ""),
        ("null", ""),
        ("2020-01-02", "2020-01-02"),
        ("plain words", "plain words"),
        ("12:30", "12:30"),
    ] {
        assert_eq!(value(text), want, "{text:?}");
    }
}

#[test]
fn quoted_tagged_and_block_scalars_stay_text() {
    for (text, want) in [
        ("\"yes\"", "yes"),
        ("'012'", "012"),
        ("\"~\"", "~"),
        ("!!str 1.50", "1.50"),
        ("!!binary aGk=", "hi"),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        ("|-\n  1.50", "1.50"),
        (">\n  one\n  two\n", "one two\n"),
    ] {
        assert_eq!(value(text), want, "{text:?}");
    }
}

#[test]
fn keys_become_text_too() {
    for (text, want) in [("yes", "true"), ("012", "10"), ("1.50", "1.5"), ("'012'", "012"), (".inf", ".inf")] {
        assert_eq!(key(text), want, "{text:?}");
    }
    assert_eq!(key("1.23456789"), "1.2345679");
    assert_eq!(key("9007199254740993"), "9007199254740993");
}

#[test]
fn last_of_equal_keys_wins() {
    assert_eq!(texts("a: 1\nb: 2\na: 3"), [("a".into(), "3".into()), ("b".into(), "2".into())]);
    assert_eq!(texts("1: x\n'1': z"), [("1".into(), "z".into())]);
}

#[test]
fn last_of_own_and_merged_keys_wins() {
    assert_eq!(texts("a: own\n<<: {a: x, b: 012}"), [("a".into(), "x".into()), ("b".into(), "10".into())]);
    assert_eq!(texts("<<: [{a: x}, {a: y}]\nb: own"), [("a".into(), "x".into()), ("b".into(), "own".into())]);
    assert_eq!(texts("<<: {a: x}\na: own"), [("a".into(), "own".into())]);
    assert_eq!(texts("a: &x 012\nb: *x"), [("a".into(), "10".into()), ("b".into(), "10".into())]);
}

#[test]
fn only_the_first_document_counts() {
    assert_eq!(texts("---\na: 1\n---\n[b"), [("a".into(), "1".into())]);
    assert_eq!(texts("{\"a\": true}"), [("a".into(), "true".into())]);
}

#[test]
fn empty_document_is_an_empty_mapping() {
    for text in ["", "\n", "# nothing\n", "---\n", "~", "null", "{}"] {
        assert_eq!(texts(text), [], "{text:?}");
    }
}

#[test]
fn anything_but_a_mapping_is_refused() {
    for text in ["s3cret", "- a\n- b", "12", "'a: b'", "true"] {
        assert!(complaint(text).starts_with("line 1: the document is not a mapping"), "{text:?}");
    }
}

#[test]
fn nested_values_are_refused_with_their_line() {
    for text in ["a: 1\nb: {c: d}", "a: 1\nb: [c]", "x: 1\nb: []", "&x a: 1\n<<: {b: {c: d}}"] {
        assert!(complaint(text).starts_with("line 2: the value is a mapping or list"), "{text:?}");
    }
    assert!(complaint("&whole\na: *whole").starts_with("line 2: the value is a mapping or list"));
}

#[test]
fn bytes_outside_yaml_are_refused_with_their_line() {
    assert_eq!(complaint(b"a: 1\nb: \xff\xfe"), "line 2: invalid leading UTF-8 octet");
    for text in [&b"a: 1\nb: \x00"[..], b"a: 1\nb: \x1b[0m"] {
        assert_eq!(complaint(text), "line 2: control characters are not allowed");
    }
}

#[test]
fn mistakes_name_their_line_and_quote_nothing() {
    for (text, line) in [
        ("a: 1\nb: \"S3CRET", 2),
        ("a: 1\nb: S3CRET: x", 2),
        ("a: 1\nb: *S3CRET", 2),
        ("a: 1\nb: !!binary S3CRET*", 2),
        ("a: 1\n<<: S3CRET", 2),
        ("a: 1\n? [S3CRET]\n: b", 2),
        ("a: 1\n? ~\n: S3CRET", 2),
        ("a: 1\nb: !S3CRET!x y", 2),
        ("a: 1\nb: {S3CRET", 2),
        ("a: 1\nb: @S3CRET", 2),
        ("%S3CRET S3CRET\na: b", 1),
        ("S3CRET", 1),
    ] {
        let error = read(text.as_bytes()).expect_err(text);
        assert!(!format!("{error} {error:?}").contains("S3CRET"), "{text:?}: {error:?}");
        assert_eq!(error.line(), line, "{text:?}: {error}");
    }
}

#[test]
fn bombs_are_refused() {
    let levels =
        (1..40).fold("{x: &a0 y}".to_owned(), |inner, level| format!("[{inner}, &a{level} [*a{}]]", level - 1));
    let copies = (0..30).fold("&a0 {k: v}".to_owned(), |text, level| {
        format!("{text}, &a{} [{}]", level + 1, vec![format!("*a{level}"); 9].join(", "))
    });
    for text in [
        format!("<<: [{copies}]"),
        format!("<<: {levels}"),
        format!("<<: {}", "[".repeat(50_000)),
        format!("? {}", "{a: ".repeat(50_000)),
        format!("a: {}", "x".repeat(5 << 20)),
        // Aliases copy their text.
        format!(
            "a: &a {}\n{}",
            "x".repeat(1 << 20),
            (0..9_000).fold(String::new(), |text, at| text + &format!("k{at}: *a\n"))
        ),
    ] {
        assert!(read(text.as_bytes()).is_err());
    }
}

#[test]
fn quoted_text_goes_on_in_any_column() {
    assert_eq!(
        texts("a: \"b\nc \\\" d\n\ne\"\nf: 'it''s\ng'\n"),
        [("a".to_owned(), "b c \" d\ne".to_owned()), ("f".to_owned(), "it's g".to_owned())]
    );
    assert_eq!(complaint("a: 'b\nc'\nd: @e\n"), "line 3: not valid YAML");
}

#[test]
fn tabs_that_go_refuses_are_refused_on_their_line() {
    for (text, line) in [("a: |\n  b\n\t", 3), ("a: b\n\n\t\n", 3), ("a:\n\t", 2), ("a: 'b'\n \t\nc: d", 2)] {
        assert_eq!(complaint(text), format!("line {line}: not valid YAML"), "{text:?}");
    }
    assert_eq!(
        texts("a: |\n  b\n  \tc\nd:\te\t\n"),
        [("a".to_owned(), "b\n\tc\n".to_owned()), ("d".to_owned(), "e".to_owned())]
    );
}
