//! Metrics of reconciles under upstream's names. Series of deleted objects are removed.

use std::time::Duration;

use api::{condition::Condition, external_secret::ExternalSecretStatus, names::condition_type};
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, core::Collector};

use crate::{
    engine::{ObjectKey, metrics::EngineMetrics},
    provider::metrics::ProviderMetrics,
};

/// All families of the controller.
#[derive(Clone)]
pub struct Metrics {
    pub engine: EngineMetrics,
    pub provider: ProviderMetrics,
    pub templates: TemplateMetrics,
    calls: IntCounterVec,
    errors: IntCounterVec,
    external_secrets: Objects,
    secret_stores: Objects,
    cluster_secret_stores: Objects,
}

/// The two gauges that every kind has.
#[derive(Clone)]
struct Objects {
    condition: IntGaugeVec,
    duration: GaugeVec,
}

/// Which kind a series belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    ExternalSecret,
    SecretStore,
    ClusterSecretStore,
}

impl Metrics {
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let object = &["name", "namespace"];
        let metrics = Self {
            engine: EngineMetrics::new(registry)?,
            provider: ProviderMetrics::new(registry)?,
            templates: TemplateMetrics::new(registry)?,
            calls: IntCounterVec::new(
                Opts::new("externalsecret_sync_calls_total", "Reconciles of an ExternalSecret."),
                object,
            )?,
            errors: IntCounterVec::new(
                Opts::new("externalsecret_sync_calls_error", "Reconciles of an ExternalSecret that failed."),
                object,
            )?,
            external_secrets: Objects::new("externalsecret")?,
            secret_stores: Objects::new("secretstore")?,
            cluster_secret_stores: Objects::new("clustersecretstore")?,
        };
        let families: [Box<dyn Collector>; 2] = [Box::new(metrics.calls.clone()), Box::new(metrics.errors.clone())];
        for family in families {
            registry.register(family)?;
        }
        for objects in [&metrics.external_secrets, &metrics.secret_stores, &metrics.cluster_secret_stores] {
            registry.register(Box::new(objects.condition.clone()))?;
            registry.register(Box::new(objects.duration.clone()))?;
        }
        Ok(metrics)
    }

    /// One reconcile of an ExternalSecret.
    pub fn external_secret(&self, key: &ObjectKey, status: &ExternalSecretStatus, span: Duration, failed: bool) {
        let labels = &[key.name(), key.namespace()];
        self.calls.with_label_values(labels).inc();
        let errors = self.errors.with_label_values(labels);
        if failed {
            errors.inc();
        }
        self.object(Kind::ExternalSecret, key, &status.conditions, span);
    }

    /// Conditions and length of a reconcile of any kind.
    pub fn object(&self, kind: Kind, key: &ObjectKey, conditions: &[Condition], span: Duration) {
        let objects = self.objects(kind);
        let labels = &[key.name(), key.namespace()];
        objects.duration.with_label_values(labels).set(span.as_secs_f64() * 1e9);
        for condition in conditions {
            for status in STATUSES {
                let labels = &[key.name(), key.namespace(), &condition.type_, status];
                objects.condition.with_label_values(labels).set(i64::from(condition.status == status));
            }
        }
    }

    /// The object is gone, and so are its series.
    pub fn forget(&self, kind: Kind, key: &ObjectKey) {
        let objects = self.objects(kind);
        let labels = &[key.name(), key.namespace()];
        // A series that was never written is not an error worth knowing.
        let _ = objects.duration.remove_label_values(labels);
        for type_ in [condition_type::READY, condition_type::DELETED, condition_type::DELETIONS_HELD] {
            for status in STATUSES {
                let _ = objects.condition.remove_label_values(&[key.name(), key.namespace(), type_, status]);
            }
        }
        if kind == Kind::ExternalSecret {
            let _ = self.calls.remove_label_values(labels);
            let _ = self.errors.remove_label_values(labels);
        }
    }

    const fn objects(&self, kind: Kind) -> &Objects {
        match kind {
            Kind::ExternalSecret => &self.external_secrets,
            Kind::SecretStore => &self.secret_stores,
            Kind::ClusterSecretStore => &self.cluster_secret_stores,
        }
    }
}

/// How often a template was there parsed already. No name of upstream's: it parses each template each time.
#[derive(Clone)]
pub struct TemplateMetrics {
    pub hits: IntCounter,
    pub misses: IntCounter,
}

impl TemplateMetrics {
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let family = IntCounterVec::new(
            Opts::new("externalsecret_template_cache_total", "Templates looked up among the parsed ones."),
            &["result"],
        )?;
        registry.register(Box::new(family.clone()))?;
        Ok(Self { hits: family.with_label_values(&["hit"]), misses: family.with_label_values(&["miss"]) })
    }
}

/// The values that a condition's status takes in the series; upstream emits these two.
const STATUSES: [&str; 2] = ["True", "False"];

impl Objects {
    fn new(kind: &str) -> Result<Self, prometheus::Error> {
        Ok(Self {
            condition: IntGaugeVec::new(
                Opts::new(format!("{kind}_status_condition"), "1 for the status that a condition has, else 0."),
                &["name", "namespace", "condition", "status"],
            )?,
            duration: GaugeVec::new(
                Opts::new(format!("{kind}_reconcile_duration"), "Length of the last reconcile in nanoseconds."),
                &["name", "namespace"],
            )?,
        })
    }
}
