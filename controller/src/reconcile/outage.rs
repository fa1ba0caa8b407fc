//! An outage is told once: that others wait for it, or meet it again, is no news.

use api::condition::Condition;

use crate::error::{Class, Code, Error};

/// Whether a condition Ready tells of the outage behind this error already. False for what is no outage.
pub fn is_told(ready: Option<&Condition>, error: &Error) -> bool {
    let Some(ready) = ready.filter(|ready| !ready.is_true()) else { return false };
    match error.code() {
        Code::BreakerOpen => true,
        // The store has met what its user met before: the same words after the name of the store and the code.
        Code::StoreNotReady => {
            let why = error.message().split_once(STORE_SAYS).and_then(|(_, said)| said.split_once(": "));
            why.is_some_and(|(_, cause)| ready.message.contains(cause))
        }
        _ => error.class() == Class::Outage && ready.message.contains(error.message()),
    }
}

/// Stands between the name of a store and what its own condition says.
pub const STORE_SAYS: &str = " is not ready: ";

#[cfg(test)]
mod tests {
    use api::names::condition_type::READY;

    use super::*;

    #[test]
    fn outage_is_news_once() {
        let down = Error::outage(Code::VaultUnreachable, "v cannot be reached: refused").at("spec.data[0]");
        let waiting = Error::outage(Code::BreakerOpen, format!("waiting; it said: {down}"));
        let gated = |why: &Error| Error::wait(Code::StoreNotReady, format!("store{STORE_SAYS}{why}"));
        let plain = Error::outage(Code::VaultUnreachable, "v cannot be reached: refused");
        let denied = Error::fix(Code::VaultLoginDenied, "the role does not exist");
        let condition = |error: &Error| Condition::new(READY, false, "SecretSyncedError", error.to_string());
        let good = Condition::new(READY, true, "SecretSynced", "secret synced");
        for first in [&down, &waiting] {
            assert!(!is_told(None, first) && !is_told(Some(&good), first), "{first}");
            for again in [&down, &waiting, &gated(&plain)] {
                assert!(is_told(Some(&condition(first)), again), "{first}: {again}");
            }
            assert!(!is_told(Some(&condition(first)), &denied));
            assert!(!is_told(Some(&condition(first)), &gated(&denied)));
            assert!(!is_told(Some(&condition(first)), &Error::outage(Code::VaultSealed, "v is sealed")));
        }
        assert!(is_told(Some(&condition(&denied)), &waiting), "the backend was not asked");
    }
}
