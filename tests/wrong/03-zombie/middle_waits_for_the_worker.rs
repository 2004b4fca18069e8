//! Refused by step 3 (double). Replaces src/double.rs.
//! The middle process is a good parent and waits for its child. So main waits for both, and the worker is no
//! orphan.

use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, fork, getppid};

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
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(worker()),
        ForkResult::Parent { child } => reap(child).map(drop),
    }
}

/// Says who has adopted it, once somebody has, and does its work, of which there is none here.
fn worker() -> Result {
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}
