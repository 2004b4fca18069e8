//! Refused by step 4 (flush). Replaces src/flush.rs.
//! Nothing is flushed. The child writes its copy of `once ` with its line, and the parent goes round its own copy and
//! leaves by `_exit`, so that it is lost: the output is right, and written by the wrong process.

use std::io::{self, Write};

use nix::libc;
use nix::unistd::{ForkResult, fork, write};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    io::stdout().write_all(b"once ").named("write")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say("child")),
        ForkResult::Parent { .. } => {
            wait()?;
            write(io::stdout(), b"parent\n").named("write")?;
            // SAFETY: `_exit` takes no pointer and runs no code of this process.
            unsafe { libc::_exit(0) }
        }
    }
}
