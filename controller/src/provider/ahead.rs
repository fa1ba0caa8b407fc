//! What will be asked of a store soon: the entries of ExternalSecrets that wait for a worker, and of those whose refresh is
//! nearly due.
//!
//! A backend that answers many questions in one call asks these along with the first of them. Nothing may depend on it:
//! what is told may be too little, and who is told of it may do nothing.

use std::{sync::Arc, time::Instant};

use api::external_secret::RemoteRef;

use super::identity::StoreHandle;
use crate::resolve::Scope;

/// Whether to go on.
pub type More = bool;

/// Is told an entry, and how fresh an answer must be for who will ask for it.
pub type Visit<'a> = dyn FnMut(&RemoteRef, Instant) -> More + 'a;

/// Is told all that an ExternalSecret will ask if its refresh is brought forward, and how fresh answers must be then.
pub type Take<'a> = dyn FnMut(&[RemoteRef], Instant) -> Taken + 'a;

/// What became of an offer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// The reads have begun: the refresh is to come now.
    Yes,
    /// It stays where it is; another may fit.
    No,
    /// No other will fit either.
    Full,
}

/// Knows what waits, of any store.
pub trait Waiting: Send + Sync {
    /// Tells what will be asked of the store in the name of `scope`, what comes first first.
    fn visit(&self, store: &StoreHandle, scope: &Scope, visit: &mut Visit<'_>);

    /// Offers refreshes that are nearly due, what comes first first, and has those done at once that are taken.
    fn bring_forward(&self, _: &StoreHandle, _: &Scope, _: &mut Take<'_>) {}
}

/// What waits for one identity of one store.
#[derive(Clone)]
pub struct Ahead {
    waiting: Arc<dyn Waiting>,
    store: StoreHandle,
    scope: Scope,
}

impl Ahead {
    pub fn new(waiting: Arc<dyn Waiting>, store: &StoreHandle, scope: &Scope) -> Self {
        Self { waiting, store: store.clone(), scope: scope.clone() }
    }

    /// Tells what will be asked, what comes first first.
    pub fn visit(&self, visit: &mut Visit<'_>) {
        self.waiting.visit(&self.store, &self.scope, visit);
    }

    /// Offers refreshes that are nearly due, and has those done at once that are taken.
    pub fn bring_forward(&self, take: &mut Take<'_>) {
        self.waiting.bring_forward(&self.store, &self.scope, take);
    }
}

/// Nothing waits.
#[cfg(test)]
pub struct Nothing;

#[cfg(test)]
impl Waiting for Nothing {
    fn visit(&self, _: &StoreHandle, _: &Scope, _: &mut Visit<'_>) {}
}
