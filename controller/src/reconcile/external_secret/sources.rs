//! The ConfigMaps and Secrets that hold templates (`templateFrom`): who uses which, and whether they changed since.
//!
//! An edit of one wakes the ExternalSecrets that use it. RBAC: configmaps, secrets `list`, `watch` (metadata only);
//! without it an edit is picked up at the next refresh.

use std::sync::Arc;

use serde::Deserialize;

use crate::engine::{
    ObjectKey,
    references::{References, Served, Versions},
};

/// See the module documentation.
pub struct Sources {
    pub config_maps: Arc<References<ObjectKey>>,
    pub secrets: Arc<References<ObjectKey>>,
}

/// Objects with templates in certain versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub config_maps: Versions,
    pub secrets: Versions,
}

impl Sources {
    /// `wake` is called with an ExternalSecret whose templates have changed; `served_at` tells its last refresh.
    pub fn new(
        wake: impl Fn(&ObjectKey) + Clone + Send + Sync + 'static,
        served_at: impl Fn(&ObjectKey) -> Option<Served> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self {
            config_maps: Arc::new(References::new(wake.clone(), served_at.clone())),
            secrets: Arc::new(References::new(wake, served_at)),
        }
    }

    /// Takes note of what an ExternalSecret's spec names. Its own target is left out: who renders what it wrote would
    /// never come to rest.
    pub fn set(&self, user: &ObjectKey, target: Target<'_>, named: Named) {
        let keys = |names: Vec<String>, own: Option<&ObjectKey>| {
            let keys = names.into_iter().map(|name| ObjectKey::new(user.namespace(), &name));
            keys.filter(|key| own != Some(key)).collect()
        };
        let (own_map, own_secret) = match target {
            Target::ConfigMap(target) => (Some(target), None),
            Target::Secret(target) => (None, Some(target)),
            Target::Other => (None, None),
        };
        self.config_maps.set(user, keys(named.config_maps, own_map));
        self.secrets.set(user, keys(named.secrets, own_secret));
    }

    pub fn forget(&self, user: &ObjectKey) {
        self.config_maps.forget(user);
        self.secrets.forget(user);
    }

    /// Whether a template changed since the ExternalSecret was rendered.
    pub fn are_newer(&self, user: &ObjectKey) -> bool {
        self.config_maps.is_outdated(user) || self.secrets.is_outdated(user)
    }

    /// The versions that are known now.
    pub fn seen(&self, user: &ObjectKey) -> Seen {
        Seen { config_maps: self.config_maps.current(user), secrets: self.secrets.current(user) }
    }

    /// The ExternalSecret is in step with these versions.
    pub fn settle(&self, user: &ObjectKey, seen: Seen) {
        self.config_maps.settle(user, seen.config_maps);
        self.secrets.settle(user, seen.secrets);
    }
}

/// What an ExternalSecret writes, as far as it can be a template too.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    Secret(&'a ObjectKey),
    ConfigMap(&'a ObjectKey),
    Other,
}

/// Names of objects with templates.
#[derive(Debug, Default, PartialEq)]
pub struct Named {
    pub config_maps: Vec<String>,
    pub secrets: Vec<String>,
}

/// `spec.target.template`, as far as it names other objects; the rest of the spec is not decoded.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Shape {
    template_from: Vec<From>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct From {
    config_map: Option<Source>,
    secret: Option<Source>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Source {
    name: String,
}

impl Shape {
    pub fn named(self) -> Named {
        let mut named = Named::default();
        for from in self.template_from {
            named.config_maps.extend(from.config_map.map(|source| source.name));
            named.secrets.extend(from.secret.map(|source| source.name));
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(shape: serde_json::Value) -> Named {
        serde_json::from_value::<Shape>(shape).expect("a shape").named()
    }

    #[test]
    fn every_object_that_a_shape_names_is_found_among_what_is_skipped() {
        let shape = json!({"data": {"a": "b"}, "templateFrom": [
            {"literal": "x"},
            {"configMap": {"name": "one", "items": [{"key": "k"}]}, "secret": {"name": "two", "items": []}},
            {"target": "Labels", "configMap": {"name": "three"}},
        ]});
        let expected = Named { config_maps: vec!["one".into(), "three".into()], secrets: vec!["two".into()] };
        assert_eq!(named(shape), expected);
        assert_eq!(named(json!({"metadata": {}})), Named::default());
    }

    #[test]
    fn target_of_its_own_is_no_source() {
        let sources = Sources::new(|_| {}, |_| None);
        let key = |name: &str| ObjectKey::new("n", name);
        let shape = json!({"templateFrom": [
            {"secret": {"name": "app"}}, {"secret": {"name": "other"}}, {"configMap": {"name": "app"}},
        ]});
        let (app, other) = (key("app"), key("other"));
        for (target, secrets, maps) in [
            (Target::Secret(&app), vec![other.clone()], vec![app.clone()]),
            (Target::ConfigMap(&app), vec![app.clone(), other.clone()], vec![]),
            (Target::Other, vec![app.clone(), other.clone()], vec![app.clone()]),
        ] {
            sources.set(&key("es"), target, named(shape.clone()));
            assert_eq!(sources.secrets.named(&key("es")), secrets, "{target:?}");
            assert_eq!(sources.config_maps.named(&key("es")), maps, "{target:?}");
        }
    }
}
