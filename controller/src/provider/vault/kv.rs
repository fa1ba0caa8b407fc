//! The key/value engine: where a key lies, and what an answer holds.

use api::provider::VaultVersion;
use vaultrs::api::{kv1, kv2};
use zeroize::Zeroizing;

use super::{http::Reply, session::Session};
use crate::{
    error::{Code, Error},
    provider::{
        json::{Json, Numbers},
        metrics::names,
        reads::Weigh,
    },
};

/// What Vault warns of when an engine of version 2 is asked as if it were version 1.
const WRONG_VERSION: &str = "versioned K/V";

/// A mounted engine, or, without a mount, whichever one a key begins with.
#[derive(Clone, Debug)]
pub struct Engine {
    mount: Option<String>,
    version: VaultVersion,
}

/// An entry of an engine.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Location {
    pub mount: String,
    pub path: String,
}

/// An entry's data as a JSON object, with the text it is written as.
pub struct Document {
    pub json: Json,
    pub text: Zeroizing<String>,
}

impl Document {
    pub fn new(json: Json) -> Self {
        let text = json.to_text(Numbers::AsWritten);
        Self { json, text }
    }
}

/// What was found at a location; none, if nothing.
pub struct Found(pub Option<Document>);

impl Weigh for Found {
    fn weigh(&self) -> usize {
        // Text and parsed form, the latter with its pointers.
        self.0.as_ref().map_or(0, |document| document.text.len().saturating_mul(4))
    }
}

impl Engine {
    pub fn new(mount: Option<&str>, version: VaultVersion) -> Self {
        let mount = mount.map(|mount| mount.trim_matches('/').to_owned()).filter(|mount| !mount.is_empty());
        Self { mount, version }
    }

    /// Where the mount is known, which lists need.
    pub fn mount(&self) -> Option<&str> {
        self.mount.as_deref()
    }

    /// Where `key` lies. With a mount, a key may repeat it (and, in version 2, `data/` after it); without one, a key
    /// begins with its mount, and `data/` may be given or not.
    pub fn locate(&self, key: &str) -> Location {
        let key = key.trim_start_matches('/');
        let versioned = self.version == VaultVersion::V2;
        let (mount, path) = match &self.mount {
            Some(mount) => {
                let inside = key.strip_prefix(mount.as_str()).and_then(|rest| rest.strip_prefix('/'));
                let path = match inside {
                    Some(path) if versioned => path.strip_prefix("data/").unwrap_or(path),
                    Some(path) => path,
                    None => key,
                };
                (mount.as_str(), path)
            }
            None if versioned => key.split_once("/data/").or_else(|| key.split_once('/')).unwrap_or((key, "")),
            None => key.split_once('/').unwrap_or((key, "")),
        };
        Location { mount: mount.into(), path: path.into() }
    }

    /// The path that a policy must name for the data of `location`.
    pub fn data_path(&self, location: &Location) -> String {
        let Location { mount, path } = location;
        match self.version {
            VaultVersion::V1 => format!("{mount}/{path}"),
            VaultVersion::V2 => format!("{mount}/data/{path}"),
        }
    }

    /// Reads the data of an entry.
    pub async fn read(
        &self,
        session: &Session,
        at: &Location,
        version: Option<&str>,
    ) -> Result<Option<Document>, Error> {
        let path = self.data_path(at);
        let Location { mount, path: inner } = at.clone();
        let reply = match self.version {
            VaultVersion::V1 => {
                session.call(&kv1::requests::GetSecretRequest { mount, path: inner }, names::VAULT_READ).await?
            }
            VaultVersion::V2 => {
                let version = version.map(version_number).transpose()?;
                let request = kv2::requests::ReadSecretRequest { mount, path: inner, version };
                session.call(&request, names::VAULT_READ).await?
            }
        };
        let Some(data) = answered(session, reply, &path, "read")? else { return Ok(None) };
        let data = match self.version {
            VaultVersion::V1 => Some(data),
            VaultVersion::V2 => data.take("data"),
        };
        match data {
            Some(Json::Null) => Ok(None),
            Some(json @ Json::Object(_)) => Ok(Some(Document::new(json))),
            _ => Err(Error::fix(
                Code::RemoteValueInvalid,
                format!("{path:?}: the answer holds no object under \"data\"; is spec.provider.vault.version right?"),
            )),
        }
    }

    /// Reads the metadata of an entry: its custom metadata, and three facts that Vault keeps, all as text.
    pub async fn metadata(&self, session: &Session, at: &Location) -> Result<Option<Document>, Error> {
        if self.version == VaultVersion::V1 {
            let problem = "metadata exists in version v2 of the key/value engine only; correct spec.provider.vault.version, \
                           or do not ask for metadata or tags";
            return Err(Error::fix(Code::NotSupported, problem));
        }
        let path = format!("{}/metadata/{}", at.mount, at.path);
        let Location { mount, path: inner } = at.clone();
        let request = kv2::requests::ReadSecretMetadataRequest { mount, path: inner };
        let reply = session.call(&request, names::VAULT_READ).await?;
        Ok(answered(session, reply, &path, "read")?.map(|data| Document::new(metadata(&data))))
    }

