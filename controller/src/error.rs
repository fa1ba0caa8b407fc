//! One error for everything a reconcile can meet, written for the person who must act.
//!
//! An [`Error`] carries a [`Class`] (who can do something about it, and so when to try again), a stable [`Code`] (for
//! searching, alerting and documentation) and a message that names the object, the field and the next step. It never
//! carries a secret value, a token or a request id: condition message, event, log line and metric label are all made
//! from it, here and nowhere else.

mod refusal;

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use refusal::Refusal;

/// Who can change the outcome, which decides when the engine tries again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// The backend or network is unavailable: the circuit breaker of the store counts these.
    Outage,
    /// Passing by itself: throttling, conflict, a deadline.
    Retry,
    /// Something named in the message must appear or change first (store, Secret, ServiceAccount).
    Wait,
    /// The user must change the spec, the backend's data or its permissions.
    Fix,
    /// A defect of this program.
    Bug,
}

/// Declares the codes, and the list of all of them that the documentation is checked against.
macro_rules! codes {
    ($($code:ident),* $(,)?) => {
        /// What went wrong, as a word that stays the same between releases. It opens every message;
        /// `docs/troubleshooting.md` explains each.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Code { $($code),* }

        #[cfg(test)]
        const CODES: &[Code] = &[$(Code::$code),*];
    };
}

codes! {
    AdmissionDenied,
    AdoptionRefused,
    AwsAccessDenied,
    AwsCredentialsInvalid,
    AwsRequestInvalid,
    AwsThrottled,
    AwsUnreachable,
    BreakerOpen,
    DeadlineExceeded,
    DecodingFailed,
    DeletionsHeld,
    GenericTargetsDisabled,
    GoogleCredentialsInvalid,
    GoogleUnreachable,
    KeyConflict,
    KeyInvalid,
    KubernetesConflict,
    KubernetesForbidden,
    KubernetesInvalid,
    KubernetesUnavailable,
    NamespaceForbidden,
    NamespaceTerminating,
    NotSupported,
    NullBytes,
    Panicked,
    ReferenceKeyMissing,
    ReferenceNotFound,
    RemotePropertyMissing,
    RemoteSecretMissing,
    RemoteValueInvalid,
    RewriteFailed,
    SpecInvalid,
    StoreInvalid,
    StoreNotAllowed,
    StoreNotFound,
    StoreNotReady,
    Superseded,
    TargetImmutable,
    TargetInvalid,
    TargetKindUnknown,
    TargetNotOurs,
    TargetOwnedByAnother,
    TemplateFailed,
    TemplateInvalid,
    TemplateMissingKey,
    VaultBehind,
    VaultLoginDenied,
    VaultNotActive,
    VaultNotInitialized,
    VaultPermissionDenied,
    VaultRequestInvalid,
    VaultSealed,
    VaultThrottled,
    VaultUnexpectedAnswer,
    VaultUnreachable,
    VaultUntrusted,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// See the module documentation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    class: Class,
    code: Code,
    message: String,
    context: Option<String>,
    retry_after: Option<Duration>,
}

