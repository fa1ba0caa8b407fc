//! A request of Vault's API, put together once and sent as often as it takes.
//!
//! Endpoint types, those of `vaultrs` and ours, supply path, method, query and body. Their response types are not used:
//! they demand fields that servers leave out and lose digits of numbers.

use reqwest::{Method, Url};
use rustify::endpoint::Endpoint;
use zeroize::Zeroizing;

use crate::error::{Code, Error};

/// See the module documentation. Not yet bound to a server.
pub struct Request {
    pub method: Method,
    pub body: Option<Zeroizing<Vec<u8>>>,
    path: String,
    query: Option<String>,
}

impl Request {
    pub fn new<E: Endpoint>(endpoint: &E) -> Result<Self, Error> {
        // The errors of these types quote what they hold.
        let unbuildable = |_| Error::bug(Code::VaultRequestInvalid, "a request to Vault could not be put together");
        let query = endpoint.query().map_err(unbuildable)?.filter(|query| !query.is_empty());
        let body = endpoint.body().map_err(unbuildable)?.filter(|body| !body.is_empty()).map(Zeroizing::new);
        Ok(Self { method: endpoint.method().into(), body, path: endpoint.path(), query })
    }

    /// `<base>/v1/<path>`, each segment percent-encoded. Empty segments are left out, as Vault's own client does.
    pub fn url(&self, base: &Url) -> Result<Url, Error> {
        // Two of the endpoint types begin their path with a tab.
        let segments = || self.path.trim_start_matches('\t').split('/').filter(|segment| !segment.is_empty());
        if segments().any(|segment| matches!(segment, "." | "..")) {
            let problem = format!("{:?}: a path may not contain \".\" or \"..\"; write it out", self.path);
            return Err(Error::fix(Code::KeyInvalid, problem));
        }
        let mut url = base.clone();
        match url.path_segments_mut() {
            Ok(mut target) => target.pop_if_empty().push("v1").extend(segments()),
            Err(()) => return Err(invalid_server("it cannot have a path")),
        };
        url.set_query(self.query.as_deref());
        Ok(url)
    }
}

/// The address of a server, which may end in a path.
pub fn parse_server(server: &str) -> Result<Url, Error> {
    let url = Url::parse(server.trim()).map_err(|error| invalid_server(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(invalid_server("it must begin with http:// or https:// and a host")),
    }
}

fn invalid_server(what: &str) -> Error {
    let advice = "write it like https://vault.example.com:8200";
    Error::fix(Code::StoreInvalid, format!("spec.provider.vault.server: {what}; {advice}"))
}
