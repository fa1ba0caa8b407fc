use std::time::Instant;

use serde::Deserialize;

use super::*;

/// What the Go library selects of documents; how it was asked stands in the file.
const ROWS: &str = include_str!("../../../../tests/fixtures/gjson.json");

#[derive(Deserialize)]
struct Fixture {
    rows: Vec<(String, String, Option<String>)>,
}

fn selected(json: &[u8], path: &str) -> Result<Option<String>, Refused> {
    let found = get(json, path)?;
    Ok(found.map(|found| String::from_utf8_lossy(&found.plain()).into_owned()))
}

#[test]
fn paths_select_what_they_select_in_go() {
    let fixture: Fixture = serde_json::from_str(ROWS).unwrap();
    assert!(fixture.rows.len() > 900);
    let wrong = fixture.rows.iter().filter_map(|(json, path, expected)| {
        let found = selected(json.as_bytes(), path);
        (found.as_ref() != Ok(expected)).then(|| format!("{path}\n   of {json}\n   is {expected:?}\n   not {found:?}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bytes_that_are_no_text_stay() {
    let json = b"{\"\xff\":1,\"a\":\"x\xffy\"}";
    assert_eq!(get(json, "a").unwrap().unwrap().plain().as_slice(), b"x\xffy");
    assert_eq!(selected(json, "?").unwrap().as_deref(), Some("1"), "a byte that is no text counts as a character");
    assert_eq!(selected(json, "a.@tostr").unwrap().as_deref(), Some("\"x\u{fffd}y\""));
}

#[test]
fn number_that_no_float_holds_keeps_its_digits() {
    assert_eq!(selected(b"[1e400]", "0").unwrap().as_deref(), Some("1e400"));
}

#[test]
fn path_that_could_cost_too_much_is_refused_soon() {
    let long = format!(r#"{{"a":"{}"}}"#, "a".repeat(100_000));
    let wide = format!("[{}1]", "[[1],[2]],".repeat(2_000));
    let deep = "[".repeat(100_000);
    let keys = format!("{{{}\"b\":1}}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1,".repeat(10_000));
    let table = [
        (&long, vec!["[@this,@this]"; 60].join("|")),
        (&long, "a.".repeat(600)),
        (&long, format!("{}{}", "[".repeat(300), "]".repeat(300))),
        (&long, format!("{}@this", "@this.".repeat(150))),
        (&long, format!("[a].#(%\"{}b\")", "*a".repeat(400))),
        (&long, "@dig:@dig:@dig:@dig:@this".into()),
        (&wide, "@dig:@this".into()),
        (&wide, "#(#(#(@this.@this.@this==1)))".repeat(5)),
        (&wide, format!("@pretty:{{\"indent\":\"{}\"}}", " ".repeat(900))),
        (&deep, "@flatten:{\"deep\":true}".into()),
        (&deep, "@pretty".into()),
        (&deep, "@pretty:{\"width\":1e9}".into()),
        (&deep, "@dig:a".into()),
        (&deep, vec!["0"; 500].join(".")),
        (&keys, format!("{}c", "*a".repeat(490))),
    ];
    let mut answers = 0;
    for (json, path) in table {
        let start = Instant::now();
        answers += usize::from(get(json.as_bytes(), &path).is_ok());
        // Far above what the bound of steps lets it take.
        assert!(start.elapsed().as_secs() < 30, "{path}");
    }
    assert!(answers <= 3, "{answers}");
}

#[test]
fn no_path_ends_the_process() {
    let json = br#"{"a":[1,{"b":"x\u00"},"y"],"c":{"d":null}}"#;
    let parts =
        ["#", "(", ")", "[", "]", "{", "}", "\\", "\"", "@", "!", ":", ".", "|", "*", "?", "a", "~", "=", "%", ","];
    for first in parts {
        for second in parts {
            for third in parts {
                for path in [format!("{first}{second}{third}"), format!("a.{first}{second}{third}b{second}")] {
                    let _ = get(json, &path);
                    let _ = get(path.as_bytes(), "a.#.b");
                    let _ = get(path.as_bytes(), "@values.@pretty");
                }
            }
        }
    }
}
