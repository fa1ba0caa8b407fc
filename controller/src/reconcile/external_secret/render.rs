//! What the Secret should hold beyond its bookkeeping: data, labels, annotations, finalizers, type.
//!
//! Without a template, the fetched values and the ExternalSecret's own labels and annotations. With one, only what it
//! says; precedence: `template.data` over `templateFrom` over fetched values. Templates run off the async threads,
//! bounded by their limits. RBAC: configmaps, secrets `get` (templateFrom).

use std::collections::BTreeMap;

use api::external_secret::{MergePolicy, Template, TemplateAs, TemplateFrom, TemplateSource, TemplateTarget};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};

use super::values;
use crate::{
    error::{Code, Error},
    provider::Values,
    secret_bytes::SecretBytes,
};

/// See the module documentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    pub data: Values,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub finalizers: Vec<String>,
    /// `None`: leave it as it is, `Opaque` when created.
    pub type_: Option<String>,
}

/// A text to render, and what becomes of the result.
#[derive(Debug, PartialEq)]
struct Job {
    /// Where it stands in the spec, for messages.
    path: String,
    text: SecretBytes,
    output: Output,
    decoding: api::external_secret::DecodingStrategy,
}

#[derive(Clone, Debug, PartialEq)]
enum Output {
    /// The value of one key.
    Value(Part, String),
    /// Lines of `key: value`, each a key.
    KeysAndValues(Part),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Data,
    Labels,
    Annotations,
}

/// Renders a template over fetched values.
pub async fn render(client: &Client, namespace: &str, template: &Template, values: Values) -> Result<Content, Error> {
    let jobs = gather(client, namespace, template).await?;
    let mut content = Content {
        finalizers: template.metadata.finalizers.clone(),
        type_: template.type_.clone(),
        ..Content::default()
    };
    let has_data = !(template.data.is_empty() && template.template_from.is_empty());
    if template.merge_policy == MergePolicy::Merge || !has_data {
        content.data.clone_from(&values);
    }
    let rendering = tokio::task::spawn_blocking(move || run(jobs, &values, content));
    rendering.await.map_err(|_| Error::bug(Code::Panicked, "rendering the template hit a defect of the operator"))?
}

/// Every text, in rising order of precedence.
async fn gather(client: &Client, namespace: &str, template: &Template) -> Result<Vec<Job>, Error> {
    let mut jobs = Vec::new();
    for (index, from) in template.template_from.iter().enumerate() {
        let path = format!("spec.target.template.templateFrom[{index}]");
        gather_from(client, namespace, from, &path, &mut jobs).await.map_err(|error| error.at(&path))?;
    }
    let inline = |field: &str, part: Part, texts: &BTreeMap<String, String>| -> Vec<Job> {
        let job = |(key, text): (&String, &String)| Job {
            path: format!("spec.target.template.{field}[\"{key}\"]"),
            text: text.as_str().into(),
            output: Output::Value(part, key.clone()),
            decoding: api::external_secret::DecodingStrategy::None,
        };
        texts.iter().map(job).collect()
    };
    jobs.extend(inline("data", Part::Data, &template.data));
    jobs.extend(inline("metadata.labels", Part::Labels, &template.metadata.labels));
    jobs.extend(inline("metadata.annotations", Part::Annotations, &template.metadata.annotations));
    Ok(jobs)
}

async fn gather_from(
    client: &Client,
    namespace: &str,
    from: &TemplateFrom,
    path: &str,
    jobs: &mut Vec<Job>,
) -> Result<(), Error> {
    let part = match from.target() {
        TemplateTarget::Data => Part::Data,
        TemplateTarget::Labels => Part::Labels,
        TemplateTarget::Annotations => Part::Annotations,
        TemplateTarget::Path(other) => {
            return Err(Error::fix(
                Code::SpecInvalid,
                format!("target \"{other}\" is not part of a Secret; use Data, Labels or Annotations"),
            ));
        }
    };
    let decoding = from.values_decoding_strategy;
    if let Some(source) = &from.config_map {
        let texts = config_map(client, namespace, source).await?;
        push(jobs, path, part, decoding, source, texts);
    }
    if let Some(source) = &from.secret {
        let texts = secret(client, namespace, source).await?;
        push(jobs, path, part, decoding, source, texts);
    }
    if let Some(literal) = &from.literal {
        let path = format!("{path}.literal");
        jobs.push(Job { path, text: literal.as_str().into(), output: Output::KeysAndValues(part), decoding });
    }
    Ok(())
}

fn push(
    jobs: &mut Vec<Job>,
    path: &str,
    part: Part,
    decoding: api::external_secret::DecodingStrategy,
    source: &TemplateSource,
    texts: Vec<SecretBytes>,
) {
    for (item, text) in source.items.iter().zip(texts) {
        let output = match item.template_as {
            TemplateAs::Values => Output::Value(part, item.key.clone()),
            TemplateAs::KeysAndValues => Output::KeysAndValues(part),
        };
        jobs.push(Job { path: format!("{path} key \"{}\"", item.key), text, output, decoding });
    }
}

async fn config_map(client: &Client, namespace: &str, source: &TemplateSource) -> Result<Vec<SecretBytes>, Error> {
    let what = format!("configmap {namespace}/{}", source.name);
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = api.get(&source.name).await.map_err(|error| Error::kube(&format!("reading {what}"), &error))?;
    let text = |key: &str| map.data.as_ref().and_then(|data| data.get(key)).map(|text| text.as_str().into());
    source.items.iter().map(|item| text(&item.key).ok_or_else(|| no_key(&what, &item.key))).collect()
}

