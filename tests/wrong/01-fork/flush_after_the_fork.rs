//! Refused by step 4 (flush). Replaces src/flush.rs.
//! Flushed, but after the fork, by both: by then there are two buffers with one `once ` each.

use std::io::{self, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    io::stdout().write_all(b"once ").named("write")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(io::stdout().flush().named("write").and_then(|()| say("child"))),
        ForkResult::Parent { .. } => {
            io::stdout().flush().named("write")?;
            wait()?;
            say("parent")
        }
    }
}
