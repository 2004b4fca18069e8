//! Step 6: many children of one parent.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    for i in 1..=n {
        // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            child(i); // Never returns, or the child would go on with the loop and fork children of its own.
        }
    }
    reap_all()?; // Lab 2 explains this line.
    say(format_args!("parent: {n} children"))
}

/// What only child number `i` does.
fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
