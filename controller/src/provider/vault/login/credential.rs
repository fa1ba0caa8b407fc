//! Credentials as text, for the JSON body of a login.

use api::reference::SecretKeySelector;

use crate::{
    error::{Code, Error},
    resolve::Access,
    secret_bytes::SecretBytes,
};

/// White space around a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Edges {
    /// Is cut: `echo` leaves a line break, and no credential of this sort has any.
    Cut,
    /// Counts: passwords may have it.
    Kept,
}

/// A credential out of a Secret.
pub struct Credential {
    pub text: String,
    /// How messages name it.
    pub shown: String,
}

/// Reads a credential. `what` it is: `password`.
pub async fn read(
    access: &Access,
    field: &str,
    what: &str,
    selector: &SecretKeySelector,
    default_key: Option<&str>,
    edges: Edges,
) -> Result<Credential, Error> {
    let namespace = access.scope().namespace(field, selector.namespace.as_deref())?;
    let shown = format!("the {what} in Secret {namespace}/{}", selector.name);
    let value = access.secret_key(field, selector, default_key).await?;
    let text = text(field, &shown, &value, edges)?;
    let has_line_break = text.ends_with('\n');
    let shown = if has_line_break { format!("{shown} (which ends in a line break)") } else { shown };
    Ok(Credential { text, shown })
}

/// A credential as text. `shown`: how messages name it.
pub fn text(field: &str, shown: &str, value: &SecretBytes, edges: Edges) -> Result<String, Error> {
    let bytes = match edges {
        Edges::Cut => value.expose().trim_ascii(),
        Edges::Kept => value.expose(),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => {
            let problem = format!("{field}: {shown} is empty or no text; correct the Secret");
            Err(Error::fix(Code::StoreInvalid, problem))
        }
    }
}
