//! Refused by step 1 (twice). Replaces src/twice.rs.
//! "Not the child, so the parent": when the fork fails there is no child, and the program carries on as if there
//! were, and reports success. In C this is `if (fork() == 0) … else …`, which forgets -1.

use nix::unistd::{ForkResult, fork};

use crate::{Result, leave, say, wait};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread.
    if let Ok(ForkResult::Child) = unsafe { fork() } {
        leave(say("child: after"));
    }
    say("parent: after")?;
    let _ = wait();
    Ok(())
}
