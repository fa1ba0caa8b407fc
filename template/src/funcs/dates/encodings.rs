//! What times answer as encodings of themselves: bytes, which `toString` makes a text of.

use super::super::Type::{Bytes, Str};
use super::super::{Args, Function, doc};
use super::time;
use crate::error::Message;
use crate::value::{List, Value};

/// What a time answers as an encoding of itself.
pub(in crate::funcs) const ENCODING_METHODS: &[Function] = &[
    Function::new(
        "GoString",
        &[],
        Str,
        doc(
            "The time as Go source.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").GoString }}"#,
            "time.Date(2026, time.March, 1, 0, 0, 0, 0, time.Local)",
        ),
        |_, args| Ok(Value::text(&time(args, 0).source())),
    ),
    Function::new(
        "MarshalText",
        &[],
        Bytes,
        doc(
            "The time as in RFC 3339, as bytes.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").MarshalText | toString }}"#,
            "2026-03-01T00:00:00Z",
        ),
        |_, args| text(args, "Time.MarshalText").map(|text| bytes(&text)),
    ),
    Function::new(
        "MarshalJSON",
        &[],
        Bytes,
        doc(
            "The time as in JSON, as bytes.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").MarshalJSON | toString }}"#,
            "\"2026-03-01T00:00:00Z\"",
        ),
        |_, args| {
            let text = text(args, "Time.MarshalJSON")?;
            Ok(bytes(&[b"\"", text.as_slice(), b"\""].concat()))
        },
    ),
    Function::new(
        "MarshalBinary",
        &[],
        Bytes,
        doc(
            "The time as Go's binary encodings have it.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").MarshalBinary | printf "%x" }}"#,
            "010000000ee1357880000000000000",
        ),
        |_, args| binary(args).map(|text| bytes(&text)),
    ),
    Function::new(
        "GobEncode",
        &[],
        Bytes,
        doc("Same as `.MarshalBinary`.", r#"{{ (toDate "2006-01-02" "2026-03-01").GobEncode | len }}"#, "15"),
        |_, args| binary(args).map(|text| bytes(&text)),
    ),
    Function::new(
        "AppendFormat",
        &[Bytes, Str],
        Bytes,
        doc(
            "The time in a layout, behind other bytes or nil: bytes, layout.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").AppendFormat nil "Jan 2" | toString }}"#,
            "Mar 1",
        ),
        |_, args| Ok(behind(args, &time(args, 0).format(args.str(2)))),
    ),
    Function::new(
        "AppendText",
        &[Bytes],
        Bytes,
        doc(
            "As `.MarshalText`, behind other bytes or nil.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").AppendText nil | toString }}"#,
            "2026-03-01T00:00:00Z",
        ),
        |_, args| text(args, "Time.AppendText").map(|text| behind(args, &text)),
    ),
    Function::new(
        "AppendBinary",
        &[Bytes],
        Bytes,
        doc(
            "As `.MarshalBinary`, behind other bytes or nil.",
            r#"{{ (toDate "2006-01-02" "2026-03-01").AppendBinary nil | len }}"#,
            "15",
        ),
        |_, args| binary(args).map(|text| behind(args, &text)),
    ),
];

fn text(args: &Args, method: &'static str) -> Result<Vec<u8>, Message> {
    time(args, 0).marshal_text().map_err(|problem| Message::plain(method).text(": ").words(problem))
}

fn binary(args: &Args) -> Result<Vec<u8>, Message> {
    let start = Message::plain("Time.MarshalBinary: ");
    time(args, 0).marshal_binary().map_err(|problem| start.words(problem))
}

/// The bytes behind those that the first argument holds.
fn behind(args: &Args, more: &[u8]) -> Value {
    bytes(&[args.bytes(1).as_slice(), more].concat())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::List(List::of_bytes(bytes))
}
