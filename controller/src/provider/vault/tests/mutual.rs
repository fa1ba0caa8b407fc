//! Servers that demand a client certificate, whatever the method.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A certificate for a client, and the authority that signed it.
struct Client {
    authority: rcgen::Certificate,
    certificate: String,
    key: String,
}

fn client() -> Client {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let certificate =
        CertificateParams::new(vec!["client".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap().pem();
    let authority = authority.self_signed(&authority_key).unwrap();
    Client { authority, certificate, key: key.serialize_pem() }
}

/// A server that answers whoever shows a certificate of this authority; its address and its own certificate.
async fn server(trusted: &Client) -> (String, String) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add(trusted.authority.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder().with_client_cert_verifier(verifier);
    let config = config.with_single_cert(vec![own.cert.der().clone()], key.into()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let body = r#"{"data":{"data":{"k":"v"}}}"#;
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (url, own.cert.pem())
}

/// Reads an entry with the certificate that `tls` names; none, if nothing is named.
async fn read(url: &str, ca: &str, shown: Option<&Client>) -> Result<Option<String>, Error> {
    let (certificate, key) =
        shown.map_or_else(Default::default, |shown| (shown.certificate.clone(), shown.key.clone()));
    let kube = kube_client(move |_| {
        let value = |text: &str| serde_json::to_value(k8s_openapi::ByteString(text.into())).unwrap();
        let data = json!({"tls.crt": value(&certificate), "tls.key": value(&key), "token": value("tok")});
        (200, json!({"metadata": {"name": "it", "resourceVersion": "1"}, "data": data}))
    });
    let access = Arc::new(Access::unwatched(kube, Scope::Namespaced { namespace: "team-a".into() }));
    let mut spec = json!({
        "server": url,
        "path": "secret",
        "caBundle": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, ca),
        "auth": {"tokenSecretRef": {"name": "it", "key": "token"}},
    });
    if shown.is_some() {
        spec["tls"] = json!({"certSecretRef": {"name": "it"}, "keySecretRef": {"name": "it"}});
    }
    let spec: Spec = serde_json::from_value(spec).unwrap();
    let metrics = ProviderMetrics::new(&prometheus::Registry::new()).unwrap();
    let aws = aws::Shared::new(aws::Endpoints::default(), aws::Pod::default());
    let shared = Shared { clients: &Clients::default(), aws: &aws, google: &Google::default(), metrics: &metrics };
    let retry = RetrySettings { max_retries: Some(0), retry_interval: None };
    let store = open(&spec, Some(&retry), access, &shared, Reads::new(Demand::default())).await?;
    Ok(text(store.get(&remote("app", Some("k")), Instant::now()).await?))
}

#[tokio::test]
async fn certificate_of_tls_is_shown_and_its_lack_or_refusal_is_named() {
    let (trusted, stranger) = (client(), client());
    let (url, ca) = server(&trusted).await;
    assert_eq!(read(&url, &ca, Some(&trusted)).await.unwrap().as_deref(), Some("v"));
    for shown in [None, Some(&stranger)] {
        let error = read(&url, &ca, shown).await.unwrap_err();
        assert_eq!((error.code(), error.class()), (Code::VaultLoginDenied, crate::error::Class::Fix), "{error}");
        assert!(error.to_string().contains("spec.provider.vault.tls"), "{error}");
    }
}
