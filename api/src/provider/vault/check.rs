//! What is wrong with a Vault block.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::header::{HeaderName, HeaderValue};

use super::{Check, Problem, Scope, Vault, VaultAuth, VaultVersion};
use crate::provider::selector::{Key, ca_provider, secret, service_account};

impl Check for Vault {
    fn problems(&self, scope: &Scope) -> Vec<Problem> {
        let mut problems = server_problem(&self.server).into_iter().collect::<Vec<_>>();
        if let Some(auth) = &self.auth {
            problems.extend(auth.problems(scope).into_iter().map(|problem| problem.under("auth")));
        }
        problems.extend(self.ca_bundle_pem().err());
        problems.extend(ca_provider("caProvider", self.ca_provider.as_ref(), scope));
        problems.extend(self.tls_problems(scope));
        problems.extend(self.header_problems());
        if self.version == VaultVersion::V1 && self.check_and_set.as_ref().is_some_and(|check| check.required) {
            let what = "version v1 of the engine has no version check";
            problems.push(Problem::new("checkAndSet.required", what, "remove it, or write version: v2"));
        }
        problems
    }
}

impl Vault {
    /// The certificates in `caBundle`, in PEM. The field holds them in base64, once or, as the Go operator reads it,
    /// twice.
    pub fn ca_bundle_pem(&self) -> Result<Option<Vec<u8>>, Problem> {
        const PATH: &str = "caBundle";
        let Some(text) = &self.ca_bundle else { return Ok(None) };
        let problem = |what: &str| Problem::new(PATH, what, "write the certificates in PEM, encoded in base64");
        let decode = |text: &[u8]| {
            let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            STANDARD.decode(text).ok()
        };
        let once = decode(text.as_bytes()).ok_or_else(|| problem("is not base64"))?;
        if is_pem(&once) {
            return Ok(Some(once));
        }
        decode(&once).filter(|twice| is_pem(twice)).map(Some).ok_or_else(|| problem("holds no certificate in PEM"))
    }

    /// A client certificate is complete or absent.
    fn tls_problems(&self, scope: &Scope) -> Vec<Problem> {
        let (cert, key) = (self.tls.cert_secret_ref.as_ref(), self.tls.key_secret_ref.as_ref());
        let mut problems = Vec::new();
        if cert.is_some() != key.is_some() {
            let missing = if cert.is_some() { "keySecretRef" } else { "certSecretRef" };
            let advice = "a client certificate needs both certSecretRef and keySecretRef";
            problems.push(Problem::new(format!("tls.{missing}"), "is missing", advice));
        }
        problems.extend(secret("tls.certSecretRef", cert, Key::Optional, scope));
        problems.extend(secret("tls.keySecretRef", key, Key::Optional, scope));
        problems
    }

    fn header_problems(&self) -> Vec<Problem> {
        let broken = self.headers.iter().filter(|(name, value)| {
            HeaderName::try_from(name.as_str()).is_err() || HeaderValue::try_from(value.as_str()).is_err()
        });
        let problem =
            |name: &str| Problem::new(format!("headers[{name}]"), "cannot be sent as an HTTP header", "correct it");
        broken.map(|(name, _)| problem(name)).collect()
    }
}

