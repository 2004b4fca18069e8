//! Refused by step 6 (family). Replaces src/family.rs.
//! Each child forks the next one: the right number of processes and the right lines, but a chain of N generations in
//! place of one parent with N children.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    generation(1, n)?;
    say(format_args!("parent: {n} children"))
}

fn generation(i: u8, n: u8) -> Result {
    if i > n {
        return Ok(());
    }
    // SAFETY: this program has one thread.
    if let ForkResult::Child = unsafe { fork() }.named("fork")? {
        leave(say(format_args!("child {i}: pid {}", getpid())).and_then(|()| generation(i + 1, n)));
    }
    reap_all()
}
