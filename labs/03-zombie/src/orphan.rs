//! Step 1, orphan: the parent ends first, and somebody else becomes the child's parent.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, fork, getppid, pipe2, read, write};

use crate::{Error, Named, Result, leave, pidfd, reap, retry, say};

pub fn run() -> Result {
    // Opened before the fork, while the parent surely lives: a child that opened it afterwards could come too late.
    let parent_life = pidfd::of_myself()?;
    let (from_child, to_parent) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(from_child);
            leave(child(&parent_life, &to_parent))
        }
        ForkResult::Parent { child } => {
            drop(to_parent);
            parent(child, &from_child)
        }
    }
}

/// Says whose child it is while the parent lives, and again once the parent is gone.
fn child(parent_life: &OwnedFd, to_parent: &OwnedFd) -> Result {
    // TODO 1: say who the parent is, twice: while it lives, and once it is gone.
    //   -> `child: parent P` at once (`getppid`); then write a byte to `to_parent`: the parent then leaves
    //   -> `child: adopted by Q` when the parent has ended, and not a moment before. Q: what the kernel says now.
    // Sleep until then (pidfd.rs has what you need); do not look again and again, and do not guess a time.
    todo!("step 1: say whose child this is, before and after the parent's end")
}

/// Leaves once the child has spoken, and without waiting for it: that is what makes it an orphan.
fn parent(child: Pid, from_child: &OwnedFd) -> Result {
    let Err(error) = hear(from_child).and_then(|()| say("parent: leaving")) else {
        return Ok(());
    };
    // This is no leaving but a failure, and a failure leaves nobody behind.
    if !matches!(error, Error::Child) {
        kill(child, Signal::SIGKILL).named("kill")?;
    }
    reap(child)?;
    Err(error)
}

/// Sleeps until the child has written its byte. (End of file: it ended without.)
fn hear(from_child: &OwnedFd) -> Result {
    match retry(|| read(from_child, &mut [0])).named("read")? {
        0 => Err(Error::Child),
        _ => Ok(()),
    }
}
