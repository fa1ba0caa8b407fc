//! `controller_runtime_webhook_*`: the names that upstream's dashboard queries, labelled with the path.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

#[derive(Clone, Debug)]
pub struct Metrics {
    pub requests: IntCounterVec,
    pub latency: HistogramVec,
    pub in_flight: IntGaugeVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = Opts::new("controller_runtime_webhook_requests_total", "Admission requests by HTTP status code");
        let latency =
            HistogramOpts::new("controller_runtime_webhook_latency_seconds", "Time to answer an admission request");
        let in_flight = Opts::new("controller_runtime_webhook_requests_in_flight", "Admission requests being answered");
        // Verdicts take well under a millisecond: the usual buckets would put them all into the first one.
        let buckets = vec![0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];
        let metrics = Self {
            requests: IntCounterVec::new(requests, &["webhook", "code"])?,
            latency: HistogramVec::new(latency.buckets(buckets), &["webhook"])?,
            in_flight: IntGaugeVec::new(in_flight, &["webhook"])?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.latency.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        Ok(metrics)
    }
}