async fn secret(client: &Client, namespace: &str, source: &TemplateSource) -> Result<Vec<SecretBytes>, Error> {
    let what = format!("secret {namespace}/{}", source.name);
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let found = api.get(&source.name).await.map_err(|error| Error::kube(&format!("reading {what}"), &error))?;
    let mut data = found.data.unwrap_or_default();
    let mut text = |key: &str| data.remove(key).map(|bytes| SecretBytes::new(bytes.0));
    source.items.iter().map(|item| text(&item.key).ok_or_else(|| no_key(&what, &item.key))).collect()
}

fn no_key(what: &str, key: &str) -> Error {
    Error::wait(Code::ReferenceKeyMissing, format!("{what} has no key \"{key}\"; add it or correct items"))
}

/// Renders every text and files the results. Runs on a blocking thread.
fn run(jobs: Vec<Job>, values: &Values, mut content: Content) -> Result<Content, Error> {
    let data: template::Data = values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    let options = template::Options::default();
    for job in jobs {
        let rendered = text(&job, &data, &options).map_err(|error| error.at(&job.path))?;
        match job.output {
            Output::Value(part, key) => {
                let value = values::decode(job.decoding, &key, rendered).map_err(|error| error.at(&job.path))?;
                file(&mut content, part, key, value).map_err(|error| error.at(&job.path))?;
            }
            Output::KeysAndValues(part) => {
                for (key, value) in keys_and_values(&rendered).map_err(|error| error.at(&job.path))? {
                    let value = values::decode(job.decoding, &key, value).map_err(|error| error.at(&job.path))?;
                    file(&mut content, part, key, value).map_err(|error| error.at(&job.path))?;
                }
            }
        }
    }
    Ok(content)
}

fn text(job: &Job, data: &template::Data, options: &template::Options) -> Result<SecretBytes, Error> {
    let name = match &job.output {
        Output::Value(_, key) => key.as_str(),
        Output::KeysAndValues(_) => "literal",
    };
    let parsed = template::Template::parse(name, job.text.expose(), &options.limits)
        .map_err(|error| Error::fix(Code::TemplateInvalid, error.to_string()))?;
    let rendered = parsed.render(data, options).map_err(|error| {
        let message = error.to_string();
        // Go's words for a missing key, which is the mistake that users make most.
        let code =
            if message.contains("map has no entry for key") { Code::TemplateMissingKey } else { Code::TemplateFailed };
        Error::fix(code, message)
    })?;
    Ok(SecretBytes::new(rendered))
}

fn file(content: &mut Content, part: Part, key: String, value: SecretBytes) -> Result<(), Error> {
    let map = match part {
        Part::Data => {
            content.data.insert(key, value);
            return Ok(());
        }
        Part::Labels => &mut content.labels,
        Part::Annotations => &mut content.annotations,
    };
    let text = String::from_utf8(value.expose().to_vec()).map_err(|_| {
        Error::fix(
            Code::TemplateFailed,
            format!("the value of \"{key}\" is not UTF-8, which labels and annotations must be"),
        )
    })?;
    map.insert(key, text);
    Ok(())
}

/// Parses rendered YAML whose top level maps names to values; values that are not text are written as Go writes them.
fn keys_and_values(rendered: &SecretBytes) -> Result<Values, Error> {
    let map = template::yaml_texts(rendered.expose()).map_err(|error| {
        Error::fix(Code::TemplateFailed, format!("the rendered text is not lines of \"key: value\": {error}"))
    })?;
    Ok(map.into_iter().map(|(key, value)| (key, SecretBytes::new(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(path: &str, text: &str, output: Output) -> Job {
        Job { path: path.into(), text: text.into(), output, decoding: api::external_secret::DecodingStrategy::None }
    }

    fn values() -> Values {
        Values::from([("user".to_owned(), "bob".into()), ("bin".to_owned(), SecretBytes::new(vec![0xff, 0]))])
    }

    #[test]
    fn later_jobs_win_and_bytes_pass_through() {
        let jobs = vec![
            job("a", "user: {{ .user }}\nport: 5432\non: yes\nnone:\n", Output::KeysAndValues(Part::Data)),
            job("b", "{{ .user }}!", Output::Value(Part::Data, "user".into())),
            job("c", "{{ .bin }}", Output::Value(Part::Data, "bin".into())),
            job("d", "{{ .user }}", Output::Value(Part::Labels, "who".into())),
        ];
        let content = run(jobs, &values(), Content::default()).expect("rendered");
        let data: Vec<_> = content.data.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        let expected =
            [("bin", &[0xff, 0][..]), ("none", b""), ("port", b"5432"), ("true", b"true"), ("user", b"bob!")];
        assert_eq!(data, expected, "YAML 1.1 as Go reads it");
        assert_eq!(content.labels["who"], "bob");
    }

    #[test]
    fn errors_name_the_place_and_the_kind_of_mistake() {
        let failed = |text: &str| {
            run(vec![job("data[\"k\"]", text, Output::Value(Part::Data, "k".into()))], &values(), Content::default())
                .expect_err("refused")
        };
        let missing = failed("{{ .absent }}");
        assert_eq!((missing.code(), missing.context()), (Code::TemplateMissingKey, Some("data[\"k\"]")));
        assert_eq!(failed("{{ nosuch .user }}").code(), Code::TemplateInvalid);
        assert!(failed("{{ nosuch .user }}").to_string().contains("nosuch"));
        assert_eq!(failed("{{ fail \"x\" }}").code(), Code::TemplateFailed);
    }

    #[test]
    fn text_that_is_no_map_is_refused_without_quoting_it() {
        let jobs = vec![job("literal", "- {{ .user }}", Output::KeysAndValues(Part::Data))];
        let error = run(jobs, &values(), Content::default()).expect_err("a list").to_string();
        assert!(error.contains("key: value") && !error.contains("bob"), "{error}");
    }
}
