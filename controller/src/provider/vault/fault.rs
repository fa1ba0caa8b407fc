//! What can go wrong between us and Vault, in words for the person who must act.

use std::{error::Error as StdError, time::Duration};

use reqwest::Url;

use super::http::Reply;
use crate::{
    error::{Code, Error},
    http::causes,
    provider::json::{Json, Malformed},
};

/// Longest quote of what a server said.
const MAX_QUOTE: usize = 300;

/// The server as messages name it: scheme, host and port, without credentials that a URL can hold.
#[derive(Clone, Debug)]
pub struct Server(String);

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Server {
    pub fn new(base: &Url) -> Self {
        let port = base.port().map_or_else(String::new, |port| format!(":{port}"));
        Self(format!("{}://{}{port}", base.scheme(), base.host_str().unwrap_or_default()))
    }

    pub fn unreachable(&self, why: &str) -> Error {
        let advice = "check spec.provider.vault.server, DNS and network policies";
        Error::outage(Code::VaultUnreachable, format!("{self} cannot be reached: {why}; {advice}"))
    }

    /// No answer, or one that broke off.
    pub fn failed(&self, error: &reqwest::Error) -> Error {
        match distrust(error) {
            Some(Distrust::Ours(why)) => return self.untrusted(&why),
            Some(Distrust::Theirs(why)) => return self.distrusts(&why),
            None => {}
        }
        if error.is_timeout() {
            return self.unreachable("no answer in time");
        }
        let why = innermost(error);
        if error.is_body() || error.is_decode() {
            let message = format!("{self} broke off in the middle of an answer: {why}");
            return Error::retry(Code::VaultUnexpectedAnswer, message);
        }
        self.unreachable(&why)
    }

    fn untrusted(&self, why: &str) -> Error {
        let advice =
            "put the certificate of the authority that signed it into spec.provider.vault.caBundle or caProvider";
        Error::fix(Code::VaultUntrusted, format!("the certificate of {self} is not trusted: {why}; {advice}"))
    }

    fn distrusts(&self, why: &str) -> Error {
        let advice = "set spec.provider.vault.tls (or auth.cert) to a certificate for clients that it trusts";
        let message = format!("{self} demands a client certificate or refuses the one it was shown: {why}; {advice}");
        Error::fix(Code::VaultLoginDenied, message)
    }

    pub fn redirects(&self) -> Error {
        let advice = "set spec.provider.vault.server to the address it redirects to";
        Error::fix(
            Code::VaultUnexpectedAnswer,
            format!("{self} redirects more than once, to another scheme, or to another path; {advice}"),
        )
    }

    pub fn not_json(&self, status: u16, media_type: &str, problem: Malformed) -> Error {
        let message = format!("{self} answered {status} with {media_type} that is not JSON ({problem})");
        // What calls itself JSON was cut short; a page says that another server answers.
        if media_type.contains("json") {
            return Error::retry(Code::VaultUnexpectedAnswer, message);
        }
        let advice = "check that spec.provider.vault.server is the address of Vault, with its scheme, port and path";
        Error::fix(Code::VaultUnexpectedAnswer, format!("{message}; {advice}"))
    }

    /// JSON, but none that Vault answers a read or list of `path` with: nothing can be concluded of what is there.
    pub fn not_vault(&self, path: &str, status: u16) -> Error {
        let advice = "check what answers at spec.provider.vault.server: a gateway may have another path for Vault";
        let message = format!("{path:?} at {self}: the answer ({status}) is not one of Vault's; {advice}");
        Error::retry(Code::VaultUnexpectedAnswer, message)
    }

    pub fn too_long(&self, limit: usize) -> Error {
        let message = format!("{self} answered with more than {limit} bytes; narrow what is asked for");
        Error::fix(Code::VaultUnexpectedAnswer, message)
    }

    /// The error that an answer means whatever was asked; `None` for answers that depend on it.
    pub fn trouble(&self, reply: &Reply, retry_after: Option<Duration>) -> Option<Error> {
        let said = reply.errors();
        let status = reply.status;
        match status {
            429 => {
                let advice =
                    "it is left alone for as long as it asks; raise its rate limit quota if this does not pass";
                let message = format!("{self} limits the rate of requests ({status}); {advice}");
                Some(Error::outage(Code::VaultThrottled, message).with_retry_after(retry_after))
            }
            412 => {
                let advice =
                    "it passes by itself; forwardInconsistent beside readYourWrites has the active node answer";
                let message =
                    format!("a replica of {self} is behind what was read or written before ({status}); {advice}");
                Some(Error::retry(Code::VaultBehind, message))
            }
            472 => {
                Some(self.not_active(status, "a disaster recovery secondary, which serves nobody until it is promoted"))
            }
            473 => Some(self.not_active(status, "a performance standby, which cannot answer this by itself")),
            501 => {
                let message = format!("{self} is not initialized ({status}: {said}); initialize it");
                Some(Error::outage(Code::VaultNotInitialized, message))
            }
            503 => {
                let message = format!("{self} is sealed or has no active node ({status}: {said}); unseal it");
                Some(Error::outage(Code::VaultSealed, message))
            }
            502 | 504 => Some(self.unreachable(&format!("it answers {status}: {said}"))),
            500..=599 => {
                let message = format!("{self} answered {status}: {said}; see Vault's own log");
                Some(Error::retry(Code::VaultUnexpectedAnswer, message))
            }
            _ => None,
        }
    }

    fn not_active(&self, status: u16, what: &str) -> Error {
        let advice = "set spec.provider.vault.server to the active node or a load balancer that finds it";
        Error::outage(Code::VaultNotActive, format!("{self} is {what} ({status}); {advice}"))
    }

    /// A reply to a read or list of `path` that is neither success nor absence. `capability`: what a policy must grant.
    pub fn refused(&self, reply: &Reply, path: &str, capability: &str) -> Error {
        let said = reply.errors();
        match reply.status {
            403 if is_token_problem(&said) => self.token_refused(&said),
            403 => {
                let advice =
                    format!("its policy needs \"{capability}\" on exactly this path, and the token must be valid");
                Error::fix(
                    Code::VaultPermissionDenied,
                    format!("{path:?} at {self}: permission denied to the token; {advice}"),
                )
            }
            404 => {
                let advice = "check spec.provider.vault.path and namespace, and the key";
                Error::fix(Code::VaultRequestInvalid, format!("{path:?} at {self}: {said}; {advice}"))
            }
            status => {
                let advice = "check key, version and spec.provider.vault.path";
                Error::fix(Code::VaultRequestInvalid, format!("{path:?} at {self}: {status}: {said}; {advice}"))
            }
        }
    }

    pub fn token_refused(&self, said: &str) -> Error {
        let advice = "write a valid one into the Secret that spec.provider.vault.auth names";
        Error::fix(Code::VaultLoginDenied, format!("{self} does not accept the token ({said}); {advice}"))
    }
}

