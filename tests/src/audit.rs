//! The requests of the API server, from its audit log at the level of metadata.
//!
//! A line is written around the time of its answer. The bed makes both ends of a count exact with a request of its own: once its line is
//! there, every earlier answer has its line too.

use std::fmt;

use serde::Deserialize;

use crate::{
    counts::Requests,
    operator::{Binary, OPERATOR_NAMESPACE},
};

/// One request that the API server answered.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// `system:serviceaccount:NAMESPACE:NAME` for the binaries under test.
    pub user: String,
    /// get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: String,
    /// Plural, with the subresource: `secrets`, `externalsecrets/status`; empty for paths such as `/version`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub path: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

impl Requests<ApiRequest> {
    /// Those of one user, as the audit log names it.
    #[must_use]
    pub fn by(&self, user: &str) -> Self {
        self.filter(|request| request.user == user)
    }

    /// Those of one ServiceAccount.
    #[must_use]
    pub fn by_service_account(&self, namespace: &str, name: &str) -> Self {
        self.by(&format!("system:serviceaccount:{namespace}:{name}"))
    }

    /// Those of one binary under test.
    #[must_use]
    pub fn of(&self, binary: Binary) -> Self {
        self.by_service_account(OPERATOR_NAMESPACE, binary.service_account())
    }

    #[must_use]
    pub fn verb(&self, verb: &str) -> Self {
        self.filter(|request| request.verb == verb)
    }

    /// Those of one resource with its subresource: `secrets`, `externalsecrets/status`.
    #[must_use]
    pub fn resource(&self, resource: &str) -> Self {
        self.filter(|request| request.resource == resource)
    }

    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        self.filter(|request| request.namespace == namespace)
    }

    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        self.filter(|request| request.name == name)
    }

    /// Everything that changes an object.
    #[must_use]
    pub fn writes(&self) -> Self {
        self.filter(|request| !is_read(&request.verb))
    }

    /// get, list and watch.
    #[must_use]
    pub fn reads(&self) -> Self {
        self.filter(|request| is_read(&request.verb))
    }

    pub(crate) fn parse(events: Vec<ApiEvent>) -> Self {
        Self::new(events.into_iter().filter(ApiEvent::is_counted).map(ApiRequest::from))
    }
}

impl fmt::Display for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, verb, resource, namespace, name, status, .. } = self;
        write!(f, "{user} {verb} {resource} {namespace}/{name} {status}")
    }
}

fn is_read(verb: &str) -> bool {
    matches!(verb, "get" | "list" | "watch")
}

/// A line of the API server's audit log.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiEvent {
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: ApiUser,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ApiUser {
    #[serde(default)]
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl ApiEvent {
    /// A watch counts when it begins, since most never end; everything else when it was answered.
    fn is_counted(&self) -> bool {
        self.stage == if self.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" }
    }

    pub(crate) fn path(&self) -> &str {
        &self.request_uri
    }
}

impl From<ApiEvent> for ApiRequest {
    fn from(event: ApiEvent) -> Self {
        let object = event.object_ref;
        let resource = match object.subresource.as_str() {
            "" => object.resource,
            subresource => format!("{}/{subresource}", object.resource),
        };
        Self {
            user: event.user.username,
            verb: event.verb,
            resource,
            namespace: object.namespace,
            name: object.name,
            path: event.request_uri,
            status: event.response_status.code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(lines: &[serde_json::Value]) -> Requests<ApiRequest> {
        Requests::parse(lines.iter().map(|line| serde_json::from_value(line.clone()).unwrap()).collect())
    }

    fn event(stage: &str, verb: &str, resource: &str, user: &str) -> serde_json::Value {
        serde_json::json!({
            "stage": stage, "verb": verb, "requestURI": format!("/api/v1/{resource}"), "user": {"username": user},
            "objectRef": {"resource": resource, "namespace": "team", "name": "db"}, "responseStatus": {"code": 200},
        })
    }

    #[test]
    fn a_watch_counts_once_at_its_beginning() {
        let seen = requests(&[
            event("ResponseStarted", "watch", "secrets", "a"),
            event("ResponseComplete", "watch", "secrets", "a"),
            event("ResponseComplete", "patch", "secrets", "a"),
        ]);
        assert_eq!(seen.len(), 2);
        assert_eq!(seen.reads().len(), 1);
        assert_eq!(seen.writes().verb("patch").resource("secrets").in_namespace("team").named("db").len(), 1);
    }

    #[test]
    fn requests_are_told_apart_by_service_account() {
        let controller = "system:serviceaccount:external-secrets:external-secrets";
        let seen = requests(&[
            event("ResponseComplete", "get", "secrets", controller),
            event("ResponseComplete", "get", "secrets", "bed-admin"),
        ]);
        assert_eq!(seen.of(Binary::Controller).len(), 1);
        assert_eq!(seen.of(Binary::Webhook).len(), 0);
        assert!(seen.to_string().contains("    1 × bed-admin get secrets team/db 200"));
    }
}
