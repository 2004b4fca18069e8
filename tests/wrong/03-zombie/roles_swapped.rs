//! Refused by step 1 (orphan). Replaces src/orphan.rs.
//! `fork` returns 0 in the child; here that is taken for "I am the parent". So the child leaves, and main
//! stays and asks for a parent that has not changed. Nobody is an orphan.

use nix::unistd::{ForkResult, fork, getppid};

use crate::{Named, Result, leave, pidfd, reap, say};

pub fn run() -> Result {
    let life = pidfd::of_myself()?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say("parent: leaving")),
        ForkResult::Parent { child } => {
            drop(life);
            say(format_args!("child: parent {}", getppid()))?;
            reap(child)?;
            say(format_args!("child: adopted by {}", getppid()))
        }
    }
}
