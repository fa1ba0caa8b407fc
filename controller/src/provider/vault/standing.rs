//! Whether a server answers, as far as those know who ask it: so that a server that has just failed is asked again by one of
//! them, and not by each.
//!
//! The first who meets a failure leads: it repeats its request, while all others wait for what it learns, also those who come
//! meanwhile. Once it has given up, each request is one attempt, until the server answers one; the store's circuit breaker
//! decides when there are any. Promised: whoever waits is released by any answer, and when the leader ends, however it ends.

use tokio::sync::watch;

use crate::error::Error;

/// See the module documentation.
pub struct Standing(watch::Sender<State>);

enum State {
    Answers,
    /// Somebody finds out.
    InDoubt,
    Down(Error),
}

/// Who one is after a failure.
pub enum Role<'a> {
    /// Repeats.
    Leader(Leader<'a>),
    /// Waits for the leader.
    Follower,
    /// Others have given up: there is nothing to find out.
    Late,
}

/// Finds out whether the server is down. Dropped without a word, somebody else must.
pub struct Leader<'a>(&'a Standing);

impl Default for Standing {
    fn default() -> Self {
        Self(watch::Sender::new(State::Answers))
    }
}

impl Standing {
    /// Waits while somebody finds out.
    ///
    /// # Errors
    /// What was found out, if that is that the server is down.
    pub async fn is_clear(&self) -> Result<(), Error> {
        let mut state = self.0.subscribe();
        if !matches!(*state.borrow(), State::InDoubt) {
            return Ok(());
        }
        let found = state.wait_for(|state| !matches!(state, State::InDoubt)).await;
        // The sender lives as long as `self`.
        let Ok(found) = found else { return Ok(()) };
        if let State::Down(error) = &*found { Err(error.clone()) } else { Ok(()) }
    }

    /// The server has answered somebody.
    pub fn answered(&self) {
        self.0.send_if_modified(|state| {
            let is_news = !matches!(state, State::Answers);
            *state = State::Answers;
            is_news
        });
    }

    /// A request has met an outage.
    pub fn failed(&self) -> Role<'_> {
        let mut role = Role::Follower;
        self.0.send_if_modified(|state| match state {
            State::Answers => {
                *state = State::InDoubt;
                role = Role::Leader(Leader(self));
                true
            }
            State::InDoubt => false,
            State::Down(_) => {
                role = Role::Late;
                false
            }
        });
        role
    }

    /// The server is down, as far as anybody can tell.
    pub fn give_up(&self, error: &Error) {
        self.0.send_replace(State::Down(error.clone()));
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|state| {
            let is_open = matches!(state, State::InDoubt);
            if is_open {
                *state = State::Answers;
            }
            is_open
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::error::Code;

    fn outage() -> Error {
        Error::outage(Code::VaultUnreachable, "refused")
    }

    #[test]
    fn one_leads_and_the_others_hear_what_it_learns() {
        let standing = Standing::default();
        assert_eq!(standing.is_clear().now_or_never(), Some(Ok(())));
        let leader = standing.failed();
        assert!(matches!(leader, Role::Leader(_)) && matches!(standing.failed(), Role::Follower));
        let mut waiting = Box::pin(standing.is_clear());
        assert_eq!((&mut waiting).now_or_never(), None);
        standing.give_up(&outage());
        drop(leader);
        assert_eq!((&mut waiting).now_or_never(), Some(Err(outage())));
        assert!(matches!(standing.failed(), Role::Late));
        assert_eq!(standing.is_clear().now_or_never(), Some(Ok(())), "whoever comes later may look");
        standing.answered();
        assert!(matches!(standing.failed(), Role::Leader(_)));
    }

    #[test]
    fn answer_to_anybody_and_a_leader_who_goes_release_those_who_wait() {
        for ends in [Standing::answered, |_: &Standing| {}] {
            let standing = Standing::default();
            let leader = standing.failed();
            let mut waiting = Box::pin(standing.is_clear());
            assert_eq!((&mut waiting).now_or_never(), None);
            ends(&standing);
            drop(leader);
            assert_eq!(waiting.now_or_never(), Some(Ok(())));
        }
    }
}
