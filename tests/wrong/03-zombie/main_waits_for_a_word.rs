//! Refused by step 3 (double). Replaces src/double.rs.
//! Main does not wait for the worker's end; but it waits until the worker has said, through a pipe, that its work is done.
//! The double fork has bought nothing.

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, fork, getppid, pipe2, read, write};

use crate::{Error, Named, Result, leave, pidfd, reap, retry, say};

/// Main waits for the middle process, which ends at once, and for no one else.
pub fn run() -> Result {
    let (word, to_main) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(middle(&to_main)),
        ForkResult::Parent { child } => match reap(child)? {
            WaitStatus::Exited(_, 0) => {
                retry(|| read(&word, &mut [0])).named("read")?;
                say("main: free")
            }
            _ => Err(Error::Child),
        },
    }
}

/// The middle process: makes the worker and is gone, so that the worker gets another parent.
fn middle(to_main: &OwnedFd) -> Result {
    let middle_life = pidfd::of_myself()?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(worker(&middle_life, to_main)),
        ForkResult::Parent { .. } => Ok(()),
    }
}

/// Says who has adopted it, once somebody has, and does its work, of which there is none here.
fn worker(middle_life: &OwnedFd, to_main: &OwnedFd) -> Result {
    pidfd::wait_for_end(middle_life)?;
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")?;
    retry(|| write(to_main, b"!")).named("write").map(drop)
}
