//! Refused by step 6 (family). Replaces src/family.rs.
//! The child prints its line and goes on with the loop, where it forks children of its own: 2^N processes, not 1 + N.
//! (Only in the first four rounds, here: a machine does not survive 2^64.)

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    let main = getpid();
    for i in 1..=n {
        // SAFETY: this program has one thread.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            say(format_args!("child {i}: pid {}", getpid()))?;
            if i >= 4 {
                leave(Ok(()));
            }
        }
    }
    reap_all()?;
    if getpid() != main {
        leave(Ok(()));
    }
    say(format_args!("parent: {n} children"))
}
