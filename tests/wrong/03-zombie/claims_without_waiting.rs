//! Refused by step 4 (ignore). Replaces src/ignore.rs.
//! `SIGCHLD` is ignored, so there is nothing to wait for: the line is printed while children may still be
//! running.

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say};

pub fn run(n: usize) -> Result {
    // Before the first fork: a child that had ended by then would stay a zombie.
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.named("signal")?;
    let forked = (0..n).try_for_each(|_| fork_child());
    forked?;
    say(format_args!("{n} children ended, ECHILD"))
}

/// Forks a child that ends at once.
fn fork_child() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(Ok(())),
        ForkResult::Parent { .. } => Ok(()),
    }
}
