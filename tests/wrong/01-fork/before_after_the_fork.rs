//! Refused by step 1 (twice). Replaces src/twice.rs.
//! `before` is printed once, by the parent, but after the fork: a pipe makes the child wait for it, so the output is
//! always right. Tempting to whoever saw `before` twice and looked for a process that may print it.

use std::io::{Read, Write};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    let (mut reader, mut writer) = std::io::pipe().named("pipe")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(
            reader
                .read_exact(&mut [0])
                .named("read")
                .and_then(|()| say("child: after")),
        ),
        ForkResult::Parent { .. } => {
            say("before")?;
            writer.write_all(b"!").named("write")?;
            say("parent: after")?;
            wait()
        }
    }
}