impl Error {
    /// `message`: lower case, names object and field, says what to do; no secret values, no request ids.
    pub fn new(class: Class, code: Code, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), context: None, retry_after: None }
    }

    pub fn outage(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Outage, code, message)
    }

    pub fn retry(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Retry, code, message)
    }

    pub fn wait(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Wait, code, message)
    }

    pub fn fix(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Fix, code, message)
    }

    pub fn bug(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Bug, code, message)
    }

    /// Says which part of the spec led here (`spec.data[2]`); the innermost context wins.
    #[must_use]
    pub fn at(mut self, context: impl Into<String>) -> Self {
        self.context.get_or_insert_with(|| context.into());
        self
    }

    /// Says in which part of the spec the place is that is told so far.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.context = Some(self.context.map_or_else(|| outer.to_owned(), |inner| format!("{outer}.{inner}")));
        self
    }

    /// Whether both say the same of different places.
    pub fn is_same_cause(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message
    }

    /// Names further causes of the same failure, at most `limit` of them.
    #[must_use]
    pub fn with_others(mut self, others: &[String], limit: usize) -> Self {
        for other in others.iter().take(limit) {
            self.message.push_str("; also ");
            self.message.push_str(other);
        }
        if others.len() > limit {
            // Writing to a String cannot fail.
            let _ = write!(self.message, "; and {} more", others.len() - limit);
        }
        self
    }

    /// Says more of the next step.
    #[must_use]
    pub fn advising(mut self, advice: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(advice);
        self
    }

    /// Says how long the backend asked to be left alone. Not in the message: it differs from answer to answer.
    #[must_use]
    pub const fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// How long the backend asked to be left alone, if it did.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    pub const fn class(&self) -> Class {
        self.class
    }

    pub const fn code(&self) -> Code {
        self.code
    }

    /// What happened, without code and context.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the spec it happened, if known.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// An error of the Kubernetes API, met while doing `act` ("creating secret team-a/db").
    pub fn kube(act: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::kube_status(act, status),
            // The decoder's own words quote what it could not read, which may be the value of a Secret.
            kube::Error::SerdeError(_) => {
                Self::retry(Code::KubernetesUnavailable, format!("{act}: the API server's answer could not be read"))
            }
            other => {
                Self::retry(Code::KubernetesUnavailable, format!("{act}: the Kubernetes API did not answer: {other}"))
            }
        }
    }

    /// The words of the API server are not repeated: see [`refusal`].
    fn kube_status(act: &str, status: &kube::core::Status) -> Self {
        let (code, reason) = (status.code, refusal::reason(status));
        match (Refusal::of(status), code) {
            (Refusal::NamespaceGoes, _) => {
                Self::wait(Code::NamespaceTerminating, format!("{act}: its namespace is being deleted"))
            }
            (Refusal::Denied(by), _) => Self::fix(
                Code::AdmissionDenied,
                format!(
                    "{act}: {by} denied it ({code} {reason}). Why is not repeated here, since it may quote a value: apply \
                     such an object by hand, or see the audit log of the API server; then change the policy or what \
                     spec.target writes"
                ),
            ),
            (Refusal::Quota(name), _) => Self::wait(
                Code::KubernetesForbidden,
                format!("{act}: ResourceQuota \"{name}\" is used up; raise it or delete what is not needed"),
            ),
            (Refusal::NotPermitted(who), _) => {
                Self::wait(Code::KubernetesForbidden, format!("{act}: not permitted: {who}; check the operator's RBAC"))
            }
            (_, 401 | 403) => Self::wait(
                Code::KubernetesForbidden,
                format!(
                    "{act}: not permitted ({code} {reason}); check the operator's RBAC, and the audit log of the API \
                     server for who refuses it"
                ),
            ),
            (Refusal::Absent(what), _) => Self::wait(Code::ReferenceNotFound, format!("{act}: {what} not found")),
            (_, 404) => Self::wait(Code::ReferenceNotFound, format!("{act}: not found")),
            (_, 409) => Self::retry(Code::KubernetesConflict, format!("{act}: changed by another writer meanwhile")),
            (_, 413) => {
                Self::fix(Code::KubernetesInvalid, format!("{act}: larger than the API server takes; make it smaller"))
            }
            (Refusal::Fields(faults), _) => Self::fix(
                Code::KubernetesInvalid,
                format!(
                    "{act}: refused by the API server: {faults}; correct the values or what spec.target makes of them"
                ),
            ),
            (_, 400 | 422) => Self::fix(
                Code::KubernetesInvalid,
                format!(
                    "{act}: refused by the API server ({code} {reason}); apply such an object by hand to see why, then \
                     correct the values or what spec.target makes of them"
                ),
            ),
            (Refusal::WebhookSilent(name), _) => Self::retry(
                Code::KubernetesUnavailable,
                format!("{act}: the API server could not ask admission webhook \"{name}\" ({code} {reason}); mend it"),
            ),
            _ => Self::retry(Code::KubernetesUnavailable, format!("{act}: the API server answered {code} {reason}")),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context {
            Some(context) => write!(f, "{}: {context}: {}", self.code, self.message),
            None => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_that_cannot_be_read_is_not_quoted() {
        let unread = serde_json::from_str::<u8>("\"canary\"").expect_err("text is no number");
        assert!(unread.to_string().contains("canary"), "or there is nothing to keep out");
        let error = Error::kube("reading secret n/s", &kube::Error::SerdeError(unread)).to_string();
        assert!(error.contains("n/s") && !error.contains("canary"), "{error}");
    }

    #[test]
    fn no_answer_of_the_api_server_is_quoted_whatever_its_code() {
        for code in [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 503, 504] {
            for message in [
                "canary",
                "secrets \"s\" is forbidden: canary",
                "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: canary",
                "admission webhook \"a.b.c\" denied the request: canary",
                "Internal error occurred: failed calling webhook \"a.b.c\": canary",
            ] {
                let status = kube::core::Status {
                    code,
                    message: message.into(),
                    reason: "canary".into(),
                    ..kube::core::Status::default()
                };
                let error = Error::kube("creating secret n/s", &kube::Error::Api(Box::new(status))).to_string();
                assert!(error.contains("n/s") && !error.contains("canary"), "{code} {message}: {error}");
            }
        }
    }

    #[test]
    fn refusal_because_the_namespace_goes_is_told_from_missing_permissions() {
        let status = |message: &str| {
            let status = kube::core::Status { code: 403, message: message.into(), ..kube::core::Status::default() };
            Error::kube("creating secret n/s", &kube::Error::Api(Box::new(status))).code()
        };
        let going =
            "secrets \"s\" is forbidden: unable to create new content in namespace n because it is being terminated";
        assert_eq!(status(going), Code::NamespaceTerminating);
        let missing = "secrets \"s\" is forbidden: User \"x\" cannot create resource \"secrets\" in API group \"\"";
        assert_eq!(status(missing), Code::KubernetesForbidden);
        let forged = "admission webhook \"a.b.c\" denied the request: it is being terminated";
        assert_eq!(status(forged), Code::AdmissionDenied);
    }

    #[test]
    fn page_for_users_explains_every_code_and_no_other() {
        let page = include_str!("../../docs/troubleshooting.md");
        let rows = page.lines().skip_while(|line| *line != "## Codes");
        let told = rows.filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(code, _)| code.to_owned());
        let codes = CODES.iter().map(ToString::to_string);
        assert_eq!(told.collect::<Vec<_>>(), codes.collect::<Vec<_>>(), "docs/troubleshooting.md, in this order");
    }

    #[test]
    fn code_opens_the_message_and_the_innermost_context_wins() {
        let error = Error::fix(Code::RemotePropertyMissing, "no property \"x\"").at("spec.data[1]").at("spec");
        assert_eq!(error.to_string(), "RemotePropertyMissing: spec.data[1]: no property \"x\"");
    }

    #[test]
    fn place_within_an_entry_is_told_with_the_entry() {
        let error = Error::fix(Code::RewriteFailed, "no").at("rewrite[0]").within("spec.dataFrom[1]").at("spec");
        assert_eq!(error.to_string(), "RewriteFailed: spec.dataFrom[1].rewrite[0]: no");
        let error = Error::fix(Code::RewriteFailed, "no").within("spec.dataFrom[1]");
        assert_eq!(error.to_string(), "RewriteFailed: spec.dataFrom[1]: no");
    }
}
