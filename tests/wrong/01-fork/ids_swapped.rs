//! Refused by step 2 (pids). Replaces src/pids.rs.
//! The parent prints its two ids in the wrong order: `fork` returned *somebody's* id, and it was taken for its own.

use nix::unistd::{ForkResult, fork, getpid, getppid};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say(format_args!("child: pid {}, parent {}", getpid(), getppid()))),
        ForkResult::Parent { child } => {
            say(format_args!("parent: pid {child}, child {}", getpid()))?;
            wait()
        }
    }
}
