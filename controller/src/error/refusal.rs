//! What may be told of a refusal by the API server. Pure.
//!
//! Policies and webhooks see what is written and word their refusals as they like, so the words can hold a value of a
//! Secret, and so can the validation of the API server, which quotes what it refuses. Told are the forms that the API
//! server itself builds from names, read strictly from the beginning of its message, and the fields that it names.
//! Everything else is dropped, whatever its status code.

use kube::core::Status;

/// Who refused, or what is missing; only names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Nothing can be made in the namespace, which is being deleted.
    NamespaceGoes,
    /// A policy or webhook said no, as words: `admission webhook "a.example.com"`.
    Denied(String),
    /// A webhook that must be asked did not answer.
    WebhookSilent(String),
    Quota(String),
    /// Who cannot do what, as the API server says it of RBAC.
    NotPermitted(String),
    /// The object that does not exist.
    Absent(String),
    /// Fields and faults; never values.
    Fields(String),
    Untold,
}

impl Refusal {
    pub fn of(status: &Status) -> Self {
        let said = status.message.as_str();
        if let Some(name) = after(said, "admission webhook ").and_then(|rest| quoted(rest, '"', is_name)) {
            return Self::Denied(format!("admission webhook \"{name}\""));
        }
        if let Some(rest) = after(said, "Internal error occurred: failed calling webhook ") {
            return quoted(rest, '"', is_name).map_or(Self::Untold, |name| Self::WebhookSilent(name.to_owned()));
        }
        if let Some(refused) = forbidden(said) {
            return Self::of_forbidden(refused);
        }
        match status.code {
            404 => absent(said).map_or(Self::Untold, Self::Absent),
            400 | 422 => faults(status).map_or(Self::Untold, Self::Fields),
            _ => Self::Untold,
        }
    }

    fn of_forbidden(said: &str) -> Self {
        if said.starts_with("unable to create new content in namespace ") {
            return Self::NamespaceGoes;
        }
        if let Some(policy) = after(said, "ValidatingAdmissionPolicy ") {
            return Self::Denied(
                policy_and_binding(policy).unwrap_or_else(|| "a ValidatingAdmissionPolicy".to_owned()),
            );
        }
        if let Some(quota) = after(said, "exceeded quota: ") {
            let name = quota.split(',').next().filter(|name| is_name(name));
            return name.map_or(Self::Untold, |name| Self::Quota(name.to_owned()));
        }
        missing_permission(said).map_or(Self::Untold, Self::NotPermitted)
    }
}

/// The reason of a status if it is one of Kubernetes' own: webhooks can write anything there.
pub fn reason(status: &Status) -> &'static str {
    REASONS.into_iter().find(|reason| *reason == status.reason).unwrap_or("no known reason")
}

const REASONS: [&str; 18] = [
    "AlreadyExists",
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "Gone",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "RequestEntityTooLarge",
    "ServerTimeout",
    "ServiceUnavailable",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
];

/// What comes after `secrets "name" is forbidden: `, which the API server puts before every refusal of its own kind.
fn forbidden(said: &str) -> Option<&str> {
    let (object, rest) = said.split_once(" is forbidden: ")?;
    let (resource, name) = object.split_once(' ').unwrap_or((object, "\"\""));
    let known = is_word(resource) && name.len() >= 2 && name.starts_with('"') && name.ends_with('"');
    (known && !name[1..name.len() - 1].contains('"')).then_some(rest)
}

fn policy_and_binding(said: &str) -> Option<String> {
    let policy = quoted(said, '\'', is_name)?;
    let rest = &said[policy.len() + 2..];
    let binding = after(rest, " with binding ").and_then(|rest| quoted(rest, '\'', is_name));
    let binding = binding.map(|binding| format!(" with binding \"{binding}\"")).unwrap_or_default();
    Some(format!("ValidatingAdmissionPolicy \"{policy}\"{binding}"))
}

/// `User "x" cannot get resource "secrets" in API group "" in the namespace "n"`, of which the place is left out.
fn missing_permission(said: &str) -> Option<String> {
    let rest = after(said, "User ")?;
    let user = quoted(rest, '"', is_user)?;
    let rest = after(&rest[user.len() + 2..], " cannot ")?;
    let (verb, rest) = rest.split_once(" resource ").filter(|(verb, _)| is_word(verb))?;
    let resource = quoted(rest, '"', is_word)?;
    let group = after(&rest[resource.len() + 2..], " in API group ")?;
    let group = quoted(group, '"', |group| group.is_empty() || is_name(group))?;
    Some(format!("user \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\""))
}

fn absent(said: &str) -> Option<String> {
    let (resource, name) = said.strip_suffix(" not found")?.split_once(' ')?;
    let name = quoted(name, '"', is_name).filter(|inner| inner.len() + 2 == name.len())?;
    is_word(resource).then(|| format!("{resource} \"{name}\""))
}

/// At most so many fields are named.
const FIELDS: usize = 5;

/// Longer than any field of a schema that somebody could look up.
const LONGEST_FIELD: usize = 200;

