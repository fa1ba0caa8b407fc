//! What unit tests of resolver and providers share: a Kubernetes API and backends that answer from a function.

use std::convert::Infallible;

use http::{Request, Response};
use kube::client::Body;

/// A client whose server answers with a status and a JSON body.
pub fn kube_client<F>(answer: F) -> kube::Client
where
    F: Fn(&Request<Body>) -> (u16, serde_json::Value) + Clone + Send + Sync + 'static,
{
    let service = tower::service_fn(move |request: Request<Body>| {
        let (status, body) = answer(&request);
        async move {
            let body = Body::from(body.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    });
    kube::Client::new(service, "default")
}
