//! Refused by step 6 (family). Replaces src/family.rs.
//! The failed fork is reported as it should be, and then the parent leaves on the spot: the children that were made
//! before stay behind.

use std::process;

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Error, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    for i in 1..=n {
        // SAFETY: this program has one thread.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => child(i),
            Ok(ForkResult::Parent { .. }) => {}
            Err(errno) => process::exit(Error::Call("fork", errno).tell().into()),
        }
    }
    reap_all()?;
    say(format_args!("parent: {n} children"))
}

fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