fn faults(status: &Status) -> Option<String> {
    const FAULTS: [&str; 9] = [
        "FieldValueNotFound",
        "FieldValueRequired",
        "FieldValueDuplicate",
        "FieldValueInvalid",
        "FieldValueNotSupported",
        "FieldValueForbidden",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    ];
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let known = causes.filter(|cause| !cause.field.is_empty() && cause.field.len() <= LONGEST_FIELD);
    let told = known.filter_map(|cause| {
        let fault = FAULTS.into_iter().find(|fault| *fault == cause.reason)?;
        Some(format!("{} ({fault})", cause.field))
    });
    let told: Vec<_> = told.take(FIELDS).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn after<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    text.strip_prefix(opening)
}

/// The text within the quotes that `said` begins with.
fn quoted(said: &str, quote: char, is_known: impl Fn(&str) -> bool) -> Option<&str> {
    let (inner, _) = said.strip_prefix(quote)?.split_once(quote)?;
    is_known(inner).then_some(inner)
}

/// A name as Kubernetes has them for policies, webhooks and quotas.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
}

/// A verb, or a resource with or without its group and subresource.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.split('/').all(is_name)
}

fn is_user(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_' | '@' | '/');
    !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(code: u16, message: &str, causes: &Value) -> Status {
        serde_json::from_value(json!({"code": code, "message": message, "details": {"causes": causes}}))
            .expect("a status")
    }

    #[test]
    fn names_are_told_and_words_are_not() {
        let denied = |by: &str| Refusal::Denied(by.to_owned());
        for (code, message, expected) in [
            (
                403,
                "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'no.x' with binding 'all' denied request: canary",
                denied("ValidatingAdmissionPolicy \"no.x\" with binding \"all\""),
            ),
            (
                413,
                "settings.example.com \"s\" is forbidden: ValidatingAdmissionPolicy 'no' with binding 'Canary' denied",
                denied("ValidatingAdmissionPolicy \"no\""),
            ),
            (401, "secrets is forbidden: ValidatingAdmissionPolicy 'Canary' x", denied("a ValidatingAdmissionPolicy")),
            (
                404,
                "admission webhook \"a.example.com\" denied the request: secrets \"canary\" not found",
                denied("admission webhook \"a.example.com\""),
            ),
            (
                500,
                "Internal error occurred: failed calling webhook \"a.example.com\": canary",
                Refusal::WebhookSilent("a.example.com".into()),
            ),
            (
                403,
                "secrets \"s\" is forbidden: unable to create new content in namespace n because it is being terminated",
                Refusal::NamespaceGoes,
            ),
            (403, "admission webhook \"A\" denied the request: canary is being terminated", Refusal::Untold),
            (
                403,
                "secrets \"s\" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=1",
                Refusal::Quota("few".into()),
            ),
            (
                403,
                "secrets \"s\" is forbidden: User \"system:serviceaccount:a:b\" cannot create resource \"secrets\" in API group \"\" in the namespace \"n\": canary",
                Refusal::NotPermitted(
                    "user \"system:serviceaccount:a:b\" cannot create resource \"secrets\" in API group \"\"".into(),
                ),
            ),
            (403, "secrets \"s\" is forbidden: canary", Refusal::Untold),
            (403, "canary is forbidden: exceeded quota: canary, and \"canary\"", Refusal::Quota("canary".into())),
            (403, "the canary \"x\" is forbidden: exceeded quota: canary", Refusal::Untold),
            (404, "namespaces \"n\" not found", Refusal::Absent("namespaces \"n\"".into())),
            (404, "canary \"Canary\" not found", Refusal::Untold),
            (422, "Secret \"s\" is invalid: canary", Refusal::Untold),
            (409, "canary", Refusal::Untold),
            (401, "Unauthorized", Refusal::Untold),
        ] {
            assert_eq!(Refusal::of(&status(code, message, &json!([]))), expected, "{message}");
        }
    }

    #[test]
    fn fields_are_told_of_validation_and_of_nobody_else() {
        let causes = json!([
            {"field": "data[a]", "reason": "FieldValueInvalid", "message": "Invalid value: canary"},
            {"field": "metadata.labels", "reason": "canary"},
            {"reason": "FieldValueInvalid", "message": "canary"},
        ]);
        let invalid = status(422, "Secret \"s\" is invalid: canary", &causes);
        assert_eq!(Refusal::of(&invalid), Refusal::Fields("data[a] (FieldValueInvalid)".into()));
        let denied = status(422, "admission webhook \"a.b.c\" denied the request: canary", &causes);
        assert_eq!(Refusal::of(&denied), Refusal::Denied("admission webhook \"a.b.c\"".into()));
    }

    #[test]
    fn reason_is_one_of_kubernetes() {
        let with = |reason: &str| Status { reason: reason.into(), ..Status::default() };
        assert_eq!(reason(&with("Invalid")), "Invalid");
        assert_eq!(reason(&with("canary")), "no known reason");
    }
}
