//! Refused by step 4 (flush). Replaces src/flush.rs.
//! The child throws its copy away by writing past the buffer; the parent keeps its own until its line. `once ` is
//! written once, but by then the child has long spoken.

use std::io::{self, Write};

use nix::unistd::{ForkResult, fork, write};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    io::stdout().write_all(b"once ").named("write")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(write(io::stdout(), b"child\n").named("write").map(drop)),
        ForkResult::Parent { .. } => {
            wait()?;
            say("parent")
        }
    }
}
