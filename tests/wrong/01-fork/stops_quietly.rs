//! Refused by step 6 (family). Replaces src/family.rs.
//! A fork that fails ends the loop, and the program counts what it has: a job half done that looks done.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    let mut made = 0;
    for i in 1..=n {
        // SAFETY: this program has one thread.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => child(i),
            Ok(ForkResult::Parent { .. }) => made += 1,
            Err(_) => break,
        }
    }
    reap_all()?;
    say(format_args!("parent: {made} children"))
}

fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
