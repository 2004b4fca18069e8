//! Refused by step 1 (twice). Replaces src/twice.rs.
//! The right lines in a right order, all printed by one process: an answer to the output, not to the step.

use crate::{Result, say};

pub fn run() -> Result {
    say("before")?;
    say("child: after")?;
    say("parent: after")
}
