//! What is wrong with a Vault block.

use super::{Check, Problem, Scope, Vault};

impl Check for Vault {
    fn problems(&self, _: &Scope) -> Vec<Problem> {
        Vec::new()
    }
}
