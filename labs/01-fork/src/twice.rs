//! Step 1: one process calls `fork`, and two return from it.

#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    say("before")?;
    // TODO 1: fork. The child goes to `child` and the parent to `parent`; an error from "fork" goes to the caller.
    // Output: `before`, then `child: after` and `parent: after`, in either order.
    todo!("step 1: fork, and send each process its own way")
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
