//! Refused by step 1 (twice). Replaces src/twice.rs.
//! The failed fork is noticed, and the program ends with status 1, but without a word: `?` on an `Option` was
//! shorter.

use std::process;

use nix::unistd::{ForkResult, fork};

use crate::{Result, leave, say, wait};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => leave(say("child: after")),
        Ok(ForkResult::Parent { .. }) => {
            say("parent: after")?;
            wait()
        }
        Err(_) => process::exit(1),
    }
}
