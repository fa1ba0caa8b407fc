use super::*;

fn text(value: &SecretBytes) -> &str {
    std::str::from_utf8(value.expose()).unwrap()
}

#[test]
fn document_is_written_as_go_marshals_it() {
    let table = [
        (r#"{"b":1,"a":"x"}"#, r#"{"a":"x","b":1}"#),
        (r#" { "a" : [ 1 , true , null ] } "#, r#"{"a":[1,true,null]}"#),
        (r#"{"h":"<a href='x'>&</a>"}"#, r#"{"h":"\u003ca href='x'\u003e\u0026\u003c/a\u003e"}"#),
        ("{\"l\":\"\u{2028}\u{2029}\"}", r#"{"l":"\u2028\u2029"}"#),
        (r#""\u0000\u001f\b\f\n\r\t\"\\\/\u007f""#, "\"\\u0000\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\u{7f}\""),
        (r#""\ud83d\ude0b é \ud83d \ude0b""#, "\"😋 é \u{fffd} \u{fffd}\""),
        (r#"{"k":12345678901234567890,"f":1.50,"e":1E+2}"#, r#"{"e":1E+2,"f":1.50,"k":12345678901234567890}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        (r#"{"":{}}"#, r#"{"":{}}"#),
    ];
    for (input, expected) in table {
        let written = Json::parse(input.as_bytes()).unwrap().to_text(Numbers::AsWritten);
        assert_eq!(written.as_str(), expected, "{input}");
    }
    let lossy = Json::parse(b"\"\xff\"").unwrap();
    assert_eq!(lossy.as_str(), Some("\u{fffd}"));
}

#[test]
fn float_numbers_are_written_as_go_writes_them() {
    let table = [
        ("1", "1", "1"),
        ("-0", "-0", "-0"),
        ("12345678901234567890", "12345678901234567890", "12345678901234567890"),
        ("1.0", "1", "1"),
        ("1.50", "1.5", "1.5"),
        ("1e3", "1000", "1000"),
        ("1e21", "1000000000000000000000", "1e+21"),
        ("1.5e-7", "0.00000015", "1.5e-7"),
        ("0.0", "0", "0"),
        ("1e999", "1e999", "1e999"),
    ];
    for (input, value, nested) in table {
        let array = Json::parse(format!("[{input}]").as_bytes()).unwrap();
        assert_eq!(array.to_text(Numbers::AsFloats).as_str(), format!("[{nested}]"), "{input}");
        let Json::Array(items) = array else { unreachable!() };
        assert_eq!(text(&items[0].to_value(Numbers::AsFloats)), value, "{input}");
        assert_eq!(text(&items[0].to_value(Numbers::AsWritten)), input);
    }
}

/// How it was made stands in the file.
const ROWS: &str = include_str!("../../../tests/fixtures/json.json");

#[derive(serde::Deserialize)]
struct Fixture {
    rows: Vec<(String, String, BTreeMap<String, String>)>,
}

#[test]
fn documents_and_members_are_rendered_as_in_go() {
    let fixture: Fixture = serde_json::from_str(ROWS).unwrap();
    for (input, whole, members) in fixture.rows {
        let document = Json::parse(input.as_bytes()).unwrap();
        assert_eq!(document.to_text(Numbers::AsFloats).as_str(), whole, "{input}");
        let rendered = document.as_object().into_iter().flatten();
        let rendered: BTreeMap<_, _> =
            rendered.map(|(name, value)| (name.clone(), text(&render(value)).to_owned())).collect();
        assert_eq!(rendered, members, "{input}");
    }
}

#[test]
fn value_is_raw_text_and_null_is_nothing() {
    let table =
        [(r#""a<b""#, "a<b"), ("null", ""), ("true", "true"), (r#"{"b":"<","a":[]}"#, r#"{"a":[],"b":"\u003c"}"#)];
    for (input, expected) in table {
        assert_eq!(text(&Json::parse(input.as_bytes()).unwrap().to_value(Numbers::AsWritten)), expected, "{input}");
    }
}

#[test]
fn merged_object_is_written_without_escapes_for_html() {
    let members = object(br#"{"b":"<&>","a":1.50}"#).unwrap();
    assert_eq!(object_text(&members), br#"{"a":1.5,"b":"<&>"}"#);
    assert_eq!(text(&render(&members["a"])), "1.5");
    assert!(object(b"[1]").is_none() && object(b"{").is_none());
}

#[test]
fn what_is_not_json_is_refused_without_quoting_it() {
    let deep = "[".repeat(1_000_000);
    let many = format!("[{}0]", "0,".repeat(200_001));
    let inputs = ["", "{", "[1,]", "{\"a\"}", "tru", "01", "1.", "-", "\"canary", "\"\\x\"", "\"\\u12\"", "1 canary"];
    for input in inputs.into_iter().chain([deep.as_str(), many.as_str(), "\"\n\"", "\u{1F60B}", "\"\\u😋\""]) {
        let problem = Json::parse(input.as_bytes()).unwrap_err().to_string();
        assert!(!problem.contains("canary"), "{problem}");
    }
}

#[test]
fn members_keep_their_text() {
    let found = members(r#" {"a" : 1.50 , "b":"x\n","c":{ "d" : null }, "a": 2} "#).unwrap().unwrap();
    let found: Vec<_> = found.iter().map(|(name, raw)| (name.as_str(), *raw)).collect();
    assert_eq!(found, [("a", "2"), ("b", r#""x\n""#), ("c", r#"{ "d" : null }"#)]);
    assert_eq!(members("[1]"), Ok(None));
    assert!(members(" null ").unwrap().unwrap().is_empty(), "as in Go");
    assert!(members("{").is_err());
    assert!(members("[1] x").is_err());
}

#[test]
fn property_follows_the_gjson_dialect() {
    let json = r#"{"a":{"b":[1,{"c":"x<y"}],"n":1.50,"z":null},"dot.ted":"d","u":"\u003c","list":["p","q"]}"#;
    let table = [
        ("a.b.1.c", Some("x<y")),
        ("a.b.0", Some("1")),
        ("a.b", Some(r#"[1,{"c":"x<y"}]"#)),
        ("a.n", Some("1.5")),
        ("a.z", Some("")),
        (r"dot\.ted", Some("d")),
        ("u", Some("<")),
        ("list.#", Some("2")),
        ("l*.1", Some("q")),
        ("missing", None),
        ("a.b.7", None),
        ("", None),
    ];
    for (path, expected) in table {
        let found = property(json.as_bytes(), path).unwrap();
        assert_eq!(found.as_ref().map(text), expected, "{path}");
    }
}
