//! Jobs as a shape gives them, rendered without a cluster.

use api::external_secret::DecodingStrategy;

use super::{content::Part, *};
use crate::{engine::ObjectKey, templates::Templates};

fn job(path: &str, text: &str, output: Output) -> Job {
    decoded(path, text, output, DecodingStrategy::None)
}

fn decoded(path: &str, text: &str, output: Output, decoding: DecodingStrategy) -> Job {
    let template = Templates::detached().parse("k", text.as_bytes()).expect("a template");
    Job { path: path.into(), template, output, decoding }
}

fn lines(part: Part, text: &str) -> Output {
    Output::KeysAndValues(part, Some(text.to_owned()))
}

fn values() -> Values {
    Values::from([("user".to_owned(), "bob".into()), ("bin".to_owned(), SecretBytes::new(vec![0xff, 0]))])
}

fn rendered(jobs: Vec<Job>) -> Result<Content, Error> {
    let templates = Templates::detached();
    let place = templates.place(&ObjectKey::new("n", "a"), true).expect("a place");
    let work = move |budget: &Budget| run(budget, jobs, &values(), Content::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(templates.off_thread(&place, work))
}

#[test]
fn later_jobs_win_and_bytes_pass_through() {
    let jobs = vec![
        job("a", "user: {{ .user }}\nport: 5432\non: yes\nnone:\n", lines(Part::Data, "")),
        job("b", "{{ .user }}!", Output::Value(Part::Data, "user".into())),
        job("c", "{{ .bin }}", Output::Value(Part::Data, "bin".into())),
        job("d", "{{ .user }}", Output::Value(Part::Labels, "who".into())),
        job("e", "a: {{ .user }}\nb: \"{{ .user }} b\"", lines(Part::Annotations, "")),
    ];
    let content = rendered(jobs).expect("rendered");
    let data: Vec<_> = content.data.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    let expected = [("bin", &[0xff, 0][..]), ("none", b""), ("port", b"5432"), ("true", b"true"), ("user", b"bob!")];
    assert_eq!(data, expected, "YAML 1.1 as Go reads it");
    assert_eq!(content.labels["who"], "bob");
    assert_eq!((content.annotations["a"].as_str(), content.annotations["b"].as_str()), ("bob", "bob b"));
}

#[test]
fn rendered_values_are_decoded() {
    let jobs = vec![
        decoded("a", "{{ \"/w==\" }}", Output::Value(Part::Data, "one".into()), DecodingStrategy::Base64),
        decoded("b", "two: _w==\nthree: plain text", lines(Part::Data, ""), DecodingStrategy::Auto),
    ];
    let content = rendered(jobs).expect("rendered");
    let data: Vec<_> = content.data.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    assert_eq!(data, [("one", &[0xff][..]), ("three", b"plain text"), ("two", &[0xff])]);
}

#[test]
fn errors_name_the_place_and_the_kind_of_mistake() {
    let failed =
        |text: &str| rendered(vec![job("data[k]", text, Output::Value(Part::Data, "k".into()))]).expect_err("refused");
    let missing = failed("{{ .absent }}");
    assert_eq!((missing.code(), missing.context()), (Code::TemplateMissingKey, Some("data[k]")));
    assert_eq!(failed("{{ fail \"x\" }}").code(), Code::TemplateFailed);
}

#[test]
fn text_that_is_no_map_is_refused_without_quoting_it() {
    let error = rendered(vec![job("literal", "- {{ .user }}", lines(Part::Data, ""))]).expect_err("a list").to_string();
    assert!(error.contains("key: value") && !error.contains("bob"), "{error}");
}

#[test]
fn rendered_key_is_told_only_where_the_template_has_it_in_plain_text() {
    let failed = |text: &str, shown: Option<&str>| {
        let output = Output::KeysAndValues(Part::Data, shown.map(str::to_owned));
        let job = decoded("literal", text, output, DecodingStrategy::Base64);
        rendered(vec![job]).expect_err("not base64").to_string()
    };
    let text = "{{ .user }}: '!'";
    assert!(!failed(text, Some(text)).contains("bob"));
    let text = "port: '!'";
    assert!(failed(text, Some(text)).contains("\"port\""));
    assert!(!failed(text, None).contains("port"), "from a Secret");
}

#[test]
fn all_templates_together_write_no_more_than_one_may() {
    let of_one = 3 << 20;
    let text = format!("{{{{ repeat {of_one} \"x\" }}}}");
    let jobs = ["a", "b"].map(|key| job(key, &text, Output::Value(Part::Data, key.into())));
    let error = rendered(jobs.into()).expect_err("more than a Secret ever holds");
    assert_eq!((error.code(), error.context()), (Code::TemplateFailed, Some("b")));
    assert!(error.to_string().contains("longer than"), "{error}");

    let aliases = "a: &a {{ repeat 1000000 \"x\" }}\n{{ range 9000 }}k{{ . }}: *a\n{{ end }}";
    let error = rendered(vec![job("literal", aliases, lines(Part::Data, ""))]).expect_err("copies of copies");
    assert!(error.to_string().contains("too large"), "{error}");
}
