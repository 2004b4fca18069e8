//! Refused by step 3 (double). Replaces src/double.rs.
//! The worker takes the end of file of a pipe, whose other end the middle process held, for the middle's end.
//! The kernel closes descriptors before it finds the children another parent: `getppid` may still give the
//! old one.

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, fork, getppid, pipe2, read};

use crate::{Error, Named, Result, leave, reap, retry, say};

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
    let (middle_life, middles_end) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(middles_end);
            leave(worker(&middle_life))
        }
        ForkResult::Parent { .. } => {
            // Closed by the kernel, at the end of the process.
            std::mem::forget(middles_end);
            Ok(())
        }
    }
}

/// Says who has adopted it, once somebody has, and does its work, of which there is none here.
fn worker(middle_life: &OwnedFd) -> Result {
    retry(|| read(middle_life, &mut [0])).named("read")?;
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}
