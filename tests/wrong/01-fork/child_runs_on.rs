//! Refused by step 1 (twice). Replaces src/twice.rs.
//! The child does its part and is not ended: it goes on into the parent's code, and prints the parent's line too. In
//! one process an `if` without an `else` says "this as well"; after a fork it says "this as well" to the child only.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, say, wait};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread.
    let forked = unsafe { fork() }.named("fork")?;
    if let ForkResult::Child = forked {
        say("child: after")?;
    }
    say("parent: after")?;
    if let ForkResult::Parent { .. } = forked {
        wait()?;
    }
    Ok(())
}
