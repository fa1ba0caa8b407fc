//! Every template of a Secret's shape, parsed, in rising order of precedence: `templateFrom` in the order of its list,
//! then `data`, then labels and annotations.
//!
//! An object that several entries name is read once. RBAC: configmaps, secrets `get`.

use std::collections::{BTreeMap, HashMap};

use api::{
    external_secret::{DecodingStrategy, Template, TemplateAs, TemplateFrom, TemplateItem, TemplateTarget},
    field_path::{FieldPath, FieldPathError, PATH_ADVICE},
    template_syntax::LITERAL,
};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Api, Client, ResourceExt};

use super::content::Part;
use crate::{
    engine::{ObjectKey, object::version_number},
    error::{Code, Error},
    reconcile::external_secret::sources::Seen,
    secret_bytes::SecretBytes,
    templates::{Parsed, Templates},
};

/// A template to render, and what becomes of the result.
#[derive(Debug)]
pub struct Job {
    /// Where it stands in the spec, for messages.
    pub path: String,
    pub template: Parsed,
    pub output: Output,
    pub decoding: DecodingStrategy,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The value of one key.
    Value(Part, String),
    /// Lines of `key: value`, each a key. With the text of the template, unless that is secret.
    KeysAndValues(Part, Option<String>),
    /// A place in an object that is no Secret, for one key.
    PlacedValue(FieldPath, String),
    /// The same, for what the text means in YAML.
    Placed(FieldPath),
}

/// Where a template is to go.
#[derive(Clone)]
enum Goal {
    Part(Part),
    Place(FieldPath),
}

/// Templates, and the versions of the objects that they came from.
#[derive(Debug, Default)]
pub struct Gathered {
    pub jobs: Vec<Job>,
    pub seen: Seen,
}

/// Where templates come from.
pub struct Gatherer<'a> {
    pub client: &'a Client,
    pub templates: &'a Templates,
    pub namespace: &'a str,
}

/// What was read for one shape.
#[derive(Default)]
struct Read {
    config_maps: HashMap<String, ConfigMap>,
    secrets: HashMap<String, BTreeMap<String, SecretBytes>>,
    gathered: Gathered,
}

const PATH: &str = "spec.target.template";

