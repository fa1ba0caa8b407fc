//! Paths with slashes. The `os…` functions are the same, because the operator runs on Linux.

use super::Type::{Bool, Str};
use super::{Function, doc};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "base",
        &[Str],
        Str,
        doc("The last element of a path.", r#"{{ base "/etc/tls/tls.crt" }}"#, "tls.crt"),
        |_, args| Ok(Value::str(base(args.str(0)))),
    ),
    Function::new(
        "osBase",
        &[Str],
        Str,
        doc("Same as `base`.", r#"{{ osBase "/etc/tls/tls.crt" }}"#, "tls.crt"),
        |_, args| Ok(Value::str(base(args.str(0)))),
    ),
    Function::new(
        "dir",
        &[Str],
        Str,
        doc("A path without its last element.", r#"{{ dir "/etc/tls/tls.crt" }}"#, "/etc/tls"),
        |_, args| Ok(Value::str(dir(args.str(0)))),
    ),
    Function::new(
        "osDir",
        &[Str],
        Str,
        doc("Same as `dir`.", r#"{{ osDir "/etc/tls/tls.crt" }}"#, "/etc/tls"),
        |_, args| Ok(Value::str(dir(args.str(0)))),
    ),
    Function::new(
        "clean",
        &[Str],
        Str,
        doc(
            "The shortest path that is equal, without `.`, `..` and double slashes.",
            r#"{{ clean "/etc//tls/../ssl/" }}"#,
            "/etc/ssl",
        ),
        |_, args| Ok(Value::str(clean(args.str(0)))),
    ),
    Function::new("osClean", &[Str], Str, doc("Same as `clean`.", r#"{{ osClean "./ssl/" }}"#, "ssl"), |_, args| {
        Ok(Value::str(clean(args.str(0))))
    }),
    Function::new(
        "ext",
        &[Str],
        Str,
        doc("The end of the last element, from its last dot on.", r#"{{ ext "/etc/tls/tls.crt" }}"#, ".crt"),
        |_, args| Ok(Value::str(ext(args.str(0)))),
    ),
    Function::new("osExt", &[Str], Str, doc("Same as `ext`.", r#"{{ osExt "tls.key" }}"#, ".key"), |_, args| {
        Ok(Value::str(ext(args.str(0))))
    }),
    Function::new(
        "isAbs",
        &[Str],
        Bool,
        doc("Whether a path begins with a slash.", r#"{{ isAbs "/etc/tls" }}"#, "true"),
        |_, args| Ok(Value::Bool(args.str(0).starts_with(b"/"))),
    ),
    Function::new(
        "osIsAbs",
        &[Str],
        Bool,
        doc("Same as `isAbs`.", r#"{{ osIsAbs "etc/tls" }}"#, "false"),
        |_, args| Ok(Value::Bool(args.str(0).starts_with(b"/"))),
    ),
];

fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    match path[..end].rsplit(|&byte| byte == b'/').next() {
        None | Some(b"") => b"/",
        Some(name) => name,
    }
}

fn dir(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |last| last + 1);
    clean(&path[..end])
}

fn ext(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    name.iter().rposition(|&byte| byte == b'.').map_or(&[], |dot| &name[dot..])
}

/// Without empty and dot elements, and without `..` where an element before it can go.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for element in path.split(|&byte| byte == b'/') {
        match element {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(&before) if before != b".." => {
                    kept.pop();
                }
                _ if rooted => {}
                _ => kept.push(element),
            },
            _ => kept.push(element),
        }
    }
    let joined = kept.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
