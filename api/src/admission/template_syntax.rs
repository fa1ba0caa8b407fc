//! Whether the templates of an ExternalSecret can be parsed.

use crate::external_secret::Template;
use crate::problem::Problem;

/// Every template of `spec.target.template` that cannot be parsed. Those in ConfigMaps and Secrets are not looked up.
pub fn problems(template: &Template) -> Vec<Problem> {
    const PATH: &str = "spec.target.template";
    let metadata = &template.metadata;
    let texts = [
        ("data", &template.data),
        ("metadata.labels", &metadata.labels),
        ("metadata.annotations", &metadata.annotations),
    ];
    let literals = template.template_from.iter().enumerate().filter_map(|(index, source)| {
        Some((format!("{PATH}.templateFrom[{index}].literal"), source.literal.as_deref()?))
    });
    texts
        .into_iter()
        .flat_map(|(field, texts)| {
            texts.iter().map(move |(key, text)| (format!("{PATH}.{field}[{key}]"), text.as_str()))
        })
        .chain(literals)
        .filter_map(|(path, text)| problem(&path, text))
        .collect()
}

/// What keeps one template from being parsed.
pub fn problem(path: &str, text: &str) -> Option<Problem> {
    // The path names the template already; the engine wants a name for its own messages.
    const NAME: &str = "template";
    let error = template::check(NAME, text.as_bytes()).err()?;
    let what = error.to_string();
    let what = what.strip_prefix("template: template:").map_or_else(|| what.clone(), |rest| format!("line {rest}"));
    Some(Problem::new(path, what, "correct the template"))
}