impl Gatherer<'_> {
    pub async fn gather(&self, shape: &Template) -> Result<Gathered, Error> {
        let mut read = Read::default();
        for (index, from) in shape.template_from.iter().enumerate() {
            let path = format!("{PATH}.templateFrom[{index}]");
            self.gather_from(from, &path, &mut read).await.map_err(|error| error.at(&path))?;
        }
        let mut gathered = read.gathered;
        for (field, part, texts) in [
            ("data", Part::Data, &shape.data),
            ("metadata.labels", Part::Labels, &shape.metadata.labels),
            ("metadata.annotations", Part::Annotations, &shape.metadata.annotations),
        ] {
            for (key, text) in texts {
                let path = format!("{PATH}.{field}[{key}]");
                let template = self.templates.parse(key, text.as_bytes()).map_err(|error| error.at(&path))?;
                let output = Output::Value(part, key.clone());
                gathered.jobs.push(Job { path, template, output, decoding: DecodingStrategy::None });
            }
        }
        Ok(gathered)
    }

    async fn gather_from(&self, from: &TemplateFrom, path: &str, read: &mut Read) -> Result<(), Error> {
        let goal = goal(from)?;
        let decoding = from.values_decoding_strategy;
        if let Some(source) = &from.config_map {
            self.read_config_map(&source.name, read).await?;
            for item in &source.items {
                let path = format!("{path}.configMap[{}]", item.key);
                let text = read.config_maps[&source.name].data.as_ref().and_then(|data| data.get(&item.key));
                let text = text.ok_or_else(|| no_key("configmap", self.namespace, &source.name, &item.key))?;
                let template = self.templates.parse(&item.key, text.as_bytes()).map_err(|error| error.at(&path))?;
                let output = output(&goal, item, Some(text));
                read.gathered.jobs.push(Job { path, template, output, decoding });
            }
        }
        if let Some(source) = &from.secret {
            self.read_secret(&source.name, read).await?;
            for item in &source.items {
                let path = format!("{path}.secret[{}]", item.key);
                let text = read.secrets[&source.name].get(&item.key);
                let text = text.ok_or_else(|| no_key("secret", self.namespace, &source.name, &item.key))?;
                let template =
                    self.templates.parse_secret(&item.key, text.expose()).map_err(|error| error.at(&path))?;
                read.gathered.jobs.push(Job { path, template, output: output(&goal, item, None), decoding });
            }
        }
        if let Some(text) = &from.literal {
            let path = format!("{path}.literal");
            let template = self.templates.parse(LITERAL, text.as_bytes()).map_err(|error| error.at(&path))?;
            let output = match goal {
                Goal::Part(part) => Output::KeysAndValues(part, Some(text.clone())),
                Goal::Place(path) => Output::Placed(path),
            };
            read.gathered.jobs.push(Job { path, template, output, decoding });
        }
        Ok(())
    }

    async fn read_config_map(&self, name: &str, read: &mut Read) -> Result<(), Error> {
        if read.config_maps.contains_key(name) {
            return Ok(());
        }
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), self.namespace);
        let found = api.get_opt(name).await;
        let found = found.map_err(|error| Error::kube(&reading("configmap", self.namespace, name), &error))?;
        let found = found.ok_or_else(|| absent("configmap", self.namespace, name))?;
        let version = version_number(found.resource_version().as_deref());
        read.gathered.seen.config_maps.push((ObjectKey::new(self.namespace, name), version));
        read.config_maps.insert(name.to_owned(), found);
        Ok(())
    }

    async fn read_secret(&self, name: &str, read: &mut Read) -> Result<(), Error> {
        if read.secrets.contains_key(name) {
            return Ok(());
        }
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let found = api.get_opt(name).await;
        let found = found.map_err(|error| Error::kube(&reading("secret", self.namespace, name), &error))?;
        let found = found.ok_or_else(|| absent("secret", self.namespace, name))?;
        let version = version_number(found.resource_version().as_deref());
        read.gathered.seen.secrets.push((ObjectKey::new(self.namespace, name), version));
        // All of it is wrapped, so that what is not asked for is wiped too.
        let data = found.data.unwrap_or_default().into_iter();
        let data = data.map(|(key, ByteString(value))| (key, SecretBytes::new(value))).collect();
        read.secrets.insert(name.to_owned(), data);
        Ok(())
    }
}

fn goal(from: &TemplateFrom) -> Result<Goal, Error> {
    Ok(match from.target() {
        TemplateTarget::Data => Goal::Part(Part::Data),
        TemplateTarget::Labels => Goal::Part(Part::Labels),
        TemplateTarget::Annotations => Goal::Part(Part::Annotations),
        TemplateTarget::Path(path) => Goal::Place(path.parse().map_err(|error: FieldPathError| {
            Error::fix(Code::SpecInvalid, format!("target: {error}; {PATH_ADVICE}"))
        })?),
    })
}

fn output(goal: &Goal, item: &TemplateItem, text: Option<&String>) -> Output {
    match (goal, item.template_as) {
        (Goal::Part(part), TemplateAs::Values) => Output::Value(*part, item.key.clone()),
        (Goal::Part(part), TemplateAs::KeysAndValues) => Output::KeysAndValues(*part, text.cloned()),
        (Goal::Place(path), TemplateAs::Values) => Output::PlacedValue(path.clone(), item.key.clone()),
        (Goal::Place(path), TemplateAs::KeysAndValues) => Output::Placed(path.clone()),
    }
}

fn reading(kind: &str, namespace: &str, name: &str) -> String {
    format!("reading {kind} {namespace}/{name}")
}

fn absent(kind: &str, namespace: &str, name: &str) -> Error {
    let message = format!("{kind} {namespace}/{name} does not exist; create it or correct the name");
    Error::wait(Code::ReferenceNotFound, message)
}

fn no_key(kind: &str, namespace: &str, name: &str, key: &str) -> Error {
    let message = format!("{kind} {namespace}/{name} has no key \"{key}\"; add it or correct items");
    Error::wait(Code::ReferenceKeyMissing, message)
}
