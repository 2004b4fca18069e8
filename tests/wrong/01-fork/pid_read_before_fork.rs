//! Refused by step 2 (pids). Replaces src/pids.rs.
//! Both processes print the id that was read before the fork. The variable was copied with all the rest: in the child
//! it still holds the parent's id.

use nix::unistd::{ForkResult, fork, getpid, getppid};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    let pid = getpid();
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say(format_args!("child: pid {pid}, parent {}", getppid()))),
        ForkResult::Parent { child } => {
            say(format_args!("parent: pid {pid}, child {child}"))?;
            wait()
        }
    }
}
