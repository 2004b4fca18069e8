//! Refused by step 4 (ignore). Replaces src/ignore.rs.
//! A program that ends soon need not care for its zombies: neither ignored nor waited for.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say};

pub fn run(n: usize) -> Result {
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
