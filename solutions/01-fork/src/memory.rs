//! Step 3: whose variable is it?

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

// ANCHOR: memory
pub fn run() -> Result {
    let mut a = 1;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(&mut a),
        ForkResult::Parent { .. } => {
            wait()?; // Lab 2 explains this line.
            say(format_args!("parent: a = {a}"))
        }
    }
}

/// Changes the variable through a reference: the same address as in the parent, but not the same memory.
fn child(a: &mut i32) -> ! {
    *a = 10_000;
    leave(say(format_args!("child: a = {a}")))
}
// ANCHOR_END: memory
