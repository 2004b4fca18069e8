//! Step 4: a buffer is memory too.

use std::io::{self, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    // No newline: the text stays in a buffer of this process, and nothing is written yet.
    io::stdout().write_all(b"once ").named("write")?;
    // The buffer must be empty at the fork, or both processes own its text and both write it.
    io::stdout().flush().named("write")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(),
        ForkResult::Parent { .. } => {
            wait()?; // Lab 2 explains this line.
            say("parent")
        }
    }
}

/// What only the child does.
fn child() -> ! {
    leave(say("child"))
}
