//! Step 1: one process calls `fork`, and two return from it.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(),
        ForkResult::Parent { .. } => parent(),
    }
}

/// What only the child does.
fn child() -> ! {
    leave(say("child: after"))
}

/// What only the parent does.
fn parent() -> Result {
    say("parent: after")?;
    wait() // Lab 2 explains this line.
}
