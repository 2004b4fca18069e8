//! Step 2: what `fork` returns, and to whom.

#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    // TODO 2: fork. Call `child` and `parent`, each with the ids as the process that calls it knows them.
    // Output: `child: pid 42, parent 41` and `parent: pid 41, child 42`, in either order.
    todo!("step 2: fork, and find out who is who")
}

/// What only the child does.
fn child(own: Pid, parent: Pid) -> ! {
    leave(say(format_args!("child: pid {own}, parent {parent}")))
}

/// What only the parent does.
fn parent(own: Pid, child: Pid) -> Result {
    say(format_args!("parent: pid {own}, child {child}"))?;
    wait() // Lab 2 explains this line.
}
