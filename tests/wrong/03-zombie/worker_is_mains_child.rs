//! Refused by step 3 (double). Replaces src/double.rs.
//! One fork and no middle process: main says that it is free and leaves, and the worker is an orphan because
//! main is gone. A main that had to go on would have to wait for it one day.

use std::os::fd::OwnedFd;

use nix::unistd::{ForkResult, fork, getppid};

use crate::{Named, Result, leave, pidfd, say};

pub fn run() -> Result {
    let main_life = pidfd::of_myself()?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(worker(&main_life)),
        ForkResult::Parent { .. } => say("main: free"),
    }
}

fn worker(main_life: &OwnedFd) -> Result {
    pidfd::wait_for_end(main_life)?;
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}
