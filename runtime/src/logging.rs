//! One JSON object per line on standard error, in the shape that the Go operator's log pipelines parse:
//! `{"level":"info","ts":1700000000.123,"logger":"webhook","msg":"…",…}`.
//!
//! `level` is `debug`, `info`, `warn` or `error`; `ts` follows `--zap-time-encoding`; `logger` is the component and, for
//! events of other crates, their target. Fields of the event and of the spans around it follow. Libraries that report
//! every request are held to `warn`, whatever the level, because they would print what users send.

use std::fmt::Debug;
use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::Error;

/// Targets (by prefix) that may say no more than warnings.
const QUIET: [&str; 12] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk",
    "aws_smithy",
    "h2",
    "hyper",
    "kube_client",
    "kube_runtime",
    "reqwest",
    "rustify",
    "rustls",
    "tower",
];

/// How `ts` is written; zap's names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TimeEncoding {
    /// Seconds since 1970 with a fraction.
    #[default]
    Epoch,
    /// Milliseconds since 1970 with a fraction.
    Millis,
    /// Nanoseconds since 1970.
    Nano,
    /// `2006-01-02T15:04:05.000Z`, and so for the RFC 3339 forms: always UTC.
    Iso8601,
    Rfc3339,
    Rfc3339Nano,
}

impl std::str::FromStr for TimeEncoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "epoch" | "" => Ok(Self::Epoch),
            "millis" => Ok(Self::Millis),
            "nano" | "nanos" => Ok(Self::Nano),
            "iso8601" | "ISO8601" => Ok(Self::Iso8601),
            "rfc3339" | "RFC3339" => Ok(Self::Rfc3339),
            "rfc3339nano" | "RFC3339Nano" => Ok(Self::Rfc3339Nano),
            other => Err(Error::TimeEncoding(other.to_owned())),
        }
    }
}

/// Sets up logging for the process, with `ts` in seconds. Call once.
pub fn init(level: &str, component: &'static str) -> Result<(), Error> {
    init_with(level, TimeEncoding::Epoch, component)
}

/// As [`init`], with the encoding of `--zap-time-encoding`.
pub fn init_with(level: &str, time: TimeEncoding, component: &'static str) -> Result<(), Error> {
    let lines = Lines { component, time, out: std::io::stderr };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter(parse_level(level)?)));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::LoggingTwice)
}

fn parse_level(name: &str) -> Result<LevelFilter, Error> {
    match name.to_ascii_lowercase().as_str() {
        "debug" => Ok(LevelFilter::DEBUG),
        "info" => Ok(LevelFilter::INFO),
        "warn" => Ok(LevelFilter::WARN),
        // zap's severer levels: this program logs nothing above error.
        "error" | "dpanic" | "panic" | "fatal" => Ok(LevelFilter::ERROR),
        _ => Err(Error::LogLevel(name.to_owned())),
    }
}

fn filter(level: LevelFilter) -> Targets {
    QUIET.iter().fold(Targets::new().with_default(level), |filter, target| {
        filter.with_target(*target, level.min(LevelFilter::WARN))
    })
}

/// Writes each event as a line to what `out` opens.
struct Lines<O> {
    component: &'static str,
    time: TimeEncoding,
    out: O,
}

impl<S, O, W> Layer<S> for Lines<O>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    O: Fn() -> W + 'static,
    W: Write,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let message = own.0.remove("message").unwrap_or_default();
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flatten().collect::<Vec<_>>().into_iter().rev() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer.0.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        fields.extend(own.0);
        let head = [
            ("level", level_name(*event.metadata().level()).into()),
            ("ts", timestamp(self.time, Timestamp::now())),
            ("logger", logger(self.component, event.metadata()).into()),
            ("msg", message),
        ];
        // A closed standard error must not stop the work; there is nowhere else to say so.
        let _ = (self.out)().write_all(line(&head, &fields).as_bytes());
    }
}

