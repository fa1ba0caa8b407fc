//! What is wrong with an AWS block.

use super::{Aws, Check, Problem, Scope};

impl Check for Aws {
    fn problems(&self, _: &Scope) -> Vec<Problem> {
        Vec::new()
    }
}
