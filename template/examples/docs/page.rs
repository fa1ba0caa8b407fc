//! The page on templates: a guide written by hand, with everything in it rendered, and the table of functions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use template::{Data, EXAMPLE_DATA, FunctionDoc, Limits, NamedLimit, Options, Subject, Template};

/// The guide. A block of the language `template` is rendered, and a comment such as `<!-- limits -->` replaced.
const GUIDE: &str = include_str!("../../docs/intro.md");

/// What differs from Go, which the documentation of the crate shows too.
const DIFFERENCES: &str = include_str!("../../docs/differences.md");

/// The whole page, in Markdown.
pub fn page() -> String {
    let mut page =
        String::from("<!-- Written by `make docs` from template/docs/intro.md and the table of functions. -->\n\n");
    let mut lines = GUIDE.lines();
    while let Some(line) = lines.next() {
        match line {
            "```template" => {
                let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                page.push_str(&example(&text.join("\n"), &rendered(&text.join("\n"))));
            }
            "<!-- limits -->" => page.push_str(&limits()),
            "<!-- differences -->" => page.push_str(DIFFERENCES),
            "<!-- data -->" => page.push_str(&data()),
            "<!-- functions -->" => page.push_str(&functions()),
            other => page.extend([other, "\n"]),
        }
    }
    page
}

/// What a template gives over the data of the examples: its output, or the error that users see.
pub fn rendered(text: &str) -> Result<String, String> {
    let data: Data = EXAMPLE_DATA.iter().copied().collect();
    // No example is about the clock, and unoptimised code on a busy machine is slow.
    let limits = Limits { deadline: Duration::from_mins(1), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let output = Template::parse("example", text.as_bytes(), &options.limits)
        .and_then(|template| template.render(&data, &options));
    output.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| error.redacted().to_owned())
}

/// A template and what it gives: in one line where both are short.
fn example(template: &str, outcome: &Result<String, String>) -> String {
    let verb = if outcome.is_ok() { "gives" } else { "fails:" };
    let (Ok(text) | Err(text)) = outcome;
    match (inline(template), inline(text)) {
        (Some(template), Some(text)) if template.len() + text.len() < 110 => format!("{template} {verb} {text}\n"),
        (_, Some(text)) => format!("{}\n{verb} {text}\n", block(template)),
        (_, None) => format!("{}\n{verb}\n\n{}", block(template), block(text)),
    }
}

/// The text as a code span, if that shows it as it is.
fn inline(text: &str) -> Option<String> {
    match text {
        "" => Some("an empty text".to_owned()),
        text if text.contains(['\n', '`']) || text.len() > 100 => None,
        text if text.starts_with(' ') || text.ends_with(' ') => None,
        text => Some(format!("`{text}`")),
    }
}

fn block(text: &str) -> String {
    format!("```text\n{}\n```\n", text.trim_end_matches('\n'))
}

fn limits() -> String {
    let mut table = String::from("| limit | default | can be | bounds |\n|---|---|---|---|\n");
    let usual = Limits::default();
    for limit in Limits::named() {
        let NamedLimit { name, bounds, .. } = limit;
        let (least, most) = limit.range();
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{name}` | {} | {least} to {most} | {bounds} |", limit.value(&usual));
    }
    table
}

fn data() -> String {
    let mut yaml = String::from("```yaml\n");
    for (key, value) in EXAMPLE_DATA {
        if value.trim_end_matches('\n').contains('\n') {
            let _ = writeln!(yaml, "{key}: |\n  {}", value.trim_end_matches('\n').replace('\n', "\n  "));
        } else {
            let _ = writeln!(yaml, "{key}: '{}'", value.replace('\n', "⏎"));
        }
    }
    yaml + "```\n\n`⏎` stands for a line end.\n"
}

/// The functions by subject, then an index of them.
fn functions() -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} functions by subject; a list by name is [at the end](#all-functions-by-name).\n",
        template::functions().count()
    );
    for subject in template::subjects().chain(template::method_subjects()) {
        text.push_str(&section(subject));
    }
    text.push_str("## All functions by name\n\n");
    let anchors = anchors();
    let links = template::functions().map(|FunctionDoc { name, .. }| format!("[`{name}`](#{})", anchors[name]));
    text + &links.collect::<Vec<String>>().join(" ") + "\n"
}

fn section(subject: &Subject) -> String {
    let mut text = format!("## {}\n\n", subject.title);
    for function in subject.functions() {
        let _ = writeln!(text, "### `{}`\n", function.name);
        let _ = writeln!(text, "`{}`\n", function.signature());
        let _ = writeln!(text, "{}\n", function.doc);
        let _ = writeln!(text, "{}", example(function.example.template, &Ok(function.example.output.to_owned())));
    }
    text
}

/// The anchors that the headlines of functions get: in lower case, and counted where that is not unique.
fn anchors() -> BTreeMap<&'static str, String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeMap::new();
    for function in template::subjects().flat_map(Subject::functions) {
        let lower = function.name.to_lowercase();
        let count = seen.entry(lower.clone()).or_default();
        anchors.insert(function.name, if *count == 0 { lower.clone() } else { format!("{lower}-{count}") });
        *count += 1;
    }
    anchors
}
