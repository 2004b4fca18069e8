//! Refused by step 1 (orphan). Replaces src/orphan.rs.
//! Whoever is the parent's parent will be the child's one day, so it is asked for beforehand. Mostly that is so under a
//! subreaper; it is a guess all the same.

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, fork, getppid, pipe2, read, write};

use crate::{Error, Named, Result, leave, pidfd, reap, retry, say};

pub fn run() -> Result {
    // Opened before the fork, while the parent surely lives: a child that opened it afterwards could come too late.
    let parent_life = pidfd::of_myself()?;
    let grandparent = getppid();
    let (from_child, to_parent) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(from_child);
            leave(child(&parent_life, &to_parent, grandparent))
        }
        ForkResult::Parent { child } => {
            drop(to_parent);
            parent(child, &from_child)
        }
    }
}

/// Says whose child it is while the parent lives, and again once the parent is gone.
fn child(parent_life: &OwnedFd, to_parent: &OwnedFd, grandparent: Pid) -> Result {
    say(format_args!("child: parent {}", getppid()))?;
    retry(|| write(to_parent, b"!")).named("write")?;
    pidfd::wait_for_end(parent_life)?;
    say(format_args!("child: adopted by {grandparent}"))
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