/// The head comes first, in its order, because people read these lines too; fields with its names are left out.
fn line(head: &[(&str, Value)], fields: &Map<String, Value>) -> String {
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
    let fields = fields.filter(|(name, _)| !head.iter().any(|(taken, _)| taken == name));
    let all = head.iter().map(|(name, value)| (*name, value)).chain(fields);
    let all: Vec<String> = all.map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
    format!("{{{}}}\n", all.join(","))
}

/// Fields of an event or span, by name.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.insert(field, value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

fn logger(component: &str, metadata: &Metadata<'_>) -> String {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    if crate_name == "runtime" || crate_name.replace('_', "-") == component {
        component.to_owned()
    } else {
        format!("{component}.{}", metadata.target())
    }
}

#[expect(clippy::cast_precision_loss, reason = "zap writes floats too; microseconds survive until the year 2200")]
fn timestamp(encoding: TimeEncoding, now: Timestamp) -> Value {
    match encoding {
        TimeEncoding::Epoch => (now.as_microsecond() as f64 / 1e6).into(),
        TimeEncoding::Millis => (now.as_microsecond() as f64 / 1e3).into(),
        TimeEncoding::Nano => i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX).into(),
        TimeEncoding::Iso8601 => format!("{now:.3}").into(),
        TimeEncoding::Rfc3339 => format!("{now:.0}").into(),
        TimeEncoding::Rfc3339Nano => format!("{now}").into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(level: &str, log: impl FnOnce()) -> Vec<String> {
        let memory = Memory::default();
        let out = memory.clone();
        let lines = Lines { component: "webhook", time: TimeEncoding::Epoch, out: move || out.clone() };
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter(parse_level(level).unwrap())));
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn line_has_zaps_keys_and_the_fields_of_spans() {
        let lines = lines("info", || {
            let span = tracing::info_span!("reconcile", namespace = "team-a");
            let _entered = span.enter();
            tracing::warn!(target: "webhook::tls", tries = 3, level = "fake", "line\nbreak \"quoted\"");
        });
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert!(lines[0].starts_with("{\"level\":\"warn\",\"ts\":"), "{}", lines[0]);
        assert_eq!(lines[0].matches("\"level\"").count(), 1, "a field cannot take the head's names");
        assert_eq!(line["level"], "warn");
        assert_eq!(line["logger"], "webhook");
        assert_eq!(line["msg"], "line\nbreak \"quoted\"");
        assert_eq!(line["namespace"], "team-a");
        assert_eq!(line["tries"], 3);
        assert!(line["ts"].as_f64().unwrap() > 1.0e9);
    }

    #[test]
    fn noisy_libraries_are_held_to_warnings_at_every_level() {
        let said = lines("debug", || {
            tracing::debug!(target: "webhook", "ours");
            tracing::info!(target: "hyper_util::client", "theirs");
            tracing::warn!(target: "aws_smithy_runtime::client", "theirs, important");
        });
        let said: Vec<_> = said.iter().filter_map(|line| line.split("\"msg\":").nth(1)).collect();
        assert_eq!(said, ["\"ours\"}", "\"theirs, important\"}"]);
        assert!(lines("error", || tracing::warn!(target: "hyper", "x")).is_empty());
    }

    #[test]
    fn time_is_encoded_as_asked() {
        let now: Timestamp = "2026-01-02T03:04:05.678901234Z".parse().unwrap();
        let said = |name: &str| timestamp(name.parse().unwrap(), now);
        assert_eq!(said("epoch"), 1_767_323_045.678_901);
        assert_eq!(said("nano"), 1_767_323_045_678_901_234_i64);
        assert_eq!(said("iso8601"), "2026-01-02T03:04:05.678Z");
        assert_eq!(said("rfc3339"), "2026-01-02T03:04:05Z");
        assert_eq!(said("rfc3339nano"), "2026-01-02T03:04:05.678901234Z");
        assert!("unix".parse::<TimeEncoding>().is_err());
        assert!(parse_level("loud").is_err());
    }
}
