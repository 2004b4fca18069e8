//! Refused by step 4 (flush). Replaces src/flush.rs.
//! No flush: `once ` is in the buffer at the fork, both processes own it, and each writes it in front of its line.

use std::io::{self, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    io::stdout().write_all(b"once ").named("write")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say("child")),
        ForkResult::Parent { .. } => {
            wait()?;
            say("parent")
        }
    }
}
