//! A parsed template, and whether its failures may quote it.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Instant, SystemTime},
};

use api::template_syntax::UNQUOTED;
use template::{Data, Limits, MissingKey, Options, Template};

use super::TOGETHER;
use crate::error::{Code, Error};

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Parsed {
    template: Arc<Template>,
    from_secret: bool,
}

/// Limits for one piece of work: all renders in it share a span of time, and the bytes that one of them may write. A
/// Secret holds a quarter of those.
pub struct Budget {
    pub(super) started: Instant,
    limits: Limits,
    written: Cell<usize>,
}

impl Budget {
    /// Begins now.
    pub fn new(limits: Limits) -> Self {
        Self { started: Instant::now(), limits, written: Cell::new(0) }
    }

    /// Takes note of what was made and is kept.
    pub fn keep(&self, bytes: usize) {
        self.written.set(self.written.get().saturating_add(bytes));
    }

    /// What is left.
    pub fn limits(&self) -> Result<Limits, Error> {
        let together = self.limits.deadline.saturating_mul(TOGETHER);
        let left = together.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            let message = format!("all templates together take longer than {together:?}; make them simpler");
            return Err(Error::fix(Code::TemplateFailed, message));
        }
        let most = self.limits.output_bytes;
        let room = most.saturating_sub(self.written.get());
        if room == 0 {
            let message = format!("all templates together write more than {most} bytes; make them smaller");
            return Err(Error::fix(Code::TemplateFailed, message));
        }
        Ok(Limits { deadline: self.limits.deadline.min(left), output_bytes: room, ..self.limits.clone() })
    }
}

impl Parsed {
    pub(super) fn new(template: Arc<Template>, from_secret: bool) -> Self {
        Self { template, from_secret }
    }

    /// Renders within what is left of the budget.
    pub fn render(&self, budget: &Budget, data: &Data, missing_key: MissingKey) -> Result<Vec<u8>, Error> {
        let options = Options { missing_key, limits: budget.limits()?, now: SystemTime::now() };
        let rendered = self.template.render(data, &options).map_err(|error| self.failure(&error))?;
        budget.keep(rendered.len());
        Ok(rendered)
    }

    fn failure(&self, error: &template::Error) -> Error {
        // Go's words for the mistake that users make most.
        let is_missing = error.redacted().contains("map has no entry for key");
        let code = if is_missing { Code::TemplateMissingKey } else { Code::TemplateFailed };
        let message = if self.from_secret {
            format!("{}; {UNQUOTED}", error.without_source())
        } else {
            error.redacted().to_owned()
        };
        Error::fix(code, message)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parsed(text: &str, from_secret: bool) -> Parsed {
        let template = Template::parse("t.txt", text.as_bytes(), &Limits::default()).expect("a template");
        Parsed::new(Arc::new(template), from_secret)
    }

    fn failure(text: &str, from_secret: bool, limits: Limits) -> Error {
        let data = Data::from_iter([("password", "canary")]);
        parsed(text, from_secret).render(&Budget::new(limits), &data, MissingKey::Error).expect_err("refused")
    }

    #[test]
    fn failure_is_told_as_go_tells_it_without_values() {
        let error = failure("\n{{ atoi .password }}{{ range .password }}{{ end }}", false, Limits::default());
        assert!(error.to_string().contains("t.txt:2:29: executing"), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(failure("{{ .user }}", false, Limits::default()).code(), Code::TemplateMissingKey);
    }

    #[test]
    fn template_from_a_secret_is_not_quoted() {
        let error = failure("\n{{ fail (print \"in the Secret\" .password) }}", true, Limits::default()).to_string();
        assert!(error.contains("line 2, column "), "{error}");
        assert!(!error.contains("in the Secret") && !error.contains("canary") && !error.contains("fail ("), "{error}");
    }

    #[test]
    fn templates_that_share_a_budget_share_what_they_may_write() {
        let budget = Budget::new(Limits { output_bytes: 10, ..Limits::default() });
        let render = || parsed("1234", false).render(&budget, &Data::default(), MissingKey::Error);
        assert!(render().is_ok() && render().is_ok());
        let error = render().expect_err("ten bytes for twelve").to_string();
        assert!(error.contains("output is longer than 2 bytes"), "{error}");
        budget.keep(2);
        let error = render().expect_err("nothing left").to_string();
        assert!(error.contains("all templates together write more than 10 bytes"), "{error}");
    }

    #[test]
    fn templates_that_share_a_budget_share_its_time() {
        let limits = Limits { deadline: Duration::ZERO, ..Limits::default() };
        let error = failure("text", false, limits).to_string();
        assert!(error.contains("all templates together take longer than 0ns"), "{error}");
    }
}
