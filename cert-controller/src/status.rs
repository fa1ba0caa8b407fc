//! What readiness says: whether the last look at each kind of object ended with nothing left to do.

use std::sync::{Mutex, PoisonError};

pub type Outcome = Result<(), String>;

/// See the module documentation.
pub struct Status {
    definitions: Mutex<Outcome>,
    configurations: Mutex<Outcome>,
}

impl Default for Status {
    fn default() -> Self {
        Self { definitions: Mutex::new(not_yet()), configurations: Mutex::new(not_yet()) }
    }
}

impl Status {
    /// A replica that does not lead has nothing to do, and is ready to.
    pub fn standby(&self) {
        self.set_definitions(Ok(()));
        self.set_configurations(Ok(()));
    }

    /// A replica that starts to lead has done nothing yet.
    pub fn begin(&self) {
        self.set_definitions(not_yet());
        self.set_configurations(not_yet());
    }

    pub fn set_definitions(&self, outcome: Outcome) {
        *self.definitions.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
    }

    pub fn set_configurations(&self, outcome: Outcome) {
        *self.configurations.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
    }

    pub fn definitions(&self) -> Outcome {
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn configurations(&self) -> Outcome {
        self.configurations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn not_yet() -> Outcome {
    Err("not looked at yet".to_owned())
}