pub fn is_token_problem(said: &str) -> bool {
    ["invalid token", "bad token", "missing client token"].iter().any(|phrase| said.contains(phrase))
}

/// A list of texts in an answer, on one line, shortened.
pub fn said(body: &Json, field: &str) -> String {
    let Some(Json::Array(items)) = body.get(field) else { return String::new() };
    let texts: Vec<String> = items.iter().filter_map(Json::as_str).map(one_line).collect();
    texts.join("; ").chars().take(MAX_QUOTE).collect()
}

/// Vault writes lists of errors as "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n".
fn one_line(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("* ")).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.filter(|line| !line.ends_with("occurred:")).collect();
    lines.join(", ")
}

/// Who finds a certificate wanting, and why.
enum Distrust {
    Ours(String),
    Theirs(String),
}

/// Whose certificate is to blame, if one is why a request failed.
fn distrust(error: &reqwest::Error) -> Option<Distrust> {
    use rustls::AlertDescription as Alert;
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        let error = unpacked(error);
        match error.downcast_ref() {
            Some(problem @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)) => {
                return Some(Distrust::Ours(problem.to_string()));
            }
            Some(
                problem @ rustls::Error::AlertReceived(
                    Alert::CertificateRequired
                    | Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::UnknownCA
                    // An authority that only has the name of a trusted one.
                    | Alert::DecryptError
                    | Alert::AccessDenied,
                ),
            ) => return Some(Distrust::Theirs(problem.to_string())),
            _ => cause = error.source(),
        }
    }
    None
}

/// I/O errors hide the error they were made of from the chain, and are packed into one another.
fn unpacked<'a>(mut error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    while let Some(inside) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        error = inside;
    }
    error
}

/// The cause that says most, without those around it that only say that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    error.source().map_or_else(|| error.to_string(), causes).chars().take(MAX_QUOTE).collect()
}
