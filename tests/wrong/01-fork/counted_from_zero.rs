//! Refused by step 6 (family). Replaces src/family.rs.
//! `0..n` in place of `1..=n`: as many children, each with the number of the one before.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    for i in 0..n {
        // SAFETY: this program has one thread.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            child(i);
        }
    }
    reap_all()?;
    say(format_args!("parent: {n} children"))
}

fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
