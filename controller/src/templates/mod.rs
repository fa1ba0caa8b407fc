//! Templates as the controller uses them: parsed once, rendered off the async threads, a few at a time.
//!
//! Templates are their authors' programs. Each is bounded by its limits; here is bounded what they cost together. As
//! many are rendered at a time as there are cores, which bounds their memory too; all templates of one ExternalSecret
//! share a span of time; and an ExternalSecret whose templates were slow last time waits for a place among the slow,
//! so that the quick always find a core.

mod cache;
mod parsed;
mod place;

use std::sync::Arc;

use api::template_syntax::Syntax;
use tokio::sync::Semaphore;

use self::{
    cache::{Bounds, Cache},
    place::Slow,
};
use crate::{
    engine::ObjectKey,
    error::{Code, Error},
    metrics::TemplateMetrics,
};

pub use parsed::{Budget, Parsed};
pub use place::Place;

/// What one byte of a template takes when it is parsed, at most: the five of `{{.}}` become a few hundred.
const PARSED_BYTE: usize = 64;

/// Kept templates, their weight estimated from above: the texts of most take a tenth of it. Parsing one anew takes
/// microseconds, so this is small beside what the ExternalSecrets themselves take.
const KEPT: Bounds = Bounds { templates: 4096, bytes: 24 << 20 };

/// Templates of one ExternalSecret may take this many times the deadline of one of them, together.
const TOGETHER: u32 = 4;

/// A text longer than this is not parsed on an async thread: it may take milliseconds.
const LONG: usize = 64 << 10;

/// See the module documentation.
pub struct Templates {
    syntax: Syntax,
    cache: Cache,
    rendering: Arc<Semaphore>,
    slow: Arc<Slow>,
    metrics: TemplateMetrics,
}

impl Templates {
    /// `cores`: how many templates are rendered at a time; at least two, so that a slow one never stops all others.
    pub fn new(syntax: Syntax, cores: usize, metrics: TemplateMetrics) -> Self {
        let places = cores.max(2);
        Self {
            syntax,
            cache: Cache::new(KEPT),
            rendering: Arc::new(Semaphore::new(places)),
            slow: Arc::new(Slow::new(places / 2)),
            metrics,
        }
    }

    /// Parses a template of a spec or a ConfigMap, or finds it parsed.
    pub fn parse(&self, name: &str, text: &[u8]) -> Result<Parsed, Error> {
        let key = cache::key(name, text);
        if let Some(template) = self.cache.find(&key) {
            self.metrics.hits.inc();
            return Ok(Parsed::new(template, false));
        }
        self.metrics.misses.inc();
        let parse = || self.syntax.parse(name, text);
        let parsed = if text.len() > LONG { tokio::task::block_in_place(parse) } else { parse() };
        let template = parsed.map_err(|problem| Error::fix(Code::TemplateInvalid, problem.to_string()))?;
        let template = Arc::new(template);
        self.cache.keep(key, template.clone(), text.len().saturating_add(1).saturating_mul(PARSED_BYTE));
        Ok(Parsed::new(template, false))
    }

    /// Parses a template that came from a Secret: neither kept nor quoted.
    pub fn parse_secret(&self, name: &str, text: &[u8]) -> Result<Parsed, Error> {
        let template = self.syntax.parse_secret(name, text);
        let template = template.map_err(|problem| Error::fix(Code::TemplateInvalid, problem.to_string()))?;
        Ok(Parsed::new(Arc::new(template), true))
    }

    /// A place among those that render, or nothing while too many slow ones do. `is_new`: the ExternalSecret was never
    /// rendered as it is now.
    pub fn place(&self, user: &ObjectKey, is_new: bool) -> Option<Place> {
        self.slow.place(user, is_new)
    }

    /// Does `work` on a thread of its own once there is a core for it. It counts against its place until it ends, also
    /// when nobody waits for it any more.
    pub async fn off_thread<T: Send + 'static>(
        &self,
        place: &Place,
        work: impl FnOnce(&Budget) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let defect = || Error::bug(Code::Panicked, "rendering the templates hit a defect of the operator");
        let core = self.rendering.clone().acquire_owned().await.map_err(|_| defect())?;
        let place = place.clone();
        let limits = self.syntax.limits.clone();
        let working = tokio::task::spawn_blocking(move || {
            let _core = core;
            let budget = Budget::new(limits);
            let outcome = work(&budget);
            place.worked(budget.started.elapsed());
            outcome
        });
        working.await.map_err(|_| defect())?
    }

    /// An ExternalSecret is gone.
    pub fn forget(&self, user: &ObjectKey) {
        self.slow.forget(user);
    }
}

#[cfg(test)]
impl Templates {
    /// With the usual syntax and two cores, for tests of what uses templates.
    pub fn detached() -> Arc<Self> {
        let metrics = TemplateMetrics::new(&prometheus::Registry::new()).expect("fresh registry");
        Arc::new(Self::new(Syntax::default(), 2, metrics))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn text_is_parsed_once_and_one_from_a_secret_is_not_kept() {
        let templates = Templates::detached();
        for _ in 0..3 {
            templates.parse("a", b"{{ .a }}").expect("parsed");
        }
        templates.parse("b", b"{{ .a }}").expect("parsed");
        assert_eq!((templates.metrics.misses.get(), templates.metrics.hits.get()), (2, 2));
        for _ in 0..2 {
            templates.parse_secret("c", b"{{ .c }}").expect("parsed");
        }
        templates.parse("c", b"{{ .c }}").expect("parsed");
        assert_eq!((templates.metrics.misses.get(), templates.metrics.hits.get()), (3, 2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn long_text_is_parsed_wherever_it_is_met() {
        let templates = Templates::detached();
        let text = format!("{{{{ .a }}}}{}", "x".repeat(LONG));
        templates.parse("async", text.as_bytes()).expect("parsed");
        let place = templates.place(&ObjectKey::new("team", "a"), true).expect("a place");
        let again = templates.clone();
        let work = move |_: &Budget| again.parse("blocking", text.as_bytes()).map(drop);
        templates.off_thread(&place, work).await.expect("parsed");
        assert_eq!(templates.metrics.misses.get(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_is_rendered_at_a_time_than_there_are_cores() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        let templates = Templates::detached();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = (0..20).map(|number| {
            let (templates, now, most) = (templates.clone(), now.clone(), most.clone());
            async move {
                let place = templates.place(&ObjectKey::new("team", &number.to_string()), true).expect("not slow");
                let work = move |_: &Budget| {
                    most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, SeqCst);
                    Ok(())
                };
                templates.off_thread(&place, work).await
            }
        });
        futures::future::try_join_all(work).await.expect("all done");
        assert_eq!(most.load(SeqCst), 2);
    }

    #[tokio::test]
    async fn work_that_panics_is_a_defect_and_frees_its_core() {
        let templates = Templates::detached();
        let place = templates.place(&ObjectKey::new("team", "a"), true).expect("a place");
        for _ in 0..3 {
            let outcome = templates.off_thread(&place, |_| -> Result<(), Error> { panic!("canary") }).await;
            assert_eq!(outcome.expect_err("a defect").code(), Code::Panicked);
        }
        assert_eq!(templates.off_thread(&place, |_| Ok(1)).await, Ok(1));
    }
}
