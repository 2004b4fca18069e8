//! Step 3, double: fork twice, and the worker is nobody's business any more.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::os::fd::OwnedFd;

use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, fork, getppid};

use crate::{Error, Named, Result, leave, pidfd, reap, say};

/// Main waits for the middle process, which ends at once, and for no one else.
pub fn run() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(middle()),
        ForkResult::Parent { child } => match reap(child)? {
            WaitStatus::Exited(_, 0) => say("main: free"),
            _ => Err(Error::Child),
        },
    }
}

/// The middle process: makes the worker and is gone, so that the worker gets another parent.
fn middle() -> Result {
    // TODO 3: make the worker, a child of this middle process, and be gone.
    //   in the worker: call `worker`, and `leave` with what it returns; it needs a pidfd of this middle process
    //   in the middle process: return at once, without waiting; `run` ends it and main reaps it
    // When must the pidfd be opened so that it is surely this process's? (Step 1 has the same question.)
    todo!("step 3: fork the worker and be gone")
}

/// Says who has adopted it, once somebody has, and does its work, of which there is none here.
fn worker(middle_life: &OwnedFd) -> Result {
    pidfd::wait_for_end(middle_life)?;
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}
