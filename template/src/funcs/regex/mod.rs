//! Regular expressions in Go's syntax, matched in linear time.

use super::Type::{Bool, Int, Str, Strings};
use super::{Args, Function, doc};
use crate::bytes::Buffer;
use crate::context::Context;
use crate::error::Message;
use crate::value::{Elem, List, Value};

mod engine;
mod pattern;
mod subject;
mod syntax;

pub(crate) use pattern::Pattern;

use subject::{Found, append};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "regexMatch",
        &[Str, Str],
        Bool,
        doc(
            "Whether the pattern occurs in the text: pattern, text. A pattern is Go's, which is RE2's; `^` and `$` \
             tie it to both ends. **A bad pattern gives false.**",
            r#"{{ regexMatch "^db-[0-9]+[.]" .hosts }}"#,
            "true",
        ),
        |context, args| {
            let Ok(pattern) = context.regex(args.str(0)) else { return Ok(Value::Bool(false)) };
            Ok(Value::Bool(pattern.on(context, args.str(1))?.is_match(context)?))
        },
    ),
    Function::new(
        "mustRegexMatch",
        &[Str, Str],
        Bool,
        doc("As `regexMatch`; a bad pattern fails.", r#"{{ mustRegexMatch "^[a-z]+$" .user }}"#, "true"),
        |context, args| {
            let pattern = context.regex(args.str(0))?;
            Ok(Value::Bool(pattern.on(context, args.str(1))?.is_match(context)?))
        },
    ),
    Function::new(
        "regexFind",
        &[Str, Str],
        Str,
        doc(
            "The first match of a pattern, or an empty text: pattern, text. A bad pattern fails, here and below.",
            r#"{{ regexFind "db-2[a-z.]*" .hosts }}"#,
            "db-2.example.com",
        ),
        |context, args| find(context, args, loud),
    ),
    Function::new(
        "mustRegexFind",
        &[Str, Str],
        Str,
        doc("Same as `regexFind`.", r#"{{ mustRegexFind "[0-9]+" .url }}"#, "8443"),
        |context, args| find(context, args, plain),
    ),
    Function::new(
        "regexFindAll",
        &[Str, Str, Int],
        Strings,
        doc(
            "The list of the first matches: pattern, text, how many, -1 for all.",
            r#"{{ regexFindAll "db-[0-9]" .hosts -1 | join "," }}"#,
            "db-1,db-2,db-1",
        ),
        |context, args| find_all(context, args, loud),
    ),
    Function::new(
        "mustRegexFindAll",
        &[Str, Str, Int],
        Strings,
        doc("Same as `regexFindAll`.", r#"{{ mustRegexFindAll "db-[0-9]" .hosts 1 | join "," }}"#, "db-1"),
        |context, args| find_all(context, args, plain),
    ),
    Function::new(
        "regexReplaceAll",
        &[Str, Str, Str],
        Str,
        doc(
            "The text with each match replaced: pattern, text, replacement. `${1}` or `${name}` in the replacement \
             is what a group matched.",
            r#"{{ regexReplaceAll "//[^@]*@" .url "//" }}"#,
            "https://db.example.com:8443/v1/keys?ttl=30#top",
        ),
        |context, args| replace(context, args, loud, true),
    ),
    Function::new(
        "mustRegexReplaceAll",
        &[Str, Str, Str],
        Str,
        doc(
            "Same as `regexReplaceAll`.",
            r#"{{ mustRegexReplaceAll "db-([0-9])" .hosts "replica-${1}" }}"#,
            "replica-1.example.com,replica-2.example.com,replica-1.example.com",
        ),
        |context, args| replace(context, args, plain, true),
    ),
    Function::new(
        "regexReplaceAllLiteral",
        &[Str, Str, Str],
        Str,
        doc(
            "As `regexReplaceAll`, with the replacement as it is, `$` included.",
            r#"{{ regexReplaceAllLiteral "[0-9]+" .port "$PORT" }}"#,
            "$PORT",
        ),
        |context, args| replace(context, args, loud, false),
    ),
    Function::new(
        "mustRegexReplaceAllLiteral",
        &[Str, Str, Str],
        Str,
        doc(
            "Same as `regexReplaceAllLiteral`.",
            r#"{{ mustRegexReplaceAllLiteral "[.]" .host "$" }}"#,
            "db$example$com",
        ),
        |context, args| replace(context, args, plain, false),
    ),
    Function::new(
        "regexSplit",
        &[Str, Str, Int],
        Strings,
        doc(
            "The list of the parts between matches: pattern, text, how many at most, -1 for all.",
            r#"{{ regexSplit "[,;] *" .hosts -1 | last }}"#,
            "db-1.example.com",
        ),
        |context, args| split(context, args, loud),
    ),
    Function::new(
        "mustRegexSplit",
        &[Str, Str, Int],
        Strings,
        doc("Same as `regexSplit`.", r#"{{ mustRegexSplit "[.]" .host 2 | last }}"#, "example.com"),
        |context, args| split(context, args, plain),
    ),
    Function::new(
        "regexQuoteMeta",
        &[Str],
        Str,
        doc("A pattern that matches exactly the text.", "{{ regexQuoteMeta .host }}", r"db\.example\.com"),
        |_, args| Ok(Value::str(pattern::quoted(args.str(0)))),
    ),
];

/// How a function words the complaint about a pattern.
type Wording = fn(&[u8], &Message) -> Message;

/// As it is.
fn plain(_: &[u8], message: &Message) -> Message {
    message.clone()
}

/// As the panic that Go makes of it, with the whole pattern.
fn loud(pattern: &[u8], message: &Message) -> Message {
    let shown = if crate::fmt::quote::can_backquote(pattern) {
        [b"`", pattern, b"`"].concat()
    } else {
        crate::fmt::quote::quote(pattern, false)
    };
    let mut whole = Message::plain("regexp: Compile(").data(shown).text("): ");
    whole.append(message);
    whole
}

fn find(context: &mut Context, args: &Args, wording: Wording) -> Result<Value, Message> {
    let pattern = context.regex(args.str(0)).map_err(|message| wording(args.str(0), &message))?;
    let subject = pattern.on(context, args.str(1))?;
    let found = subject.matches().next(context)?;
    Ok(Value::str(&args.str(1)[found.map_or(0..0, |found| found.range)]))
}

fn find_all(context: &mut Context, args: &Args, wording: Wording) -> Result<Value, Message> {
    let pattern = context.regex(args.str(0)).map_err(|message| wording(args.str(0), &message))?;
    let subject = pattern.on(context, args.str(1))?;
    let (mut matches, most) = (subject.matches(), at_most(args.int(2)));
    let mut parts = Vec::new();
    while parts.len() < most
        && let Some(found) = matches.next(context)?
    {
        context.check_elements(parts.len())?;
        parts.push(&args.str(1)[found.range]);
    }
    Ok(Value::List(if parts.is_empty() { List::nil(Elem::Str) } else { List::of_strings(parts) }))
}

fn replace(context: &mut Context, args: &Args, wording: Wording, expands: bool) -> Result<Value, Message> {
    let pattern = context.regex(args.str(0)).map_err(|message| wording(args.str(0), &message))?;
    let (text, replacement) = (args.str(1), args.str(2));
    let subject = pattern.on(context, text)?;
    let mut out = Buffer::default();
    let mut copied = 0;
    let mut matches = subject.matches();
    while let Some(found) = matches.next(context)? {
        append(context, &mut out, &text[copied..found.range.start])?;
        if expands {
            found.expand(context, replacement, &mut out)?;
        } else {
            append(context, &mut out, replacement)?;
        }
        copied = found.range.end;
    }
    append(context, &mut out, &text[copied..])?;
    Ok(Value::str(out))
}

fn split(context: &mut Context, args: &Args, wording: Wording) -> Result<Value, Message> {
    let pattern = context.regex(args.str(0)).map_err(|message| wording(args.str(0), &message))?;
    let subject = pattern.on(context, args.str(1))?;
    let (text, count) = (args.str(1), args.int(2));
    let most = at_most(count);
    if most == 0 {
        return Ok(Value::List(List::nil(Elem::Str)));
    }
    if text.is_empty() && !args.str(0).is_empty() {
        return Ok(Value::List(List::of_strings([Vec::new()])));
    }
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    let mut matches = subject.matches();
    while parts.len() < most - 1
        && let Some(Found { range: found, .. }) = matches.next(context)?
    {
        context.check_elements(parts.len())?;
        end = found.start;
        // An empty match at the very start separates nothing.
        if found.end != 0 {
            parts.push(text[begin..end].to_vec());
        }
        begin = found.end;
    }
    if end != text.len() {
        parts.push(text[begin..].to_vec());
    }
    Ok(Value::List(List::of_strings(parts)))
}

/// A count of which a negative one means all.
fn at_most(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
