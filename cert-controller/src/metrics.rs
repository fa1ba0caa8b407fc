//! When the certificates end and why new ones were made.

use jiff::Timestamp;
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

use crate::authority::Reason;

/// Values of the label `certificate`.
pub const AUTHORITY: &str = "authority";
pub const LEAF: &str = "webhook";

#[derive(Clone, Debug)]
pub struct Metrics {
    not_after: GaugeVec,
    issued: IntCounterVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let not_after = Opts::new(
            "certcontroller_not_after_timestamp_seconds",
            "When the certificate expires, in seconds since 1970",
        );
        let issued =
            Opts::new("certcontroller_issued_total", "Certificates issued, by what was wrong with the one before");
        let metrics = Self {
            not_after: GaugeVec::new(not_after, &["certificate"])?,
            issued: IntCounterVec::new(issued, &["certificate", "reason"])?,
        };
        registry.register(Box::new(metrics.not_after.clone()))?;
        registry.register(Box::new(metrics.issued.clone()))?;
        Ok(metrics)
    }

    pub fn issued(&self, certificate: &'static str, reason: Reason) {
        self.issued.with_label_values(&[certificate, reason.as_str()]).inc();
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds fit a float's 53 bits")]
    pub fn not_after(&self, certificate: &'static str, at: Timestamp) {
        self.not_after.with_label_values(&[certificate]).set(at.as_second() as f64);
    }
}
