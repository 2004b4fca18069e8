//! Refused by step 6 (family). Replaces src/family.rs.
//! One `wait` for N children: it returns for the first that ends, and the others are left.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, say, wait};

pub fn run(n: u8) -> Result {
    for i in 1..=n {
        // SAFETY: this program has one thread.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            child(i);
        }
    }
    if n > 0 {
        wait()?;
    }
    say(format_args!("parent: {n} children"))
}

fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
