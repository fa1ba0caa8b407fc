//! Plain HTTP to the bed's own servers.

use std::time::Duration;

use reqwest::Client;

use crate::failure::Result;

/// Longer than any answer of a healthy server on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// A client that goes to 127.0.0.1 directly, trusting `ca_pem` only. It keeps no idle connection, because a connection belongs to
/// the runtime of the test that opened it, and the client may outlive that.
pub fn new(ca_pem: Option<&str>) -> Result<Client> {
    let mut builder = Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(DEADLINE);
    if let Some(pem) = ca_pem {
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes())?]);
    }
    Ok(builder.build()?)
}

/// Whether a request is answered with success; the reason if not.
pub async fn answers(request: reqwest::RequestBuilder) -> std::result::Result<(), String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("{status}: {}", answer.text().await.unwrap_or_default()))
}