impl VaultAuth {
    /// The methods that are set, by the name of their field.
    pub fn methods(&self) -> Vec<&'static str> {
        [
            ("tokenSecretRef", self.token_secret_ref.is_some()),
            ("appRole", self.app_role.is_some()),
            ("kubernetes", self.kubernetes.is_some()),
            ("ldap", self.ldap.is_some()),
            ("userPass", self.user_pass.is_some()),
            ("jwt", self.jwt.is_some()),
            ("cert", self.cert.is_some()),
            ("iam", self.iam.is_some()),
            ("gcp", self.gcp.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_set)| is_set.then_some(name))
        .collect()
    }

    fn problems(&self, scope: &Scope) -> Vec<Problem> {
        let mut problems = self.reference_problems(scope);
        problems.extend(self.incomplete());
        problems.extend(self.choice_problem());
        problems
    }

    /// References, which the Go operator checks, too; those of `gcp` it does not.
    fn reference_problems(&self, scope: &Scope) -> Vec<Problem> {
        let mut found = secret("tokenSecretRef", self.token_secret_ref.as_ref(), Key::Needed, scope);
        if let Some(auth) = &self.app_role {
            found.extend(secret("appRole.secretRef", Some(&auth.secret_ref), Key::Needed, scope));
            found.extend(secret("appRole.roleRef", auth.role_ref.as_ref(), Key::Needed, scope));
        }
        if let Some(auth) = &self.kubernetes {
            found.extend(service_account("kubernetes.serviceAccountRef", auth.service_account_ref.as_ref(), scope));
            found.extend(secret("kubernetes.secretRef", auth.secret_ref.as_ref(), Key::Optional, scope));
        }
        if let Some(auth) = &self.ldap {
            found.extend(secret("ldap.secretRef", auth.secret_ref.as_ref(), Key::Needed, scope));
        }
        if let Some(auth) = &self.user_pass {
            found.extend(secret("userPass.secretRef", auth.secret_ref.as_ref(), Key::Needed, scope));
        }
        if let Some(auth) = &self.jwt {
            found.extend(secret("jwt.secretRef", auth.secret_ref.as_ref(), Key::Needed, scope));
            let token = auth.kubernetes_service_account_token.as_ref();
            let account = token.map(|token| &token.service_account_ref);
            found.extend(service_account("jwt.kubernetesServiceAccountToken.serviceAccountRef", account, scope));
        }
        if let Some(auth) = &self.cert {
            found.extend(secret("cert.clientCert", auth.client_cert.as_ref(), Key::Optional, scope));
            found.extend(secret("cert.secretRef", auth.secret_ref.as_ref(), Key::Optional, scope));
        }
        found.extend(self.cloud_reference_problems(scope));
        found
    }

    fn cloud_reference_problems(&self, scope: &Scope) -> Vec<Problem> {
        let mut found = Vec::new();
        if let Some(auth) = &self.iam {
            let account = auth.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.as_ref());
            found.extend(service_account("iam.jwt.serviceAccountRef", account, scope));
            if let Some(key) = &auth.secret_ref {
                for (name, selector) in [
                    ("accessKeyIDSecretRef", &key.access_key_id_secret_ref),
                    ("secretAccessKeySecretRef", &key.secret_access_key_secret_ref),
                    ("sessionTokenSecretRef", &key.session_token_secret_ref),
                ] {
                    found.extend(secret(&format!("iam.secretRef.{name}"), selector.as_ref(), Key::Needed, scope));
                }
            }
        }
        if let Some(auth) = &self.gcp {
            let key = auth.secret_ref.as_ref().and_then(|key| key.secret_access_key_secret_ref.as_ref());
            found.extend(secret("gcp.secretRef.secretAccessKeySecretRef", key, Key::Needed, scope));
            found.extend(service_account("gcp.serviceAccountRef", auth.service_account_ref.as_ref(), scope));
            let account = auth.workload_identity.as_ref().map(|identity| &identity.service_account_ref);
            found.extend(service_account("gcp.workloadIdentity.serviceAccountRef", account, scope));
        }
        found
    }

    /// Methods that lack half of what they need, which the Go operator refuses, too.
    fn incomplete(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.app_role.as_ref().is_some_and(|auth| auth.role_id.is_none() && auth.role_ref.is_none()) {
            problems.push(Problem::new("appRole", "names no role ID", "set roleId or roleRef"));
        }
        let lacks_token = self
            .jwt
            .as_ref()
            .is_some_and(|auth| auth.secret_ref.is_none() && auth.kubernetes_service_account_token.is_none());
        if lacks_token {
            problems.push(Problem::new("jwt", "names no token", "set secretRef or kubernetesServiceAccountToken"));
        }
        problems.extend(self.without_credential());
        problems
    }

    /// Ours: logins that could only fail.
    fn without_credential(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (method, lacks_password) in [
            ("ldap", self.ldap.as_ref().is_some_and(|auth| auth.secret_ref.is_none())),
            ("userPass", self.user_pass.as_ref().is_some_and(|auth| auth.secret_ref.is_none())),
        ] {
            if lacks_password {
                problems.push(Problem::new(method, "names no password", "set secretRef"));
            }
        }
        if let Some(auth) = &self.cert
            && auth.client_cert.is_some() != auth.secret_ref.is_some()
        {
            let missing = if auth.client_cert.is_some() { "secretRef" } else { "clientCert" };
            let advice = "a client certificate needs both clientCert and secretRef";
            problems.push(Problem::new(format!("cert.{missing}"), "is missing", advice));
        }
        if let Some(keys) = self.iam.as_ref().and_then(|auth| auth.secret_ref.as_ref()) {
            for (name, selector) in [
                ("accessKeyIDSecretRef", &keys.access_key_id_secret_ref),
                ("secretAccessKeySecretRef", &keys.secret_access_key_secret_ref),
            ] {
                if selector.is_none() {
                    problems.push(Problem::new(format!("iam.secretRef.{name}"), "is missing", "name Secret and key"));
                }
            }
        }
        problems
    }

    /// Ours: which of several methods was used would be a surprise.
    fn choice_problem(&self) -> Option<Problem> {
        let methods = self.methods();
        (methods.len() > 1).then(|| {
            let what = format!("sets {} ways to log in ({})", methods.len(), methods.join(", "));
            Problem::new("", what, "keep one")
        })
    }
}

/// Ours: an address that no request could be sent to.
fn server_problem(server: &str) -> Option<Problem> {
    let problem =
        |what: String| Some(Problem::new("server", what, "write an address such as https://vault.example.com:8200"));
    if server.is_empty() {
        return problem("is empty".to_owned());
    }
    let Ok(uri) = server.parse::<Uri>() else { return problem(format!("{server:?} is not a URL")) };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return problem(format!("{server:?} does not begin with https:// or http://"));
    }
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    if authority.contains('@') {
        // Not repeated: it may hold a password.
        return problem("holds a user name or password".to_owned());
    }
    let host = uri.host().unwrap_or_default();
    if host.is_empty() {
        return problem(format!("{server:?} names no host"));
    }
    let port = authority.strip_prefix(host).unwrap_or_default();
    if port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_err()) {
        return problem(format!("{server:?} has a port that is not between 0 and 65535"));
    }
    if uri.query().is_some() {
        return problem(format!("{server:?} has a query"));
    }
    None
}

fn is_pem(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN)
}
