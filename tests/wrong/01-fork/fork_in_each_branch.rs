//! Refused by step 1 (twice). Replaces src/twice.rs.
//! `fork` is called once in each condition, as if it only asked "which one am I?": the second call makes a second
//! child, which prints nothing. The output is right, and a process too many came and went.

use nix::unistd::{ForkResult, fork};

use crate::{Result, leave, reap_all, say};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread.
    if let Ok(ForkResult::Child) = unsafe { fork() } {
        leave(say("child: after"));
    }
    // SAFETY: this program has one thread.
    if let Ok(ForkResult::Parent { .. }) = unsafe { fork() } {
        say("parent: after")?;
    }
    reap_all()
}
