//! What the Secret should hold beyond its bookkeeping, as its template shapes it.
//!
//! Enter the shape and the fetched values; leave data, labels, annotations, finalizers and type. Fetched values are part
//! of it with `mergePolicy: Merge`, or when the shape has no templates of data. Precedence, falling: `data`,
//! `templateFrom` (later entries first), fetched values. Templates run off the async threads, within their limits.

mod content;
mod gather;

use api::external_secret::{DecodingStrategy, MergePolicy, Template};
use serde_json::Value;
use template::MissingKey;

use self::gather::{Gatherer, Job, Output};
use super::{sources::Seen, values};
use crate::{
    ctx::Ctx,
    error::{Code, Error},
    provider::Values,
    secret_bytes::SecretBytes,
    templates::{Budget, Place},
};

pub use content::{Content, Placed};

/// Content, and the versions of the objects that its templates came from.
#[derive(Debug)]
pub struct Rendered {
    pub content: Content,
    pub seen: Seen,
}

/// Renders a shape over fetched values.
pub async fn render(
    ctx: &Ctx,
    place: &Place,
    namespace: &str,
    shape: &Template,
    values: Values,
) -> Result<Rendered, Error> {
    let sources = Gatherer { client: &ctx.client, templates: &ctx.templates, namespace };
    let gathered = sources.gather(shape).await?;
    let mut content =
        Content { finalizers: shape.metadata.finalizers.clone(), type_: shape.type_.clone(), ..Content::default() };
    let has_data = !(shape.data.is_empty() && shape.template_from.is_empty());
    if shape.merge_policy == MergePolicy::Merge || !has_data {
        content.data.clone_from(&values);
    }
    let jobs = gathered.jobs;
    if !jobs.is_empty() {
        content = ctx.templates.off_thread(place, move |budget| run(budget, jobs, &values, content)).await?;
    }
    Ok(Rendered { content, seen: gathered.seen })
}

/// Renders every template and files the results.
fn run(budget: &Budget, jobs: Vec<Job>, values: &Values, mut content: Content) -> Result<Content, Error> {
    let data: template::Data = values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    for job in jobs {
        one(budget, &job, &data, &mut content).map_err(|error| error.at(&job.path))?;
    }
    Ok(content)
}

fn one(budget: &Budget, job: &Job, data: &template::Data, content: &mut Content) -> Result<(), Error> {
    let rendered = SecretBytes::new(job.template.render(budget, data, MissingKey::Error)?);
    match &job.output {
        Output::Value(part, key) => {
            let value = values::decode(job.decoding, key, rendered)?;
            content.file(*part, key.clone(), &format!("the key \"{key}\""), value)
        }
        Output::KeysAndValues(part, text) => {
            for (key, value) in keys_and_values(budget, &rendered)? {
                let is_public = text.as_ref().is_some_and(|text| text.contains(&key));
                let name = if is_public { key.as_str() } else { "(a rendered key)" };
                let value = values::decode(job.decoding, name, value)?;
                let told = if is_public { format!("the key \"{key}\"") } else { "a rendered key".to_owned() };
                content.file(*part, key, &told, value)?;
            }
            Ok(())
        }
        Output::PlacedValue(path, key) => {
            let value = values::decode(job.decoding, key, rendered)?;
            let value = Value::Object([(key.clone(), text(&value)?)].into_iter().collect());
            content.placed.push(Placed { path: path.clone(), value });
            Ok(())
        }
        Output::Placed(path) => {
            let value = decoded(job.decoding, yaml(budget, &rendered)?)?;
            content.placed.push(Placed { path: path.clone(), value });
            Ok(())
        }
    }
}

/// What rendered YAML means.
fn yaml(budget: &Budget, rendered: &SecretBytes) -> Result<Value, Error> {
    let failed = |what: &dyn std::fmt::Display| {
        Error::fix(Code::TemplateFailed, format!("the rendered text cannot be put into the object: {what}"))
    };
    let json = template::yaml_json(rendered.expose(), &budget.limits()?).map_err(|error| failed(&error))?;
    let json = SecretBytes::new(json);
    budget.keep(json.expose().len());
    // It is JSON of our own making, which can only be too deep.
    serde_json::from_slice(json.expose()).map_err(|_| failed(&"it is nested too deeply"))
}

/// The texts of a map, decoded.
fn decoded(decoding: DecodingStrategy, mut value: Value) -> Result<Value, Error> {
    if decoding != DecodingStrategy::None {
        for field in value.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if let Value::String(encoded) = field {
                let encoded = std::mem::take(encoded).into_bytes();
                *field = text(&values::decode(decoding, "(a rendered key)", SecretBytes::new(encoded))?)?;
            }
        }
    }
    Ok(value)
}

fn text(value: &SecretBytes) -> Result<Value, Error> {
    let text = String::from_utf8(value.expose().to_vec());
    text.map(Value::String)
        .map_err(|_| Error::fix(Code::TemplateFailed, "the value is not UTF-8, which texts of objects must be"))
}

/// Parses rendered YAML whose top level maps names to values; values that are not text are written as Go writes them.
fn keys_and_values(budget: &Budget, rendered: &SecretBytes) -> Result<Values, Error> {
    let map = template::yaml_texts(rendered.expose(), &budget.limits()?).map_err(|error| {
        Error::fix(Code::TemplateFailed, format!("the rendered text is not lines of \"key: value\": {error}"))
    })?;
    budget.keep(map.iter().map(|(key, value)| key.len() + value.len()).sum());
    Ok(map.into_iter().map(|(key, value)| (key, SecretBytes::new(value))).collect())
}

#[cfg(test)]
mod tests;
