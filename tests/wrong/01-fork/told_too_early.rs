//! Refused by step 6 (family). Replaces src/family.rs.
//! The parent says that all is done, and then waits until it is: every child is reaped, after the line that claims
//! it.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    for i in 1..=n {
        // SAFETY: this program has one thread.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            child(i);
        }
    }
    say(format_args!("parent: {n} children"))?;
    reap_all()
}

fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
