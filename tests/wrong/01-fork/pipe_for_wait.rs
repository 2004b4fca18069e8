//! Refused by step 3 (memory). Replaces src/memory.rs.
//! The parent learns from the end of a pipe that the child is through, and prints: a sound way to wait for a
//! *message*. But the pipe closes before the process has ended, and nobody ever reaps the child.

use std::io::Read;

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say};

pub fn run() -> Result {
    let mut a = 1;
    let (mut reader, writer) = std::io::pipe().named("pipe")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(&mut a),
        ForkResult::Parent { .. } => {
            drop(writer);
            reader.read_to_end(&mut Vec::new()).named("read")?;
            say(format_args!("parent: a = {a}"))
        }
    }
}

fn child(a: &mut i32) -> ! {
    *a = 10_000;
    leave(say(format_args!("child: a = {a}")))
}
