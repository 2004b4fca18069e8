//! Refused by step 2 (pids). Replaces src/pids.rs.
//! The parent's id is asked for before the fork, "while it surely lives": that is the parent of the parent.

use nix::unistd::{ForkResult, fork, getpid, getppid};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    let parent = getppid();
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say(format_args!("child: pid {}, parent {parent}", getpid()))),
        ForkResult::Parent { child } => {
            say(format_args!("parent: pid {}, child {child}", getpid()))?;
            wait()
        }
    }
}
