//! Refused by step 1 (twice). Replaces src/twice.rs.
//! The child prints into a buffer of its own and leaves by `_exit`, which flushes nothing: its line is lost. `_exit`
//! is what a child should call, and the buffer is what one uses elsewhere; together they lose output.

use std::io::{self, BufWriter, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(),
        ForkResult::Parent { .. } => {
            say("parent: after")?;
            wait()
        }
    }
}

fn child() -> ! {
    let mut out = BufWriter::new(io::stdout());
    leave(writeln!(out, "child: after").named("write"))
}
