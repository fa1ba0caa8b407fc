//! The values a template works on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub(crate) use crate::bytes::Bytes;

/// The map from names to byte strings that stands at the dot (Go: `map[string]string`). Cheap to clone, and overwritten
/// when the last clone goes.
#[derive(Clone, Default)]
pub struct Data {
    entries: Arc<BTreeMap<Bytes, Bytes>>,
}

impl Data {
    /// The entries without a copy.
    pub(crate) fn shared(&self) -> Arc<BTreeMap<Bytes, Bytes>> {
        Arc::clone(&self.entries)
    }
}

impl<K: Into<Vec<u8>>, V: Into<Vec<u8>>> FromIterator<(K, V)> for Data {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into().into(), value.into().into()));
        Self { entries: Arc::new(entries.collect()) }
    }
}

/// Shows the names only: the values are secrets.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys().map(|key| String::from_utf8_lossy(key))).finish()
    }
}
