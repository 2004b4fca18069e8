//! Refused by step 6 (family). Replaces src/family.rs.
//! The parent counts forks, not ends: it prints its line and leaves while its children may still run, and reaps none.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, say};

pub fn run(n: u8) -> Result {
    for i in 1..=n {
        // SAFETY: this program has one thread.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            child(i);
        }
    }
    say(format_args!("parent: {n} children"))
}

fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
