//! A property of a JSON document by its path, as the value of a key of a Secret.

use super::gjson::{self, Refused};
use crate::secret_bytes::SecretBytes;

/// What `path` selects of `json`: text as it is, null as nothing, everything else as JSON. `None`: nothing.
pub fn property(json: &[u8], path: &str) -> Result<Option<SecretBytes>, Refused> {
    let found = gjson::get(json, path)?;
    Ok(found.map(|found| SecretBytes::new(std::mem::take(&mut *found.plain()))))
}
