//! Step 4: a buffer is memory too.

#![expect(unused, reason = "delete this line when every TODO is done")]

use std::io::{self, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    // No newline: the text stays in a buffer of this process, and nothing is written yet.
    io::stdout().write_all(b"once ").named("write")?;
    // TODO 4: delete the `todo!` and count the `once` in the output. Then put what is missing in its place.
    // Output: `once child`, then `parent`.
    todo!("step 4: leave the child nothing to print again");
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
