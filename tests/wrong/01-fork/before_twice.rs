//! Refused by step 1 (twice). Replaces src/twice.rs.
//! Output through a `BufWriter`, as one does for speed: `before` is still in it at the fork, so that both processes
//! own it and both write it. (C's stdout does this by itself as soon as it is a pipe or a file.)

use std::io::{self, BufWriter, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, wait};

pub fn run() -> Result {
    let mut out = BufWriter::new(io::stdout());
    writeln!(out, "before").named("write")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(finish(out, "child: after")),
        ForkResult::Parent { .. } => {
            finish(out, "parent: after")?;
            wait()
        }
    }
}

fn finish(mut out: impl Write, line: &str) -> Result {
    writeln!(out, "{line}").named("write")?;
    out.flush().named("write")
}
