//! Refused by step 3 (double). Replaces src/double.rs.
//! The worker sleeps for a while, by the end of which the middle process will surely have gone.

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
    let middle_life = pidfd::of_myself()?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(worker(&middle_life)),
        ForkResult::Parent { .. } => Ok(()),
    }
}

/// Says who has adopted it, once somebody has, and does its work, of which there is none here.
fn worker(middle_life: &OwnedFd) -> Result {
    let _ = middle_life;
    std::thread::sleep(std::time::Duration::from_millis(200));
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}
