//! Refused by step 3 (memory). Replaces src/memory.rs.
//! A bare `wait`, once, whatever it returns: a signal that wakes it is taken for the end of the child, which is then
//! neither ended nor reaped.

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say};

pub fn run() -> Result {
    let mut a = 1;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(&mut a),
        ForkResult::Parent { .. } => {
            let _ = nix::sys::wait::wait();
            say(format_args!("parent: a = {a}"))
        }
    }
}

fn child(a: &mut i32) -> ! {
    *a = 10_000;
    leave(say(format_args!("child: a = {a}")))
}
