//! Status conditions, one per type.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known about one aspect of an object.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Aspect of the object: Ready says whether it does its job.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// One word that says why, for programs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What happened and what to do about it, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When the status last turned from one value to another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}

/// Bytes that a message takes at most: the bound that Kubernetes sets to its own conditions. Past it a status grows until it
/// cannot be written, and the object says nothing at all.
pub const LONGEST_MESSAGE: usize = 32_768;

impl Condition {
    /// A condition without a time; [`set`] gives it one. A message past [`LONGEST_MESSAGE`] ends in an ellipsis.
    pub fn new(type_: &str, status: bool, reason: &str, message: impl Into<String>) -> Self {
        Self {
            type_: type_.to_owned(),
            status: if status { "True" } else { "False" }.to_owned(),
            reason: reason.to_owned(),
            message: bounded(message.into()),
            last_transition_time: None,
        }
    }

    /// Whether the status is `True`.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }
}

fn bounded(mut message: String) -> String {
    const ELLIPSIS: char = '…';
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE - ELLIPSIS.len_utf8()));
        message.push(ELLIPSIS);
    }
    message
}

/// The condition of a type, if there is one.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Puts `new` in the place of every condition of its type, at the end of the list.
///
/// Its time is `now`, in whole seconds as Kubernetes stores it, if the status turned, and stays what it was if only
/// the reason or message changed.
pub fn set(conditions: &mut Vec<Condition>, mut new: Condition, now: Timestamp) {
    let kept = find(conditions, &new.type_)
        .filter(|old| old.status == new.status)
        .and_then(|old| old.last_transition_time.clone());
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    new.last_transition_time = Some(kept.unwrap_or(Time(now)));
    conditions.retain(|condition| condition.type_ != new.type_);
    conditions.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_that_no_status_takes_is_cut_between_characters() {
        for (message, bytes) in
            [("short".to_owned(), 5), ("a".repeat(40_000), LONGEST_MESSAGE), ("ü".repeat(20_000), 32_767)]
        {
            let message = Condition::new("Ready", false, "Any", message).message;
            assert_eq!(message.len(), bytes);
            assert_eq!(message.ends_with('…'), bytes > 5);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn time_of(conditions: &[Condition]) -> i64 {
        find(conditions, "Ready").unwrap().last_transition_time.as_ref().unwrap().0.as_second()
    }

    #[test]
    fn time_moves_only_when_the_status_turns() {
        let mut conditions = Vec::new();
        set(&mut conditions, Condition::new("Ready", true, "SecretSynced", "a"), at(10));
        set(&mut conditions, Condition::new("Ready", true, "SecretDeleted", "b"), at(20));
        assert_eq!(time_of(&conditions), 10);
        assert_eq!(find(&conditions, "Ready").unwrap().message, "b");
        set(&mut conditions, Condition::new("Ready", false, "SecretSyncedError", "c"), at(30));
        assert_eq!(time_of(&conditions), 30);
    }

    #[test]
    fn each_type_is_listed_once() {
        let ready = Condition::new("Ready", true, "SecretSynced", "");
        let mut conditions = vec![ready.clone(), Condition::new("Deleted", false, "", ""), ready.clone()];
        set(&mut conditions, ready, at(1));
        let types: Vec<_> = conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, ["Deleted", "Ready"]);
    }

    #[test]
    fn time_is_stored_in_whole_seconds() {
        let mut conditions = Vec::new();
        set(&mut conditions, Condition::new("Ready", true, "", ""), Timestamp::new(5, 999_999_999).unwrap());
        let json = serde_json::to_value(&conditions).unwrap();
        assert_eq!(json[0]["lastTransitionTime"], "1970-01-01T00:00:05Z");
    }
}
