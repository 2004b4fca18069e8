//! Step 2: what `fork` returns, and to whom.

use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            // Nothing is returned to the child: it can ask for both ids at any time.
            child(getpid(), getppid())
        }
        ForkResult::Parent { child } => {
            // The parent can have many children, and no call lists them: it learns the id here or never.
            parent(getpid(), child)
        }
    }
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
