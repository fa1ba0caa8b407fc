//! One request of a controller, named so that the same work has the same name in every run.
//!
//! The order of requests that nothing orders (an event, a status) differs from run to run, so a request is known by what it
//! asks, and by how many of the same came before it. Random parts, the namespace of the run among them, are left out.

use std::fmt;

use axum::http::{Method, Uri};

/// Which server was asked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Server {
    Kubernetes,
    OpenBao,
}

/// See the module documentation.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Call {
    pub server: Server,
    pub method: String,
    /// Plural, with the subresource, or the path within OpenBao.
    pub resource: String,
    /// Of the object; the reason of an event; empty for a collection.
    pub name: String,
}

/// What a request is to the proxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A step of a reconcile.
    Work(Call),
    /// A list or a watch of this plural: how the controller learns, not what it does.
    News(String),
    /// Discovery and leases, which no object is reconciled by.
    Beside,
}

/// `namespace`: the run's, replaced in paths of OpenBao.
pub fn classify(server: Server, method: &Method, uri: &Uri, body: &[u8], namespace: &str) -> Kind {
    if server == Server::OpenBao {
        let resource = uri.path().trim_start_matches("/v1/").replace(namespace, "NAMESPACE");
        return Kind::Work(Call { server, method: method.to_string(), resource, name: String::new() });
    }
    let Some((resource, name)) = object(uri.path()) else { return Kind::Beside };
    if resource == "leases" {
        return Kind::Beside;
    }
    if method == Method::GET && name.is_empty() {
        return Kind::News(resource);
    }
    let is_event = resource == "events";
    let name = if is_event { reason(body) } else { name };
    Kind::Work(Call { server, method: method.to_string(), resource, name })
}

/// Resource and name of `/api/v1/namespaces/N/secrets/db` or `/apis/GROUP/VERSION/namespaces/N/PLURAL/NAME/SUBRESOURCE`.
fn object(path: &str) -> Option<(String, String)> {
    let mut parts = path.trim_matches('/').split('/');
    match parts.next()? {
        "api" => drop(parts.next()?),
        "apis" => drop((parts.next()?, parts.next()?)),
        _ => return None,
    }
    let mut rest: Vec<&str> = parts.collect();
    if rest.first() == Some(&"namespaces") && rest.len() > 2 {
        rest.drain(..2);
    }
    let plural = *rest.first()?;
    let name = rest.get(1).copied().unwrap_or_default().to_owned();
    Some((rest.get(2).map_or_else(|| plural.to_owned(), |sub| format!("{plural}/{sub}")), name))
}

/// Events have random names; their reason says which it is.
fn reason(body: &[u8]) -> String {
    let event: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    event["reason"].as_str().unwrap_or_default().to_owned()
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server: _, method, resource, name } = self;
        let name = if name.is_empty() { String::new() } else { format!(" {name}") };
        write!(f, "{method} {resource}{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubernetes(method: &Method, uri: &'static str, body: &[u8]) -> Kind {
        classify(Server::Kubernetes, method, &Uri::from_static(uri), body, "team")
    }

    fn work(kind: Kind) -> String {
        if let Kind::Work(call) = kind { call.to_string() } else { format!("{kind:?}") }
    }

    #[test]
    fn work_is_told_from_learning() {
        let es = "/apis/external-secrets.io/v1/namespaces/team/externalsecrets/db/status?fieldManager=x";
        assert_eq!(work(kubernetes(&Method::PATCH, es, b"")), "PATCH externalsecrets/status db");
        assert_eq!(work(kubernetes(&Method::GET, "/api/v1/namespaces/team/secrets/db", b"")), "GET secrets db");
        assert_eq!(work(kubernetes(&Method::POST, "/api/v1/namespaces/team/secrets?", b"{}")), "POST secrets");
        let watch = "/api/v1/namespaces/team/secrets?watch=true&labelSelector=a";
        assert_eq!(kubernetes(&Method::GET, watch, b""), Kind::News("secrets".to_owned()));
        assert_eq!(kubernetes(&Method::GET, "/api/v1/namespaces", b""), Kind::News("namespaces".to_owned()));
        assert_eq!(kubernetes(&Method::GET, "/version", b""), Kind::Beside);
    }

    #[test]
    fn random_parts_are_left_out() {
        let events = "/apis/events.k8s.io/v1/namespaces/team/events";
        assert_eq!(work(kubernetes(&Method::POST, events, br#"{"reason":"Created"}"#)), "POST events Created");
        let read = classify(Server::OpenBao, &Method::GET, &Uri::from_static("/v1/secret/data/team/db"), b"", "team");
        assert_eq!(work(read), "GET secret/data/NAMESPACE/db");
    }
}
