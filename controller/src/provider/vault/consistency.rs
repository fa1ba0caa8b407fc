//! What a store asks of replicas that lag behind the active node.
//!
//! Vault says in each answer how far its storage was (`X-Vault-Index`); sent back with later requests, a replica answers
//! only once it is as far, else with 412, or, where the store says so, has the active node answer. Promised: what was seen
//! is remembered for one identity and never gets older, and its size is bounded.

use std::sync::{Mutex, PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::provider::json::Json;

const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");

/// States remembered: one for each cluster that answers, which are two where there are replicas at all.
const KEPT: usize = 4;

/// See the module documentation.
pub struct Consistency {
    is_wanted: bool,
    is_forwarded: bool,
    seen: Mutex<Vec<State>>,
}

/// How far the storage of a cluster was.
#[derive(Clone, Debug, Eq, PartialEq)]
struct State {
    written: HeaderValue,
    /// Cluster, and its indexes of what it writes itself and of what is replicated to it.
    known: Option<(String, u64, u64)>,
}

impl Consistency {
    /// With the fields of a store. Either switches it on; replicas forward only where both are set.
    pub fn new(read_your_writes: bool, forward_inconsistent: bool) -> Self {
        Self {
            is_wanted: read_your_writes || forward_inconsistent,
            is_forwarded: read_your_writes && forward_inconsistent,
            seen: Mutex::default(),
        }
    }

    /// Adds to a request what replicas must know.
    pub fn ask(&self, headers: &mut HeaderMap) {
        if !self.is_wanted {
            return;
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for state in seen.iter() {
            headers.append(INDEX, state.written.clone());
        }
        if self.is_forwarded {
            headers.insert(INCONSISTENT, HeaderValue::from_static("forward-active-node"));
        }
    }

    /// Remembers what an answer says.
    pub fn saw(&self, headers: &HeaderMap) {
        if !self.is_wanted {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for written in headers.get_all(INDEX) {
            merge(&mut seen, State::parse(written));
        }
    }
}

/// `v1:<cluster>:<local>:<replicated>:<signature>`.
fn of_vault(bytes: &[u8]) -> Option<(String, u64, u64)> {
    let parts: Vec<&str> = std::str::from_utf8(bytes).ok()?.split(':').collect();
    match parts.as_slice() {
        ["v1", cluster, local, replicated, _] => {
            Some(((*cluster).to_owned(), local.parse().ok()?, replicated.parse().ok()?))
        }
        _ => None,
    }
}

/// `{"cluster":"…","value":"30"}`.
fn of_openbao(bytes: &[u8]) -> Option<(String, u64, u64)> {
    let state = Json::parse(bytes).ok()?;
    let text = |name: &str| state.get(name).and_then(Json::as_str);
    Some((text("cluster")?.to_owned(), text("value")?.parse().ok()?, 0))
}

/// Adds a state unless it is older than one of the same cluster, and drops those that are older than it.
fn merge(seen: &mut Vec<State>, new: State) {
    if seen.iter().any(|old| *old == new || (old.known.is_some() && old.is_after(&new))) {
        return;
    }
    seen.retain(|old| !new.is_after(old));
    if seen.len() >= KEPT {
        seen.remove(0);
    }
    seen.push(new);
}

impl State {
    fn parse(written: &HeaderValue) -> Self {
        let bytes = STANDARD.decode(written.as_bytes()).unwrap_or_default();
        Self { written: written.clone(), known: of_vault(&bytes).or_else(|| of_openbao(&bytes)) }
    }

    /// Whether this is a later state of the same cluster. One in a form that is not known replaces what was before it.
    fn is_after(&self, other: &Self) -> bool {
        match (&self.known, &other.known) {
            (Some((cluster, local, replicated)), Some((other, other_local, other_replicated))) => {
                cluster == other && local >= other_local && replicated >= other_replicated
            }
            (None, _) => true,
            (Some(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(text: &str) -> HeaderValue {
        HeaderValue::from_str(&STANDARD.encode(text)).unwrap()
    }

    fn answer(states: &[&str]) -> HeaderMap {
        states.iter().map(|state| (INDEX, index(state))).collect()
    }

    fn asked(consistency: &Consistency) -> Vec<String> {
        let mut headers = HeaderMap::new();
        consistency.ask(&mut headers);
        let states = headers.get_all(INDEX).into_iter();
        let states = states.map(|state| String::from_utf8(STANDARD.decode(state.as_bytes()).unwrap()).unwrap());
        states.chain(headers.get(INCONSISTENT).map(|value| value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn fields_of_the_store_decide_what_is_asked() {
        for (read_your_writes, forward_inconsistent, expected) in [
            (false, false, vec![]),
            (true, false, vec!["v1:c:1:1:h"]),
            (false, true, vec!["v1:c:1:1:h"]),
            (true, true, vec!["v1:c:1:1:h", "forward-active-node"]),
        ] {
            let consistency = Consistency::new(read_your_writes, forward_inconsistent);
            consistency.saw(&answer(&["v1:c:1:1:h"]));
            assert_eq!(asked(&consistency), expected);
        }
    }

    #[test]
    fn latest_state_of_each_cluster_is_asked_for() {
        let table = [
            (vec!["v1:a:1:1:x", "v1:a:2:1:y"], vec!["v1:a:2:1:y"]),
            (vec!["v1:a:2:1:y", "v1:a:1:1:x"], vec!["v1:a:2:1:y"]),
            (vec!["v1:a:2:1:y", "v1:a:1:2:x"], vec!["v1:a:2:1:y", "v1:a:1:2:x"]),
            (vec!["v1:a:2:1:y", "v1:a:1:2:x", "v1:a:2:2:z"], vec!["v1:a:2:2:z"]),
            (vec!["v1:a:2:1:y", "v1:b:1:1:x"], vec!["v1:a:2:1:y", "v1:b:1:1:x"]),
            (vec!["v1:a:2:1:y", "v1:a:2:1:y"], vec!["v1:a:2:1:y"]),
            (vec!["v1:a:2:1:y", "v2:a:3"], vec!["v2:a:3"]),
            (
                vec![r#"{"cluster":"a","value":"30"}"#, r#"{"cluster":"a","value":"9"}"#],
                vec![r#"{"cluster":"a","value":"30"}"#],
            ),
            (
                vec![r#"{"cluster":"a","value":"30"}"#, r#"{"cluster":"a","value":"31"}"#],
                vec![r#"{"cluster":"a","value":"31"}"#],
            ),
            (vec!["v1:a:1:1", "v1:b:1:1", "v1:c:1:1"], vec!["v1:c:1:1"]),
            (
                vec!["v1:a:1:1:", "v1:b:1:1:", "v1:c:1:1:", "v1:d:1:1:", "v1:e:1:1:"],
                vec!["v1:b:1:1:", "v1:c:1:1:", "v1:d:1:1:", "v1:e:1:1:"],
            ),
        ];
        for (states, expected) in table {
            let consistency = Consistency::new(true, false);
            consistency.saw(&answer(&states));
            assert_eq!(asked(&consistency), expected, "{states:?}");
        }
    }
}
