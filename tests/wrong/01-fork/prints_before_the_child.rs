//! Refused by step 3 (memory). Replaces src/memory.rs.
//! The parent prints first and waits afterwards, so that its line proves nothing: the child had not yet changed a
//! thing.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    let mut a = 1;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(&mut a),
        ForkResult::Parent { .. } => {
            say(format_args!("parent: a = {a}"))?;
            wait()
        }
    }
}

fn child(a: &mut i32) -> ! {
    *a = 10_000;
    leave(say(format_args!("child: a = {a}")))
}
