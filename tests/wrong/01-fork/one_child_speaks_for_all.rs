//! Refused by step 6 (family). Replaces src/family.rs.
//! The loop is inside the fork in place of around it: one child prints all the lines.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    // SAFETY: this program has one thread.
    if let ForkResult::Child = unsafe { fork() }.named("fork")? {
        leave((1..=n).try_for_each(|i| say(format_args!("child {i}: pid {}", getpid()))));
    }
    reap_all()?;
    say(format_args!("parent: {n} children"))
}
