//! What controllers have sent to change objects, and what of it is more than undisturbed work takes.

use std::collections::BTreeMap;

use tests::{ApiRequest, Binary, Requests};

/// How often what was sent, and whether the API server took it.
#[derive(Clone, Debug, Default)]
pub struct Writes(BTreeMap<(String, bool), usize>);

impl Writes {
    /// What the controllers of a namespace have sent, as the API server tells. Neither events nor tokens are state: who starts
    /// again tells and asks anew.
    pub fn of(api: &Requests<ApiRequest>, namespace: &str) -> Self {
        let mut writes = BTreeMap::new();
        let sent = api.of(Binary::Controller).in_namespace(namespace).writes();
        let is_state = |request: &&ApiRequest| !matches!(request.resource.as_str(), "events" | "serviceaccounts/token");
        for request in sent.as_slice().iter().filter(is_state) {
            let ApiRequest { verb, resource, name, status, .. } = request;
            *writes.entry((format!("{verb} {resource} {name}"), *status < 300)).or_default() += 1;
        }
        Self(writes)
    }

    /// The more of each of both.
    pub fn or(mut self, other: Self) -> Self {
        for (sent, times) in other.0 {
            let most = self.0.entry(sent).or_default();
            *most = times.max(*most);
        }
        self
    }

    /// Without what the API server refused: it changed nothing.
    pub fn done(mut self) -> Self {
        self.0.retain(|(_, done), _| *done);
        self
    }

    /// What was written more often than `allowed`, or sent in vain where nothing was then. Who found a Secret of somebody else
    /// once may find it again.
    pub fn excess(&self, allowed: &Self) -> Option<String> {
        let may = |key: &(String, bool)| allowed.0.get(key).map_or(0, |times| if key.1 { *times } else { usize::MAX });
        let more = self.0.iter().filter(|(key, times)| may(key) < **times);
        let more: Vec<_> = more
            .map(|(key, times)| {
                let done = if key.1 { "done" } else { "refused" };
                format!("{} was {done} {times} times, undisturbed {}", key.0, allowed.0.get(key).unwrap_or(&0))
            })
            .collect();
        (!more.is_empty()).then(|| more.join(", "))
    }
}
