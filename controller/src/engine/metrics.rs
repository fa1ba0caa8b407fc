//! The engine's metrics under their standard names: `workqueue_*` and `controller_runtime_*`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
    core::{Collector, Desc},
    exponential_buckets,
    proto::MetricFamily,
};

/// All families, registered once per process.
#[derive(Clone)]
pub struct EngineMetrics {
    depth: IntGaugeVec,
    adds: IntCounterVec,
    retries: IntCounterVec,
    queued: HistogramVec,
    worked: HistogramVec,
    unfinished: GaugeVec,
    longest: GaugeVec,
    reconciles: IntCounterVec,
    errors: IntCounterVec,
    panics: IntCounterVec,
    time: HistogramVec,
    workers: IntGaugeVec,
    active: IntGaugeVec,
    before_scrape: Hooks,
}

type Hooks = Arc<Mutex<Vec<Box<dyn Fn() + Send + Sync>>>>;

/// Gauges of what is going on now: brought up to date when somebody asks.
struct Live {
    gauges: GaugeVec,
    before_scrape: Hooks,
}

impl Collector for Live {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.before_scrape.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|hook| hook());
        self.gauges.collect()
    }
}

impl EngineMetrics {
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        // client-go's bounds: 10 ns to 10 s by tens.
        let spans = exponential_buckets(1e-8, 10.0, 10)?;
        let queue = &["name", "controller"];
        let controller = &["controller"];
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(spans.clone()), labels)
        };
        let metrics = Self {
            depth: IntGaugeVec::new(Opts::new("workqueue_depth", "Keys that wait."), queue)?,
            adds: IntCounterVec::new(Opts::new("workqueue_adds_total", "Keys added."), queue)?,
            retries: IntCounterVec::new(
                Opts::new("workqueue_retries_total", "Keys tried again after a failure."),
                queue,
            )?,
            queued: histogram("workqueue_queue_duration_seconds", "Time a key waited before a worker took it.", queue)?,
            worked: histogram("workqueue_work_duration_seconds", "Time a worker held a key.", queue)?,
            unfinished: GaugeVec::new(
                Opts::new("workqueue_unfinished_work_seconds", "Work in progress, in seconds, all keys together."),
                queue,
            )?,
            longest: GaugeVec::new(
                Opts::new("workqueue_longest_running_processor_seconds", "Time the oldest key has been in hand."),
                queue,
            )?,
            reconciles: IntCounterVec::new(
                Opts::new("controller_runtime_reconcile_total", "Reconciles by result."),
                &["controller", "result"],
            )?,
            errors: IntCounterVec::new(
                Opts::new("controller_runtime_reconcile_errors_total", "Reconciles that failed."),
                controller,
            )?,
            panics: IntCounterVec::new(
                Opts::new("controller_runtime_reconcile_panics_total", "Reconciles that panicked and were caught."),
                controller,
            )?,
            time: HistogramVec::new(
                HistogramOpts::new("controller_runtime_reconcile_time_seconds", "Length of reconciles.").buckets(vec![
                    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
                ]),
                controller,
            )?,
            workers: IntGaugeVec::new(
                Opts::new("controller_runtime_max_concurrent_reconciles", "Workers per controller."),
                controller,
            )?,
            active: IntGaugeVec::new(
                Opts::new("controller_runtime_active_workers", "Workers that hold a key now."),
                controller,
            )?,
            before_scrape: Hooks::default(),
        };
        for family in metrics.families() {
            registry.register(family)?;
        }
        Ok(metrics)
    }

    fn families(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.depth.clone()),
            Box::new(self.adds.clone()),
            Box::new(self.retries.clone()),
            Box::new(self.queued.clone()),
            Box::new(self.worked.clone()),
            Box::new(self.live(&self.unfinished)),
            Box::new(self.live(&self.longest)),
            Box::new(self.reconciles.clone()),
            Box::new(self.errors.clone()),
            Box::new(self.panics.clone()),
            Box::new(self.time.clone()),
            Box::new(self.workers.clone()),
            Box::new(self.active.clone()),
        ]
    }

    fn live(&self, gauges: &GaugeVec) -> Live {
        Live { gauges: gauges.clone(), before_scrape: self.before_scrape.clone() }
    }

    /// `hook` is called whenever somebody reads the metrics, before they get what is going on now. It must be quick.
    pub fn before_scrape(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.before_scrape.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// The queue's part, for one controller.
    pub fn queue(&self, controller: &str) -> QueueMetrics {
        let labels = &[controller, controller];
        QueueMetrics {
            depth: self.depth.with_label_values(labels),
            adds: self.adds.with_label_values(labels),
            retries: self.retries.with_label_values(labels),
            queued: self.queued.with_label_values(labels),
            worked: self.worked.with_label_values(labels),
            unfinished: self.unfinished.with_label_values(labels),
            longest: self.longest.with_label_values(labels),
        }
    }

    /// The workers' part, for one controller.
    pub fn run(&self, controller: &str) -> RunMetrics {
        let result = |result| self.reconciles.with_label_values(&[controller, result]);
        RunMetrics {
            success: result("success"),
            requeue: result("requeue_after"),
            error: result("error"),
            errors: self.errors.with_label_values(&[controller]),
            panics: self.panics.with_label_values(&[controller]),
            time: self.time.with_label_values(&[controller]),
            workers: self.workers.with_label_values(&[controller]),
            active: self.active.with_label_values(&[controller]),
        }
    }
}

/// What a queue reports.
pub struct QueueMetrics {
    depth: IntGauge,
    adds: IntCounter,
    retries: IntCounter,
    queued: Histogram,
    worked: Histogram,
    unfinished: Gauge,
    longest: Gauge,
}

impl QueueMetrics {
    /// Counts without a registry, for tests.
    #[cfg(test)]
    pub fn detached() -> Self {
        EngineMetrics::new(&Registry::new()).expect("fresh registry").queue("test")
    }

    pub fn added(&self) {
        self.adds.inc();
    }

    pub fn retried(&self) {
        self.retries.inc();
    }

    pub fn depth(&self, waiting: usize) {
        self.depth.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    pub fn taken(&self, waited: Duration, waiting: usize) {
        self.queued.observe(waited.as_secs_f64());
        self.depth(waiting);
    }

    pub fn finished(&self, span: Duration) {
        self.worked.observe(span.as_secs_f64());
    }

    pub fn running(&self, sum: f64, longest: f64) {
        self.unfinished.set(sum);
        self.longest.set(longest);
    }
}

/// What workers report.
pub struct RunMetrics {
    pub success: IntCounter,
    pub requeue: IntCounter,
    pub error: IntCounter,
    pub errors: IntCounter,
    pub panics: IntCounter,
    pub time: Histogram,
    pub workers: IntGauge,
    pub active: IntGauge,
}
