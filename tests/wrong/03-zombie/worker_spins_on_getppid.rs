//! Refused by step 3 (double). Replaces src/double.rs.
//! The worker asks for its parent in a busy loop until it is no longer the middle process.

use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::{Error, Named, Result, leave, reap, say};

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
    let middle = getpid();
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(worker(middle)),
        ForkResult::Parent { .. } => Ok(()),
    }
}

/// Says who has adopted it, once somebody has, and does its work, of which there is none here.
fn worker(middle: Pid) -> Result {
    while getppid() == middle {
        std::hint::spin_loop();
    }
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}
