//! Refused by step 1 (twice). Replaces src/twice.rs.
//! There is a child, and it is reaped, but the parent prints all the lines: the two arms of the `match` were mixed up
//! with "what comes first". The output is right.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(Ok(())),
        ForkResult::Parent { .. } => {
            wait()?;
            say("child: after")?;
            say("parent: after")
        }
    }
}
