//! Refused by step 4 (flush). Replaces src/flush.rs.
//! A newline flushes a line-buffered stream, so `once` is written once; but the newline is output, and was not asked
//! for.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    say("once")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say("child")),
        ForkResult::Parent { .. } => {
            wait()?;
            say("parent")
        }
    }
}