    /// Names directly below a folder; those of folders end in `/`. `None`: there is no such folder.
    pub async fn list(&self, session: &Session, folder: &Location) -> Result<Option<Vec<String>>, Error> {
        let Location { mount, path } = folder.clone();
        let (reply, path) = match self.version {
            VaultVersion::V1 => {
                let shown = format!("{mount}/{path}");
                (session.call(&kv1::requests::ListSecretRequest { mount, path }, names::VAULT_LIST).await?, shown)
            }
            VaultVersion::V2 => {
                let shown = format!("{mount}/metadata/{path}");
                (session.call(&kv2::requests::ListSecretsRequest { mount, path }, names::VAULT_LIST).await?, shown)
            }
        };
        let Some(data) = answered(session, reply, &path, "list")? else { return Ok(None) };
        Ok(Some(match data.get("keys") {
            Some(Json::Array(keys)) => keys.iter().filter_map(Json::as_str).map(ToOwned::to_owned).collect(),
            _ => Vec::new(),
        }))
    }
}

/// The `data` of an answer. `None`: there is nothing at `path`.
fn answered(session: &Session, reply: Reply, path: &str, capability: &str) -> Result<Option<Json>, Error> {
    if reply.is_success() {
        // Vault says 404 of what is not there; anything else that answers here may say 200 to everything.
        let status = reply.status;
        let data = reply.body.take("data").filter(|data| *data != Json::Null);
        return data.map(Some).ok_or_else(|| session.server().not_vault(path, status));
    }
    if reply.status == 404 && reply.warnings().contains(WRONG_VERSION) {
        let message = format!("{path:?}: this is an engine of version 2; set spec.provider.vault.version to v2");
        return Err(Error::fix(Code::StoreInvalid, message));
    }
    // Absence is a 404 without errors; a 404 with errors says that nothing is mounted there.
    if reply.status == 404 && reply.errors().is_empty() {
        return if is_absence(&reply.body) { Ok(None) } else { Err(session.server().not_vault(path, 404)) };
    }
    Err(session.server().refused(&reply, path, capability))
}

/// Whether a 404 is Vault's own, since Secrets may be deleted for it: an empty list of errors, or what is left of a deleted
/// version. Gateways have words of their own for a path that they do not know.
fn is_absence(body: &Json) -> bool {
    let is_empty = |errors: &Json| *errors == Json::Null || matches!(errors, Json::Array(items) if items.is_empty());
    body.get("errors").is_some_and(is_empty) || body.get("data").is_some_and(|data| data.as_object().is_some())
}

fn version_number(version: &str) -> Result<u64, Error> {
    version.trim().parse().map_err(|_| {
        Error::fix(Code::SpecInvalid, format!("version {version:?}: versions of Vault's key/value engine are numbers"))
    })
}

fn metadata(data: &Json) -> Json {
    let text = |value: &Json| {
        Json::Text(Zeroizing::new(match value {
            Json::Text(text) => text.to_string(),
            other => other.to_text(Numbers::AsWritten).to_string(),
        }))
    };
    let kept = ["created_time", "current_version", "delete_version_after"];
    let kept = kept.into_iter().filter_map(|name| data.get(name).map(|value| (name.to_owned(), text(value))));
    let custom = data.get("custom_metadata").and_then(Json::as_object).into_iter().flatten();
    Json::Object(kept.chain(custom.map(|(name, value)| (name.clone(), text(value)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_lies_where_the_go_operator_looks() {
        let (v1, v2) = (VaultVersion::V1, VaultVersion::V2);
        let table = [
            (Some("secret"), v2, "app/db", "secret/data/app/db"),
            (Some("secret"), v2, "secret/app", "secret/data/app"),
            (Some("secret"), v2, "secret/data/app", "secret/data/app"),
            (Some("secret"), v2, "data/app", "secret/data/data/app"),
            (Some("secret"), v2, "secretly/app", "secret/data/secretly/app"),
            (Some("secret/"), v2, "/app", "secret/data/app"),
            (Some("team/kv"), v2, "team/kv/data/app", "team/kv/data/app"),
            (Some("team/kv"), v2, "app", "team/kv/data/app"),
            (Some("kv"), v1, "app", "kv/app"),
            (Some("kv"), v1, "kv/app", "kv/app"),
            (Some("kv"), v1, "kv/data/app", "kv/data/app"),
            (None, v2, "secret/app/db", "secret/data/app/db"),
            (None, v2, "secret/data/app/db", "secret/data/app/db"),
            (None, v2, "team/kv/data/app", "team/kv/data/app"),
            (None, v1, "kv/app/db", "kv/app/db"),
        ];
        for (mount, version, key, expected) in table {
            let engine = Engine::new(mount, version);
            assert_eq!(engine.data_path(&engine.locate(key)), expected, "{mount:?} {version:?} {key}");
        }
    }

    #[test]
    fn metadata_is_text_and_custom_metadata_wins() {
        let data = br#"{"created_time":"2026","current_version":3,"max_versions":0,"delete_version_after":"0s",
            "custom_metadata":{"team":"a","created_time":"mine"}}"#;
        let text = metadata(&Json::parse(data).unwrap()).to_text(Numbers::AsWritten);
        let expected = r#"{"created_time":"mine","current_version":"3","delete_version_after":"0s","team":"a"}"#;
        assert_eq!(text.as_str(), expected);
    }
}
