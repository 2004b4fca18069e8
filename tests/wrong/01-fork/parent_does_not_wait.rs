//! Refused by step 4 (flush). Replaces src/flush.rs.
//! The flush is there; the parent prints before it waits, so that `once ` may be followed by either line.

use std::io::{self, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    io::stdout().write_all(b"once ").named("write")?;
    io::stdout().flush().named("write")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say("child")),
        ForkResult::Parent { .. } => {
            say("parent")?;
            wait()
        }
    }
}
