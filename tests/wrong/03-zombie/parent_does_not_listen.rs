//! Refused by step 1 (orphan). Replaces src/orphan.rs.
//! The parent leaves as soon as it has forked. Mostly the child has spoken by then; where it has not, it never had a parent
//! to speak of.

use std::os::fd::OwnedFd;

use nix::unistd::{ForkResult, fork, getppid};

use crate::{Named, Result, leave, pidfd, say};

pub fn run() -> Result {
    // Opened before the fork, while the parent surely lives: a child that opened it afterwards could come too late.
    let parent_life = pidfd::of_myself()?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(child(&parent_life)),
        ForkResult::Parent { .. } => say("parent: leaving"),
    }
}

/// Says whose child it is while the parent lives, and again once the parent is gone.
fn child(parent_life: &OwnedFd) -> Result {
    say(format_args!("child: parent {}", getppid()))?;
    pidfd::wait_for_end(parent_life)?;
    say(format_args!("child: adopted by {}", getppid()))
}
