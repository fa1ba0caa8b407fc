//! The certificate that the webhook serves, seen from a client.

use std::{net::SocketAddr, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tests::{Bed, Failure, OPERATOR_NAMESPACE, Result};

/// The Secret with the webhook's certificate.
pub const SECRET: &str = "external-secrets-webhook";

/// The name by which the API server calls the webhook.
const NAME: &str = "external-secrets-webhook.external-secrets.svc";

/// A handshake on this machine takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// Connects as the API server does, trusting the authority that the cert-controller published, and returns the certificate.
pub async fn served(bed: &Bed) -> Result<Vec<u8>> {
    let secrets: Api<Secret> = Api::namespaced(bed.admin()?, OPERATOR_NAMESPACE);
    let data = secrets.get(SECRET).await?.data.unwrap_or_default();
    let bundle = data.get("ca.crt").ok_or_else(|| Failure::new(format!("Secret {SECRET} has no ca.crt")))?;
    let address = SocketAddr::from(([127, 0, 0, 1], bed.webhook_port()));
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&bundle.0)?)
        .tls_info(true)
        .resolve(NAME, address)
        .timeout(DEADLINE)
        .build()?;
    let answer = client.get(format!("https://{NAME}:{}/", bed.webhook_port())).send().await?;
    let info = answer.extensions().get::<reqwest::tls::TlsInfo>();
    let certificate = info.and_then(reqwest::tls::TlsInfo::peer_certificate);
    certificate.map(<[u8]>::to_vec).ok_or_else(|| Failure::new("the webhook showed no certificate"))
}

/// The serial number of a certificate, as `openssl x509 -serial` prints it.
pub fn serial(certificate: &[u8]) -> Result<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)?;
    Ok(parsed.raw_serial_as_string())
}
