//! Parsed templates by what they were parsed from, so that the same text is parsed once.
//!
//! Keys are hashes: the text lives in the parsed template only. Bounded by number and by weight; what was used least
//! recently goes first. Parsing happens outside the lock, so two workers may parse the same new text once each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};
use template::Template;

/// The hash of a template's name and text.
pub type Key = [u8; 32];

/// Bounds of a [`Cache`].
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub templates: usize,
    /// Estimated bytes of all parsed templates together.
    pub bytes: usize,
}

/// See the module documentation.
pub struct Cache {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Keys by the moment of their last use.
    by_use: BTreeMap<u64, Key>,
    /// Grows with every use.
    moment: u64,
    bytes: usize,
}

struct Entry {
    template: Arc<Template>,
    bytes: usize,
    used: u64,
}

/// The length keeps apart names and texts whose concatenation is the same.
pub fn key(name: &str, text: &[u8]) -> Key {
    let mut hash = Sha256::new();
    hash.update(name.len().to_be_bytes());
    hash.update(name);
    hash.update(text);
    hash.finalize().into()
}

impl Cache {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, state: Mutex::default() }
    }

    pub fn find(&self, key: &Key) -> Option<Arc<Template>> {
        let mut state = self.state();
        let State { entries, by_use, moment, .. } = &mut *state;
        let entry = entries.get_mut(key)?;
        by_use.remove(&entry.used);
        *moment += 1;
        entry.used = *moment;
        by_use.insert(*moment, *key);
        Some(entry.template.clone())
    }

    /// Keeps a template of about `bytes` bytes, unless it alone would fill the cache.
    pub fn keep(&self, key: Key, template: Arc<Template>, bytes: usize) {
        if bytes > self.bounds.bytes || self.bounds.templates == 0 {
            return;
        }
        let mut state = self.state();
        state.remove(&key);
        while state.entries.len() >= self.bounds.templates || state.bytes + bytes > self.bounds.bytes {
            let Some((_, oldest)) = state.by_use.first_key_value().map(|(used, key)| (*used, *key)) else { break };
            state.remove(&oldest);
        }
        state.moment += 1;
        let used = state.moment;
        state.by_use.insert(used, key);
        state.bytes += bytes;
        state.entries.insert(key, Entry { template, bytes, used });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Only map operations run under the lock; a panic among them leaves at worst an entry that is never evicted.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use template::Limits;

    use super::*;

    fn parsed() -> Arc<Template> {
        Arc::new(Template::parse("a", b"{{ .a }}", &Limits::default()).expect("a template"))
    }

    fn cache(templates: usize, bytes: usize) -> Cache {
        Cache::new(Bounds { templates, bytes })
    }

    #[test]
    fn least_recently_used_template_goes_when_there_are_too_many() {
        let cache = cache(2, 1000);
        let [a, b, c] = ["a", "b", "c"].map(|name| key(name, b""));
        cache.keep(a, parsed(), 1);
        cache.keep(b, parsed(), 1);
        assert!(cache.find(&a).is_some());
        cache.keep(c, parsed(), 1);
        assert!(cache.find(&a).is_some() && cache.find(&b).is_none() && cache.find(&c).is_some());
    }

    #[test]
    fn templates_go_when_they_weigh_too_much_together() {
        let cache = cache(10, 100);
        let [a, b, c] = ["a", "b", "c"].map(|name| key(name, b""));
        cache.keep(a, parsed(), 60);
        cache.keep(b, parsed(), 40);
        assert!(cache.find(&a).is_some() && cache.find(&b).is_some(), "exactly full");
        cache.keep(c, parsed(), 50);
        assert!(cache.find(&a).is_none() && cache.find(&b).is_some() && cache.find(&c).is_some());
        assert_eq!(cache.state().bytes, 90);
    }

    #[test]
    fn template_heavier_than_the_cache_pushes_nothing_out() {
        let cache = cache(10, 100);
        cache.keep(key("a", b""), parsed(), 100);
        cache.keep(key("b", b""), parsed(), 101);
        assert!(cache.find(&key("a", b"")).is_some() && cache.find(&key("b", b"")).is_none());
    }

    #[test]
    fn kept_twice_weighs_once() {
        let cache = cache(10, 100);
        for _ in 0..3 {
            cache.keep(key("a", b""), parsed(), 70);
        }
        let state = cache.state();
        assert_eq!((state.entries.len(), state.by_use.len(), state.bytes), (1, 1, 70));
    }

    #[test]
    fn name_and_text_are_kept_apart() {
        assert_ne!(key("ab", b"c"), key("a", b"bc"));
        assert_eq!(key("a", b"bc"), key("a", b"bc"));
    }
}
