//! Refused by step 1 (twice). Replaces src/twice.rs.
//! The parent prints its line and ends, without a look at its child. Both lines appear all the same; who reaps the
//! child is left to chance and to whoever adopts it.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say("child: after")),
        ForkResult::Parent { .. } => say("parent: after"),
    }
}
